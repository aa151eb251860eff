"""Audits of printed numbers by themselves: arithmetic on means, stds, t, p and counts, without torch or training."""

from convrepro.audits.audit import audit, unchecked
from convrepro.audits.finding import CHECKS, Check, Finding
from convrepro.audits.report import any_inconsistent, lines
from convrepro.audits.subject import Subject, choose

__all__ = ["CHECKS", "Check", "Finding", "Subject", "any_inconsistent", "audit", "choose", "lines", "unchecked"]
