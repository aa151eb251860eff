"""One line of an audit, and what each kind of check can and cannot find."""

from dataclasses import dataclass
from typing import Literal

Word = Literal["consistent", "inconsistent", "cannot tell"]
WORDS: tuple[Word, ...] = ("consistent", "inconsistent", "cannot tell")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict and the arithmetic that leads to it, on one line."""

    word: Word
    arithmetic: str


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A judgement on a printed number or on several.

    Args:
        table: where the numbers are printed.
        check: key of ``CHECKS``.
        cell: which numbers of the table.
    """

    table: str
    check: str
    cell: str
    word: Word
    arithmetic: str


@dataclass(frozen=True, kw_only=True)
class Check:
    """A kind of check.

    Args:
        question: what it asks.
        false_alarms: how often numbers of real runs, rounded as printed, are called inconsistent, and why.
        power: which faults it finds, and how often.
    """

    question: str
    false_alarms: str
    power: str


# Rates are of 3,000 simulated comparisons each, 6,000 for `difference`: 5 + 5 normal runs about 90 %, std 0.05, 0.2 or
# 0.5 points, means with two decimals, stds by n or n - 1 with one or two digits, t pooled or Welch; for t and p the
# groups lie 2 stds apart.
CHECKS = {
    "difference": Check(
        question="Does the mean lie on the claimed side, and is the difference significant (Welch, 5 %)?",
        false_alarms=(
            "0, for only a mean on the wrong side, or a significance that no reading (Welch or pooled, std by n or "
            "n - 1) has, is inconsistent; `cannot tell` is no alarm, it says that the numbers do not show a difference"
        ),
        power=(
            "with n = 5 equal methods are found significant throughout in 1 % (stds of one digit) and 3 % (two), "
            "methods 1 std apart in 11 and 19 %, 2 stds in 52 and 67 %, 3 stds in 90 and 96 %"
        ),
    ),
    "t": Check(
        question=(
            "Can t of an unpaired test, pooled or Welch, follow from means and stds that round to the printed ones?"
        ),
        false_alarms="0 if the test is unpaired: all means and stds that round to the printed ones, stds by n or n - 1",
        power="with stds of one digit a t wrong by a factor of 1.25 in 38 %, 1.5 in 82 %; of two digits in 90 and 99 %",
    ),
    "p from t": Check(
        question="Does the two-sided p of an unpaired test, pooled or Welch, follow from the printed t?",
        false_alarms=(
            "0 if the test is unpaired and two-sided: all t that round to the printed one, all degrees of freedom that "
            "the stds allow"
        ),
        power=(
            "a p of two digits that is off by one in the last in 29 % (stds of one digit) and 46 % (two), off by two "
            "in 47 and 80 %"
        ),
    ),
    "p": Check(
        question=(
            "Can the two-sided p of an unpaired test, pooled or Welch, follow from means and stds that round to the "
            "printed ones?"
        ),
        false_alarms=(
            "0 if the test is unpaired and two-sided, as for t; the bounds join extremes of t and of the degrees of "
            "freedom, so they are wide"
        ),
        power="a p wrong by a factor of 3 in 35 to 43 % (stds of one digit) and 81 to 86 % (two), of 10 in 77 to 99 %",
    ),
    "attainable": Check(
        question="Is there a number of correct images that gives this value (GRIM)?",
        false_alarms="0 if images and runs are as many as stated and each image counts alike: exact integer arithmetic",
        power=(
            "the share of printable values that no number of images gives, on each line; with two decimals 0 from "
            "10,000 images x runs on"
        ),
    ),
    "best": Check(
        question="Is the best run as far from the mean as n runs with this std can have it?",
        false_alarms="0: of n values with population std s the best is s / sqrt(n - 1) to s sqrt(n - 1) from the mean",
        power="with n = 5 a std 2 times too small in 44 % (one digit) and 69 % (two), 10 times in more than 99 %",
    ),
    "recomputed": Check(
        question="Does the printed size, factor or number of operations come out of the described layers?",
        false_alarms="0 if the layers are the described ones: exact integers, rounded up or down",
        power="a slip of a unit of the last digit always, ties apart",
    ),
    "repeated": Check(
        question="Are more cells of two data sets alike than chance or their true sizes allow?",
        false_alarms=(
            "below 1e-6 a pair: independent values are alike with a probability of at most u / (s sqrt(pi)) a cell, u "
            "the last digit's unit, s the noise of a value; cells taken as independent. Sizes: 0"
        ),
        power=(
            "all cells copied: from 5 cells on with 5 runs, a std of 0.2 and two decimals, from 4 with one run on "
            "10,000 images at 90 %"
        ),
    ),
    "arithmetic": Check(
        question="Do numbers that other printed numbers determine follow from them?",
        false_alarms=(
            "0: all values that round to the printed ones; where the paper says about, up to half a unit "
            "more on each side is `cannot tell`"
        ),
        power="a slip of two units of the last digit in a difference of two numbers always",
    ),
}
