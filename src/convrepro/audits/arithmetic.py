"""Do printed numbers follow from other printed ones?"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from convrepro.audits.finding import Judgement
from convrepro.audits.rounding import Interval, rounded, unit

Operation = Literal["difference", "sum", "ratio", "percent"]
SIGNS: Mapping[Operation, str] = {"difference": " - ", "sum": " + ", "ratio": " / ", "percent": " / "}


def follows(
    printed: str, operation: Operation, operands: Sequence[str], *, about: bool = False, whole: bool = False
) -> Judgement:
    """Whether a printed number is the result of an operation on printed numbers, for some that round to them.

    Args:
        operation: ``difference`` takes all others from the first, ``percent`` is 100 times the ratio of two.
        about: whether the paper says "about": then up to half a unit of its last digit more on each side is
            ``cannot tell``.
        whole: whether the operands are counts, which nothing was rounded in.

    Raises:
        ValueError: if the operation is unknown, or a ratio is not one of two positive numbers.
    """
    result = _apply(operation, [_exact(operand) if whole else rounded(operand) for operand in operands])
    target, half = rounded(printed), float(unit(printed)) / 2
    shown = f"{result.low:g}" if result.low == result.high else f"{result.low:.4g} to {result.high:.4g}"
    times = "100 x " if operation == "percent" else ""
    text = f"{times}{SIGNS[operation].join(operands)} is {shown}, printed {printed}"
    if about:
        text += " (about)"
    if result.overlaps(target):
        return Judgement(word="consistent", arithmetic=text)
    if about and result.overlaps(Interval(target.low - half, target.high + half)):
        return Judgement(word="cannot tell", arithmetic=f"{text}: near it, but nothing in this range rounds to it")
    return Judgement(word="inconsistent", arithmetic=text)


def _apply(operation: Operation, operands: Sequence[Interval]) -> Interval:
    if operation not in get_args(Operation):
        raise ValueError(f"the operation must be one of {', '.join(get_args(Operation))}, got {operation!r}.")
    result = operands[0]
    if operation in ("ratio", "percent"):
        if len(operands) != 2 or min(side.low for side in operands) <= 0.0:
            raise ValueError("a ratio must be one of two positive numbers.")
        ratio = Interval(result.low / operands[1].high, result.high / operands[1].low)
        return ratio.scaled(100.0) if operation == "percent" else ratio
    for operand in operands[1:]:
        result = result - operand if operation == "difference" else result + operand
    return result


def _exact(printed: str) -> Interval:
    return Interval(float(printed), float(printed))
