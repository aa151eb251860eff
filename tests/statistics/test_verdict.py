import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrepro.statistics import (
    Circumstances,
    Summary,
    Verdict,
    difference,
    judge_exact,
    judge_mean,
    seeds_to_decide,
)
from convrepro.statistics.verdict import decide

FIVE = Circumstances(num_seeds=5)
# Standard error sqrt(0.1^2 / 5 + 0.1^2 / 5) = 0.06325, 8 degrees of freedom; t(90 %) = 1.860 and t(95 %) = 2.306
# give the half-widths 0.1176 and 0.1458.
PRINTED = Summary(n=5, mean=5.00, std=0.10)


def ours(mean: float) -> Summary:
    return Summary(n=5, mean=mean, std=0.10)


def judge(mean: float, *, margin: float = 0.3, rounding: float = 0.005) -> Verdict:
    return judge_mean(ours(mean), PRINTED, margin=margin, rounding=rounding, given=FIVE)


def test_reproduced_where_the_90_percent_interval_lies_within_the_margin() -> None:
    assert judge(5.177).word == "reproduced"  # 0.177 + 0.1176 + 0.005 = 0.2996


def test_not_reproduced_just_beyond() -> None:
    assert judge(5.178).word == "differs"  # 0.178 + 0.1176 + 0.005 = 0.3006, and 0.178 - 0.1458 > 0.005


def test_differs_needs_an_interval_without_zero() -> None:
    assert judge(5.151, margin=0.1).word == "differs"  # 0.151 - 0.1458 - 0.005 > 0
    assert judge(5.150, margin=0.1).word == "inconclusive"  # 0.150 - 0.1458 - 0.005 < 0


def test_reproduced_wins_over_a_small_but_certain_difference() -> None:
    verdict = judge(5.17)
    assert verdict.word == "reproduced"
    assert verdict.reason.endswith("though the 95 % interval [+0.0242, +0.316] excludes zero")


def test_what_only_rounding_decides_is_inconclusive_and_says_so() -> None:
    verdict = judge(5.18, margin=0.3)  # 0.18 + 0.1176 lies within 0.3 for 5.00 but not for 4.995
    assert verdict.word == "differs"
    verdict = judge(5.148, margin=0.1)  # 0.148 - 0.1458 > 0 for 5.00, but 5.005 rounds to it too
    assert verdict.word == "inconclusive"
    assert verdict.reason.endswith("it hangs on the rounding of the printed value")
    assert judge(5.148, margin=0.1, rounding=0.0).word == "differs"


def test_an_inconclusive_cell_says_how_many_seeds_would_decide() -> None:
    wide = Summary(n=5, mean=5.0, std=0.5)
    verdict = judge_mean(wide, PRINTED, margin=0.3, rounding=0.0, given=FIVE)
    more = seeds_to_decide(wide, PRINTED, margin=0.3)
    assert more is not None
    assert verdict == Verdict(
        word="inconclusive", reason=f"{more} more seeds would decide, if mean and deviation stay as they are"
    )
    for n, word in ((5 + more - 1, "inconclusive"), (5 + more, "reproduced")):
        assert decide(difference(Summary(n=n, mean=5.0, std=0.5), PRINTED), margin=0.3) == word


def test_a_cell_that_the_papers_spread_keeps_open_for_ever() -> None:
    """However many seeds we run, t(90 %, 4) * 0.5 / sqrt(5) = 0.48 of the paper's own uncertainty stays."""
    theirs = Summary(n=5, mean=5.0, std=0.5)
    assert seeds_to_decide(ours(5.0), theirs, margin=0.3) is None
    verdict = judge_mean(ours(5.0), theirs, margin=0.3, rounding=0.005, given=FIVE)
    assert verdict.reason.startswith("more than 1000 more seeds would be needed")


def test_against_a_printed_mean_alone() -> None:
    printed = Summary(n=1, mean=5.0)  # t(90 %, 4) * 0.1 * sqrt(1/5 + 1) = 2.132 * 0.1095 = 0.2335
    assert judge_mean(ours(5.06), printed, margin=0.3, rounding=0.005, given=FIVE).word == "reproduced"
    assert judge_mean(ours(5.07), printed, margin=0.3, rounding=0.005, given=FIVE).word == "inconclusive"


def test_missing_seeds() -> None:
    given = Circumstances(num_seeds=5, problems=["seed 3 diverged: loss is nan"])
    four = Summary(n=4, mean=5.0, std=0.1)
    verdict = judge_mean(four, PRINTED, margin=0.3, rounding=0.0, given=given)
    assert verdict == Verdict(word="incomplete", reason="n=4/5; seed 3 diverged: loss is nan")


@pytest.mark.parametrize("std", [None, 0.1])
def test_no_runs_or_one_run_never_pass(std: float | None) -> None:
    printed = Summary(n=5, mean=5.0, std=0.1) if std else Summary(n=5, mean=5.0)
    for runs in (None, Summary(n=1, mean=5.0)):
        verdict = judge_mean(runs, printed, margin=9.0, rounding=0.0, given=Circumstances(num_seeds=1))
        assert verdict.word == "incomplete"


@pytest.mark.parametrize(("mean", "std"), [(math.nan, math.nan), (5.0, math.nan), (math.inf, 0.1)])
def test_what_is_not_finite_never_passes(mean: float, std: float) -> None:
    verdict = judge_mean(Summary(n=5, mean=mean, std=std), PRINTED, margin=9.0, rounding=0.0, given=FIVE)
    assert verdict == Verdict(word="incomplete", reason="not finite")


def test_obstacles_make_it_not_comparable_however_close() -> None:
    given = Circumstances(num_seeds=5, obstacles=["scaled", "other data"])
    verdict = judge_mean(ours(5.0), PRINTED, margin=0.3, rounding=0.0, given=given)
    assert verdict == Verdict(word="not comparable", reason="scaled; other data")


def test_a_misprint_is_no_evidence_even_if_it_agrees() -> None:
    given = Circumstances(num_seeds=5, misprint="copied")
    verdict = judge_mean(ours(5.0), PRINTED, margin=0.3, rounding=0.0, given=given)
    assert verdict == Verdict(word="misprint", reason="copied")


def test_no_printed_value() -> None:
    assert judge_mean(ours(5.0), None, margin=0.3, rounding=0.0, given=FIVE).word == "no printed value"
    short = Circumstances(num_seeds=6, obstacles=["scaled"])
    assert judge_mean(ours(5.0), None, margin=0.3, rounding=0.0, given=short).word == "incomplete"


def test_no_spread_is_said() -> None:
    still = Summary(n=5, mean=5.0, std=0.0)
    verdict = judge_mean(still, still, margin=0.3, rounding=0.005, given=FIVE)
    assert verdict.word == "reproduced"
    assert verdict.reason.endswith("no spread on either side, so the interval is a point")


@pytest.mark.parametrize("name", ["margin", "rounding"])
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_margin_and_rounding_out_of_range(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be finite and not negative"):
        judge_mean(ours(5.0), PRINTED, given=FIVE, **{"margin": 0.3, "rounding": 0.0, name: value})


@given(
    st.floats(min_value=4.0, max_value=6.0),
    st.floats(min_value=0.0, max_value=1.0),
    st.floats(min_value=0.0, max_value=1.0),
)
def test_a_wider_margin_never_loses_reproduced(mean: float, margin: float, more: float) -> None:
    if judge(mean, margin=margin).word == "reproduced":
        assert judge(mean, margin=margin + more).word == "reproduced"


@given(st.floats(min_value=4.0, max_value=6.0), st.floats(min_value=0.0, max_value=1.0))
def test_the_word_does_not_depend_on_the_sign(mean: float, margin: float) -> None:
    there, back = difference(ours(mean), PRINTED), difference(PRINTED, ours(mean))
    assert decide(there, margin=margin) == decide(back, margin=margin)


@pytest.mark.parametrize(
    ("count", "word"),
    [
        (143_050, "reproduced"),
        (135_000, "reproduced"),  # a tie rounds either way
        (145_000, "reproduced"),
        (134_999, "differs"),
        (145_001, "differs"),
    ],
)
def test_a_count_must_round_to_the_printed_one(count: int, word: str) -> None:
    """0.14M stands for every count from 135,000 to 145,000."""
    found = judge_exact(Summary(n=1, mean=count), 140_000.0, half_unit=5000.0, given=Circumstances(num_seeds=1))
    assert found.word == word


@pytest.mark.parametrize(
    ("factor", "word"),
    [
        (0.4741709184, "reproduced"),
        (0.47415, "reproduced"),  # a tie rounds either way, whatever its binary rounding
        (0.47425, "reproduced"),
        (0.4741499, "differs"),
        (0.4742501, "differs"),
    ],
)
def test_a_factor_must_round_to_the_printed_one(factor: float, word: str) -> None:
    """0.4742 stands for every factor from 0.47415 to 0.47425."""
    found = judge_exact(Summary(n=1, mean=factor), 0.4742, half_unit=0.00005, given=Circumstances(num_seeds=1))
    assert found.word == word


def test_binary_rounding_does_not_break_a_tie() -> None:
    """In binary, 0.0002 - 0.00015 exceeds 0.00005 by 2e-20."""
    found = judge_exact(Summary(n=1, mean=0.00015), 0.0002, half_unit=0.00005, given=Circumstances(num_seeds=1))
    assert found.word == "reproduced"


@pytest.mark.parametrize(
    ("ours", "printed", "half_unit", "reason"),
    [
        (149_898, 140_000, 5_000, "149,898 does not round to the printed 140,000"),
        (4_089_184_256, 3.84e9, 5e6, "4,089,184,256 does not round to the printed 3,840,000,000"),
        (0.4741709184, 0.4743, 0.00005, "0.474171 does not round to the printed 0.4743"),
    ],
)
def test_both_values_are_said_in_full(ours: float, printed: float, half_unit: float, reason: str) -> None:
    found = judge_exact(Summary(n=1, mean=ours), printed, half_unit=half_unit, given=Circumstances(num_seeds=1))
    assert found == Verdict(word="differs", reason=reason)


def test_exact_values_that_disagree_among_runs_never_pass() -> None:
    two = Circumstances(num_seeds=2)
    counts, factors = Summary(n=2, mean=140_000.0, std=1414.2), Summary(n=2, mean=0.5, std=0.125)
    assert judge_exact(counts, 140_000.0, half_unit=5000.0, given=two).word == "differs"
    assert judge_exact(factors, 0.5, half_unit=0.05, given=two) == Verdict(
        word="differs", reason="the runs disagree among themselves, deviation 0.125"
    )


def test_a_count_without_runs_is_incomplete() -> None:
    assert judge_exact(None, 140_000.0, half_unit=5000.0, given=Circumstances(num_seeds=1)).word == "incomplete"


def test_no_run_at_all_is_incomplete_whatever_stands_in_the_way() -> None:
    given = Circumstances(num_seeds=2, obstacles=["scaled"])
    theirs = Summary(n=5, mean=90.0, std=0.1)
    assert judge_mean(None, theirs, margin=0.3, rounding=0.005, given=given).word == "incomplete"
