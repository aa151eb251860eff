"""Two pieces of work timed against each other where the machine's speed wanders."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

_WARM_UPS = 3


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Times of ``ours`` over those of ``theirs``, paired round by round.

    Args:
        median, low, high: of the ratios; low and high are the quartiles.
        our_seconds, their_seconds: medians.
    """

    median: float
    low: float
    high: float
    our_seconds: float
    their_seconds: float


def interleaved(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> Ratio:
    """Runs both in every round, the first of the two changing, so that a slow spell of the machine hits both.

    Args:
        ours, theirs: the work.
        rounds: at least 2, after a few that are not counted.
    """
    if rounds < 2:
        raise ValueError(f"`rounds` must be at least 2, got {rounds}.")
    our_times, their_times = [], []
    for number in range(-_WARM_UPS, rounds):
        if number % 2:
            their_time, our_time = _seconds(theirs), _seconds(ours)
        else:
            our_time, their_time = _seconds(ours), _seconds(theirs)
        if number >= 0:
            our_times.append(our_time)
            their_times.append(their_time)
    ratios = [our / their for our, their in zip(our_times, their_times, strict=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return Ratio(
        median=median,
        low=low,
        high=high,
        our_seconds=statistics.median(our_times),
        their_seconds=statistics.median(their_times),
    )


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
