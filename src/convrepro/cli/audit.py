"""``convrepro audit``: printed numbers against each other."""

import argparse
from typing import Any


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "audit",
        help="check printed numbers by themselves, without training",
        description=(
            "One line per finding: consistent, inconsistent or cannot tell, the check, the cell, the arithmetic. A CSV "
            "file has the columns table, dataset, model, conv, than, axes, metric, printed, spread, best, num_runs, "
            "unit, misprint. Exit code 0 if nothing is inconsistent, 1 if something is, 2 for bad input."
        ),
    )
    parser.add_argument(
        "target", metavar="PAPER|TABLE|CSV", nargs="?", help="what to audit (default: all papers); see `convrepro list`"
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro import audits

    findings: list[audits.Finding] = []
    unchecked: list[str] = []
    for subject in audits.choose(arguments.target):
        found = audits.audit(subject)
        findings += found
        unchecked += audits.unchecked(subject, found)
    for line in audits.lines(findings, unchecked):
        print(line)
    return 1 if audits.any_inconsistent(findings) else 0
