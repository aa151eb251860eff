"""Can a printed accuracy be a number of correct images over the number of images?

The GRIM test (Brown and Heathers, Social Psychological and Personality Science 8 (2017) 363-369): the mean of n runs on
N images is k / (n N) for a whole k. Errors are 100 - accuracy, and attainable where accuracies are.
"""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor, gcd

from convrepro.audits.finding import Judgement
from convrepro.audits.rounding import bounds, decimals, unit


def attainable(printed: str, *, num_images: int, num_runs: int = 1) -> bool:
    """Whether k / (num_images num_runs), in percent, rounds to the printed digits for some whole k.

    Raises:
        ValueError: if a number of images or runs is less than 1.
    """
    total = _total(num_images, num_runs)
    low, high = (bound * total / 100 for bound in bounds(printed))
    return max(0, ceil(low)) <= min(total, floor(high))


def attainable_share(num_decimals: int, *, num_images: int, num_runs: int = 1) -> float:
    """Share of the values from 0 to 100 with so many decimals that are attainable; 1 minus it is the test's power.

    That power holds for a value that is wrong in its last digits: then any of its neighbours is as likely.
    """
    return _share(num_decimals, _total(num_images, num_runs))


def grim(printed: str, *, num_images: int, num_runs: int | None) -> Judgement:
    """Judges a printed accuracy or error in percent.

    Args:
        num_runs: 1 for a single or best run; None if it is not printed: then only an attainable value is judged.
    """
    runs = num_runs or 1
    total = num_images * runs
    share = attainable_share(decimals(printed), num_images=num_images, num_runs=runs)
    of = f"{num_images:,} images" + (f" x {runs} runs" if runs > 1 else "")
    if share == 1.0:
        return Judgement(word="cannot tell", arithmetic=f"{printed} of {of}: every printable value is attainable")
    power = f"{1.0 - share:.0%}".replace("%", " %")
    value = Fraction(Decimal(printed))
    target = value * total / 100
    below, above = floor(target), ceil(target)
    if attainable(printed, num_images=num_images, num_runs=runs):
        nearest = round(target)
        arithmetic = (
            f"{nearest:,} of {of} are {_percent(nearest, total, decimals(printed))}; a wrong value fails in {power}"
        )
        return Judgement(word="consistent", arithmetic=arithmetic)
    neighbours = ", ".join(f"{count:,} are {_percent(count, total, decimals(printed))}" for count in (below, above))
    text = f"no number of {of} gives {printed}: {neighbours}; a wrong value fails in {power}"
    if above <= total and Fraction(100 * above, total) < value + unit(printed):
        text += f"; {above:,} would, were further digits cut off instead of rounded"
    if num_runs is None:
        return Judgement(word="cannot tell", arithmetic=f"{text}; the number of runs is not printed")
    return Judgement(word="inconsistent", arithmetic=text)


def _share(num_decimals: int, total: int) -> float:
    steps: int = 100 * 10**num_decimals  # between the printable values
    if total >= steps:
        return 1.0
    # Each of the total + 1 fractions has a printable value of its own, or two where it lies half-way between them:
    # k steps / total ends in a half for one k in a period of total / gcd, if that is even.
    common = gcd(steps, total)
    halves = common if total // common % 2 == 0 else 0
    return (total + 1 + halves) / (steps + 1)


def _total(num_images: int, num_runs: int) -> int:
    if num_images < 1 or num_runs < 1:
        raise ValueError(f"images and runs must be at least 1, got {num_images} and {num_runs}.")
    return num_images * num_runs


def _percent(count: int, total: int, num_decimals: int) -> str:
    return f"{100 * count / total:.{num_decimals + 2}f}"
