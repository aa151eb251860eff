import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from convrepro.statistics import (
    Summary,
    alike,
    between,
    has_no_effect,
    has_ratio,
    higher,
    lower,
    paired,
    rises,
    trend,
)

REFERENCE = Summary(n=5, mean=5.0, std=0.1)  # half-width against the same spread: 2.306 * 0.06325 = 0.1458


@pytest.mark.parametrize(
    ("mean", "word"),
    [(4.85, "holds"), (4.86, "undecided"), (5.0, "undecided"), (5.14, "undecided"), (5.15, "contradicted")],
)
def test_lower(mean: float, word: str) -> None:
    finding = lower(between(Summary(n=5, mean=mean, std=0.1), REFERENCE))
    assert finding.word == word
    assert finding.difference is not None
    assert finding.difference.estimate == pytest.approx(mean - 5.0)


@pytest.mark.parametrize("mean", [4.85, 4.86, 5.0, 5.14, 5.15])
def test_higher_is_lower_with_the_sides_exchanged(mean: float) -> None:
    ours = Summary(n=5, mean=mean, std=0.1)
    assert higher(between(ours, REFERENCE)).word == lower(between(REFERENCE, ours)).word


@pytest.mark.parametrize(
    ("mean", "margin", "word"),
    [(5.0, 0.12, "holds"), (5.0, 0.11, "undecided"), (5.1, 0.12, "undecided"), (5.3, 0.12, "contradicted")],
)
def test_alike_needs_evidence_of_absence(mean: float, margin: float, word: str) -> None:
    """Half-width of the 90 % interval: 1.860 * 0.06325 = 0.1176."""
    assert alike(between(Summary(n=5, mean=mean, std=0.1), REFERENCE), margin=margin).word == word


@pytest.mark.parametrize("poor", [None, Summary(n=1, mean=1.0), Summary(n=5, mean=math.nan, std=math.nan)])
def test_too_few_runs_decide_nothing(poor: Summary | None) -> None:
    assert between(poor, REFERENCE) is between(REFERENCE, poor) is None
    assert {lower(None).word, higher(None).word, alike(None, margin=1.0).word} == {"undecided"}
    assert has_ratio(poor, REFERENCE, low=0.5, high=2.0).word == "undecided"


@pytest.mark.parametrize(
    ("mean", "word"),
    [
        (5.7, "undecided"),  # 1.14, 90 % interval [1.108, 1.172]
        (5.85, "undecided"),  # 1.17, [1.144, 1.196]
        (6.0, "holds"),  # 1.2, [1.168, 1.232]
        (6.5, "holds"),
        (6.7, "undecided"),
        (7.2, "contradicted"),  # 1.44, 95 % interval [1.394, 1.486]
        (5.4, "contradicted"),
    ],
)
def test_a_ratio_within_bounds(mean: float, word: str) -> None:
    """At 1.2: standard error 1.2 * sqrt((0.0447 / 6)^2 + (0.0447 / 5)^2) = 0.0140; t is 1.87, the half-width 0.026."""
    finding = has_ratio(Summary(n=5, mean=mean, std=0.1), REFERENCE, low=1.15, high=1.35)
    assert finding.word == word
    assert finding.reason.startswith(f"ratio {mean / 5:.3f}, {95 if word == 'contradicted' else 90} % interval [")


def test_a_ratio_needs_positive_means() -> None:
    found = has_ratio(Summary(n=5, mean=0.0, std=0.1), REFERENCE, low=1.0, high=2.0)
    assert (found.word, found.reason) == ("undecided", "a ratio needs positive means")


def test_pairs_decide_where_the_spread_over_seeds_hides_a_difference() -> None:
    """Runs differ by 1 from seed to seed and by 0.1 within a seed."""
    ours = {seed: 5.0 + seed + noise for seed, noise in enumerate((0.0, 0.01, -0.01))}
    reference = {seed: 5.1 + seed for seed in range(4)}
    found = paired(ours, reference)
    assert lower(found).word == alike(found, margin=0.2).word == "holds"
    assert higher(found).word == "contradicted"
    assert lower(found).reason == "-0.1, 95 % interval [-0.125, -0.0752], paired by seed"  # 4.303 * 0.01 / sqrt(3)


def test_trend_of_one_group_agrees_with_linregress() -> None:
    xs, ys = [2.0, 2.0, 3.0, 4.0, 8.0], [28.0, 28.3, 28.1, 28.6, 29.0]
    scipys = scipy.stats.linregress(xs, ys)
    found = trend([list(zip(xs, ys, strict=True))])
    assert found is not None
    assert found.estimate == pytest.approx(scipys.slope * 6.0)  # over the axis, from 2 to 8
    assert found.standard_error == pytest.approx(scipys.stderr * 6.0)
    assert found.degrees_of_freedom == 3.0
    assert found.p_value == pytest.approx(scipys.pvalue)


def test_what_differs_between_groups_takes_no_part_in_the_trend() -> None:
    """Both groups rise by 1 per step; one lies 10 lower and further right: a common line would fall."""
    first = [(1.0, 10.0), (1.0, 10.2), (2.0, 11.0), (2.0, 11.2)]
    second = [(x + 1.0, y - 10.0) for x, y in first]
    found = trend([first, second])
    assert found is not None
    assert found.estimate == pytest.approx(2.0)  # slope 1 over [1, 3]
    assert found.degrees_of_freedom == 8 - 2 - 1


def test_rises() -> None:
    up = [(1.0, 5.0), (2.0, 5.6), (3.0, 5.9), (4.0, 6.6)]
    assert rises([up]).word == "holds"
    assert rises([[(-x, y) for x, y in up]]).word == "contradicted"
    assert rises([[(1.0, 5.0), (2.0, 6.0), (3.0, 5.0), (4.0, 6.0)]]).word == "undecided"


def test_no_effect_needs_evidence_of_absence() -> None:
    flat = [(x, 5.0 + noise) for x in (1.0, 2.0, 3.0, 4.0) for noise in (-0.1, 0.1)]
    assert has_no_effect([flat], margin=0.3).word == "holds"
    assert has_no_effect([flat], margin=0.1).word == "undecided"  # not significant, yet not excluded either
    steep = [(x, y + x) for x, y in flat]
    assert has_no_effect([steep], margin=0.3).word == "contradicted"


@pytest.mark.parametrize(
    "series",
    [
        [],
        [[]],
        [[(1.0, 5.0), (1.0, 5.1), (1.0, 5.2)]],  # one axis value
        [[(1.0, 5.0), (2.0, 5.1)]],  # no residual left
        [[(1.0, 5.0), (2.0, math.nan), (3.0, 5.0), (4.0, 5.0)]],
    ],
)
def test_too_little_for_a_trend(series: list[list[tuple[float, float]]]) -> None:
    assert trend(series) is None
    assert rises(series).word == has_no_effect(series, margin=1.0).word == "undecided"


@given(
    st.lists(st.tuples(st.integers(1, 8), st.floats(20.0, 30.0)), min_size=3, max_size=12),
    st.randoms(use_true_random=False),
)
def test_order_does_not_matter(pairs: list[tuple[int, float]], random: object) -> None:
    runs = [(float(x), y) for x, y in pairs]
    shuffled = list(runs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert trend([shuffled]) == trend([runs])
