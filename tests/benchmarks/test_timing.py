import pytest

from convrepro.benchmarks import interleaved, timing
from convrepro.benchmarks.timing import in_turn, spread_of, times_as_fast


class Clock:
    """Time passes only where work is done."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order: list[str] = []

    def work(self, name: str, seconds: list[float]) -> None:
        self.order.append(name)
        self.now += seconds.pop(0)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: found.now)
    return found


def test_ratio_is_the_median_of_the_rounds_own_ratios(clock: Clock) -> None:
    """Rounds 2/1, 30/10, 4/4: ratios 2, 3, 1. The ratio of the medians would be 4/4 = 1."""
    ours, theirs = [9.0, 9.0, 9.0, 2.0, 30.0, 4.0], [9.0, 9.0, 9.0, 1.0, 10.0, 4.0]
    ratio = interleaved(lambda: clock.work("ours", ours), lambda: clock.work("theirs", theirs), rounds=3)
    assert (ratio.spread.low, ratio.spread.median, ratio.spread.high) == (1.0, 2.0, 3.0)
    assert ratio.of_rounds == [2.0, 3.0, 1.0]
    assert (ratio.our_seconds, ratio.their_seconds) == (4.0, 4.0)


def test_first_of_the_two_changes_from_round_to_round(clock: Clock) -> None:
    seconds = [1.0] * 40
    interleaved(lambda: clock.work("ours", seconds), lambda: clock.work("theirs", seconds), rounds=4)
    firsts = clock.order[::2]
    assert firsts[-4:] in (["ours", "theirs"] * 2, ["theirs", "ours"] * 2)


def test_short_work_is_repeated_and_its_time_is_that_of_one(clock: Clock) -> None:
    """30 ms are three times the 10 ms of the shorter one."""
    ratio = interleaved(lambda: clock.work("ours", [0.020]), lambda: clock.work("theirs", [0.010]), rounds=2)
    assert clock.order[-3:] in (["ours"] * 3, ["theirs"] * 3)
    assert (ratio.spread.median, ratio.our_seconds, ratio.their_seconds) == pytest.approx((2.0, 0.020, 0.010))


def test_one_round_has_no_quartiles() -> None:
    with pytest.raises(ValueError, match="`rounds` must be at least 2, got 1"):
        interleaved(lambda: None, lambda: None, rounds=1)


def test_every_contestant_is_first_in_turn() -> None:
    order: list[str] = []
    contestants = {name: lambda name=name: float(len(order.append(name) or order)) for name in "abc"}
    seconds = in_turn(contestants, rounds=3, warm_ups=1)
    assert "".join(order) == "abc" + "bca" + "cab" + "abc"
    assert seconds == {"a": [6.0, 8.0, 10.0], "b": [4.0, 9.0, 11.0], "c": [5.0, 7.0, 12.0]}


def test_progress_of_turns_counts_the_warm_up() -> None:
    told: list[float] = []
    in_turn({"a": lambda: 1.0, "b": lambda: 1.0}, rounds=3, warm_ups=1, advance=told.append)
    assert told == pytest.approx([1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1.0])


def test_times_as_fast_is_their_seconds_over_its_own() -> None:
    assert times_as_fast([2.0, 4.0], than=[6.0, 2.0]) == [3.0, 0.5]


def test_quartiles_of_few_values_stay_among_them() -> None:
    """statistics.quantiles extrapolates two values: 1 and 2 to quartiles 0.75 and 2.25."""
    two, one = spread_of([2.0, 1.0]), spread_of([3.0])
    assert (two.low, two.median, two.high) == (1.0, 1.5, 2.0)
    assert (one.low, one.median, one.high) == (3.0, 3.0, 3.0)
