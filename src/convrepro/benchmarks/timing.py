"""Pieces of work timed against each other where the machine's speed wanders."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_WARM_UPS = 3
_LEAST_SECONDS = 0.03  # of one measurement: a shorter one is mostly the noise of the machine


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Median and quartiles of measurements; of one measurement all three are its value."""

    low: float
    median: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Times of ``ours`` over those of ``theirs``, paired round by round.

    Args:
        our_times, their_times: seconds of one piece of work, one for each round.
    """

    our_times: Sequence[float]
    their_times: Sequence[float]

    @property
    def of_rounds(self) -> list[float]:
        return times_as_fast(self.their_times, than=self.our_times)

    @property
    def spread(self) -> Spread:
        return spread_of(self.of_rounds)

    @property
    def our_seconds(self) -> float:
        return statistics.median(self.our_times)

    @property
    def their_seconds(self) -> float:
        return statistics.median(self.their_times)


def times_as_fast(seconds: Sequence[float], *, than: Sequence[float]) -> list[float]:
    """How many times as fast as others one side is, round by round: their seconds over its own."""
    return [slower / own for own, slower in zip(seconds, than, strict=True)]


def spread_of(values: Sequence[float]) -> Spread:
    """Quartiles of at least one value, as ``statistics.quantiles`` has them; but of two values no further apart."""
    if len(values) == 1:
        return Spread(low=values[0], median=values[0], high=values[0])
    low, median, high = statistics.quantiles(values, n=4)
    return Spread(low=max(low, min(values)), median=median, high=min(high, max(values)))


def in_turn(
    contestants: Mapping[str, Callable[[], float]],
    *,
    rounds: int,
    warm_ups: int = 1,
    advance: Callable[[float], None] = lambda fraction: None,
) -> dict[str, list[float]]:
    """Runs every contestant once in every round, each round another one first, so that a slow spell hits all.

    Args:
        contestants: by name; each does its work once and returns the seconds that it took.
        rounds: that count, at least 2.
        warm_ups: rounds before them that do not.
        advance: called with the finished fraction after each piece of work.

    Returns:
        The seconds of each contestant, one for each round that counts.
    """
    if rounds < 2:
        raise ValueError(f"`rounds` must be at least 2, got {rounds}.")
    names, num_done = list(contestants), 0
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(warm_ups + rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            seconds[name].append(contestants[name]())
            num_done += 1
            advance(num_done / (len(names) * (warm_ups + rounds)))
    return {name: times[warm_ups:] for name, times in seconds.items()}


def interleaved(ours: Callable[[], object], theirs: Callable[[], object], *, rounds: int) -> Ratio:
    """Runs both in every round, the first of the two changing.

    Work of less than 30 ms is repeated within a measurement, as often on either side.

    Args:
        ours, theirs: the work.
        rounds: at least 2, after a few that are not counted.
    """
    if rounds < 2:
        raise ValueError(f"`rounds` must be at least 2, got {rounds}.")
    shortest = min(_seconds(work, 1) for _ in range(_WARM_UPS) for work in (ours, theirs))
    repeats = math.ceil(_LEAST_SECONDS / max(shortest, 1e-6))
    contestants = {"ours": lambda: _seconds(ours, repeats), "theirs": lambda: _seconds(theirs, repeats)}
    times = in_turn(contestants, rounds=rounds, warm_ups=0)
    return Ratio(our_times=times["ours"], their_times=times["theirs"])


def _seconds(work: Callable[[], object], repeats: int) -> float:
    """Of one piece of work, on average."""
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - started) / repeats
