"""Do printed t and p follow from printed means and stds, and p from t?"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from convrepro.audits.finding import Judgement
from convrepro.audits.rounding import Interval, cut_off, rounded, rounded_size
from convrepro.audits.student import Reading, Sample, df_range, p_range, readings, t_range


def t_from_means(first: Sample, second: Sample, printed_t: str) -> Judgement:
    """Whether some means and stds that round to the printed ones give a |t| that rounds to the printed one."""
    return _judge(
        _per_reading(lambda reading: t_range(first, second, reading)),
        f"|t| from {first.text} against {second.text}",
        rounded(printed_t).magnitude,
        cut_off(printed_t).magnitude,
        printed_t,
    )


def p_from_means(first: Sample, second: Sample, printed_p: str) -> Judgement:
    """Whether the outer bounds of the two-sided p from the printed means and stds reach the printed one."""
    return _judge(
        _per_reading(
            lambda reading: p_range(t_range(first, second, reading), df_range(first, second, reading)),
        ),
        f"p from {first.text} against {second.text}",
        rounded_size(printed_p),
        cut_off(printed_p),
        printed_p,
    )


def p_from_t(first: Sample, second: Sample, printed_t: str, printed_p: str) -> Judgement:
    """Whether some t that rounds to the printed one gives the printed p; the samples give the degrees of freedom."""
    t = rounded(printed_t).magnitude
    return _judge(
        _per_reading(lambda reading: p_range(t, df_range(first, second, reading))),
        f"p from t = {printed_t}",
        rounded_size(printed_p),
        cut_off(printed_p),
        printed_p,
    )


@dataclass(frozen=True, kw_only=True)
class PrintedTest:
    """A printed t-test; empty texts for what is not printed."""

    first: Sample
    second: Sample
    t: str
    p: str


def common_reading(tests: Sequence[PrintedTest]) -> Judgement:
    """Which readings give all the tests of a table, with p rounded or cut off.

    Never ``inconsistent``: a table need not have been computed in one way.
    """
    fitting = [reading for reading in readings() if all(_fits(test, reading) for test in tests)]
    text = f"{len(tests)} tests follow from one reading: {_names(fitting)}"
    if fitting:
        return Judgement(word="consistent", arithmetic=text)
    return Judgement(word="cannot tell", arithmetic=f"no one reading gives all {len(tests)} tests")


def _fits(test: PrintedTest, reading: Reading) -> bool:
    t, df = t_range(test.first, test.second, reading), df_range(test.first, test.second, reading)
    fits = True
    if test.t:
        printed_t = rounded(test.t).magnitude
        fits = t.overlaps(printed_t)
        t = printed_t
    if test.p:
        fits = fits and p_range(t, df).overlaps(rounded_size(test.p).hull(cut_off(test.p)))
    return fits


def _per_reading(attainable: Callable[[Reading], Interval]) -> list[tuple[Reading, Interval]]:
    return [(reading, attainable(reading)) for reading in readings()]


def _judge(
    found: Sequence[tuple[Reading, Interval]], what: str, printed: Interval, cut: Interval, digits: str
) -> Judgement:
    ranges: dict[str, list[Reading]] = {}
    for reading, interval in found:
        ranges.setdefault(str(interval), []).append(reading)
    text = f"{what}: " + ", ".join(f"{interval} ({_names(group)})" for interval, group in ranges.items())
    fitting = [reading for reading, interval in found if interval.overlaps(printed)]
    text += f"; printed {digits}"
    if fitting:
        return Judgement(word="consistent", arithmetic=f"{text}, as by {_names(fitting)}")
    dropped = any(interval.overlaps(cut) for _, interval in found)
    hint = "; it would be, were further digits cut off instead of rounded" if dropped else ""
    return Judgement(word="inconsistent", arithmetic=f"{text} is outside all of them{hint}")


def _names(group: Iterable[Reading]) -> str:
    """Readings in few words: what they differ in."""
    there = list(group)
    if len(there) == 4:
        return "any reading"
    tests, ddofs = {reading.test for reading in there}, {reading.ddof for reading in there}
    if len(there) == len(tests) * len(ddofs):
        if len(tests) == 2:
            return f"std by {'n - 1' if ddofs == {1} else 'n'}"
        if len(ddofs) == 2:
            return tests.pop()
    return "; ".join(map(str, there))
