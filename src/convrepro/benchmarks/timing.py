"""Two pieces of work timed against each other where the machine's speed wanders."""

import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

_WARM_UPS = 3
_LEAST_SECONDS = 0.03  # of one measurement: a shorter one is mostly the noise of the machine


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Times of ``ours`` over those of ``theirs``, paired round by round.

    Args:
        median, low, high: of the ratios; low and high are the quartiles.
        our_seconds, their_seconds: medians, of one piece of work.
    """

    median: float
    low: float
    high: float
    our_seconds: float
    their_seconds: float


def interleaved(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> Ratio:
    """Runs both in every round, the first of the two changing, so that a slow spell of the machine hits both.

    Work of less than 30 ms is repeated within a measurement, as often on either side.

    Args:
        ours, theirs: the work.
        rounds: at least 2, after a few that are not counted.
    """
    if rounds < 2:
        raise ValueError(f"`rounds` must be at least 2, got {rounds}.")
    shortest = min(_seconds(work, 1) for _ in range(_WARM_UPS) for work in (ours, theirs))
    repeats = math.ceil(_LEAST_SECONDS / max(shortest, 1e-6))
    our_times, their_times = [], []
    for number in range(rounds):
        if number % 2:
            their_time, our_time = _seconds(theirs, repeats), _seconds(ours, repeats)
        else:
            our_time, their_time = _seconds(ours, repeats), _seconds(theirs, repeats)
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


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Of one piece of work, on average."""
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - started) / repeats
