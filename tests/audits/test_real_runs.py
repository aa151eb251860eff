"""Numbers of simulated runs, rounded as papers do, are never called inconsistent by any check.

4,000 examples of each test with a t-test were run once; the suite runs 60.
"""

import math
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from convrepro.audits import audit, facts
from convrepro.audits.compactness import compact_factors
from convrepro.audits.differences import significance
from convrepro.audits.recomputation import factor, size
from convrepro.audits.student import sample
from convrepro.audits.subject import Subject
from convrepro.papers import Claim, PrintedComparison, PrintedNumber, PrintedTable

DATASETS = {"lfw": 756, "flowers102": 6149, "mit67": 1340, "cifar10": 10_000}
MODES = st.sampled_from([ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN])
SEEDS = st.integers(0, 2**32 - 1)


def _rounded(value: Fraction | float, decimals: int, mode: str) -> str:
    exact = Fraction(value)
    with localcontext(prec=60):
        return str((Decimal(exact.numerator) / exact.denominator).quantize(Decimal(1).scaleb(-decimals), rounding=mode))


def _significant(value: float, digits: int) -> str:
    """In the two styles of papers: 0.02 and 2e-2."""
    return (
        f"{value:.{digits - 1}e}" if value < 1e-3 else f"{value:.{max(0, digits - 1 - math.floor(math.log10(value)))}f}"
    )


def _subject(
    numbers: list[PrintedNumber], comparisons: list[PrintedComparison], claims: list[Claim], metric: str
) -> Subject:
    tables = {
        "t": PrintedTable(name="t", source="", metrics=(metric,), spread="std", selection="best_on_test", note="")
    }
    return Subject(
        paper="",
        tables=tables,
        numbers=tuple(numbers),
        comparisons=tuple(comparisons),
        claims=tuple(claims),
        whole=True,
    )


def _number(dataset: str, model: str, conv: str, metric: str, texts: dict[str, str], num_runs: int) -> PrintedNumber:
    return PrintedNumber(
        table="t",
        labels={"dataset": dataset, "model": model, "conv": conv},
        metric=metric,
        spread_kind="std",
        num_runs=num_runs,
        unit="%",
        misprint="",
        **{"printed_spread": "", "printed_best": "", **texts},
    )


def _print(
    counts: np.ndarray, num_images: int, *, is_error: bool, ddof: int, decimals: int, digits: int, mode: str
) -> dict[str, str]:
    shares = [Fraction(100 * int(count), num_images) for count in counts]
    values = [100 - share for share in shares] if is_error else shares
    std = float(np.std([float(value) for value in values], ddof=ddof))
    best = min(values) if is_error else max(values)
    return {
        "printed": _rounded(sum(values, Fraction(0)) / len(values), decimals, mode),
        "printed_spread": _significant(std, digits) if std > 0 else "0.0",
        "printed_best": _rounded(best, decimals, mode),
    }


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    dataset=st.sampled_from(sorted(DATASETS)),
    num_runs=st.integers(2, 10),
    rate=st.floats(0.55, 0.995),
    gap=st.floats(-0.02, 0.02),
    noise=st.floats(0.0, 0.02),
    is_error=st.booleans(),
    ddof=st.integers(0, 1),
    is_pooled=st.booleans(),
    decimals=st.integers(1, 3),
    digits=st.integers(1, 3),
    mode=MODES,
)
def test_two_methods_with_t_test(
    seed: int,
    dataset: str,
    num_runs: int,
    rate: float,
    gap: float,
    noise: float,
    is_error: bool,
    ddof: int,
    is_pooled: bool,
    decimals: int,
    digits: int,
    mode: str,
) -> None:
    """Accuracies of n runs each: binomial, with noise of training; means, stds, bests, t, p and the claim."""
    random = np.random.default_rng(seed)
    num_images, metric = DATASETS[dataset], "test_error" if is_error else "test_accuracy"
    rates = np.clip(np.array([[rate], [rate + gap]]) + random.normal(0.0, noise, (2, num_runs)), 0.0, 1.0)
    counts = random.binomial(num_images, rates)
    values = 100.0 * counts / num_images
    values = 100.0 - values if is_error else values
    assume(values.std(axis=1).max() > 0.0)
    summaries = [(float(row.mean()), float(row.std(ddof=1)), num_runs) for row in values]
    t, p = stats.ttest_ind_from_stats(*summaries[0], *summaries[1], equal_var=is_pooled)
    assume(math.isfinite(t) and p > 1e-90)
    texts = [
        _print(row, num_images, is_error=is_error, ddof=ddof, decimals=decimals, digits=digits, mode=mode)
        for row in counts
    ]
    numbers = [
        _number(dataset, "net", conv, metric, text, num_runs)
        for conv, text in zip(("mine", "standard"), texts, strict=True)
    ]
    labels = numbers[0].labels
    comparisons = [
        PrintedComparison(table="t", labels=labels, than=numbers[1].labels, metric=name, printed=printed, misprint="")
        for name, printed in (
            ("t_statistic", _rounded(float(t), 2, mode)),
            ("p_value", _significant(float(p), digits)),
        )
    ]
    first, second = (Decimal(number.printed) for number in numbers)
    kind = "lower" if first < second else "higher"
    claims = (
        [
            Claim(
                table="t",
                kind=kind,
                where={"dataset": dataset, "model": "net"},
                conv="mine",
                than="standard",
                source="",
            )
        ]
        if first != second
        else []
    )
    found = audit(_subject(numbers, comparisons, claims, metric))
    assert {finding.check for finding in found} >= {"difference", "t", "p", "p from t", "best", "attainable"}
    assert [finding for finding in found if finding.word == "inconsistent"] == []


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    num_cells=st.integers(3, 15),
    rate=st.floats(0.5, 0.99),
    num_runs=st.integers(2, 5),
    ddof=st.integers(0, 1),
)
def test_two_data_sets_of_equal_difficulty(seed: int, num_cells: int, rate: float, num_runs: int, ddof: int) -> None:
    """The worst case for copies: every network is equally good on both data sets; runs differ by 0.3 points."""
    random = np.random.default_rng(seed)
    numbers = []
    for dataset in ("cifar10", "cifar100"):
        for cell in range(num_cells):
            counts = random.binomial(10_000, np.clip(rate + random.normal(0.0, 0.003, num_runs), 0.0, 1.0))
            text = _print(counts, 10_000, is_error=True, ddof=ddof, decimals=2, digits=2, mode=ROUND_HALF_EVEN)
            numbers.append(_number(dataset, f"net{cell}", "standard", "test_error", text, num_runs))
    found = audit(_subject(numbers, [], [], "test_error"))
    assert "repeated" in {finding.check for finding in found}
    assert [finding for finding in found if finding.word == "inconsistent"] == []


@settings(max_examples=100, deadline=None)
@given(seed=SEEDS, num_images=st.integers(100, 9000), decimals=st.integers(1, 3), mode=MODES)
def test_losses_of_accuracy(seed: int, num_images: int, decimals: int, mode: str) -> None:
    counts = np.random.default_rng(seed).integers(num_images // 2, num_images + 1, 5)
    accuracies = [Fraction(100 * int(count), num_images) for count in counts]
    numbers = []
    for cell, accuracy in enumerate(accuracies):
        loss = "0." if cell == 0 else _rounded(accuracies[0] - accuracy, decimals, mode)
        assume(cell == 0 or Decimal(loss) != 0)
        for metric, printed in (("test_accuracy", _rounded(accuracy, decimals, mode)), ("accuracy_loss", loss)):
            numbers.append(_number("my_set", f"net{cell}", "acl", metric, {"printed": printed}, 1))
    found = audit(_subject(numbers, [], [], "test_accuracy"))
    assert sum(finding.check == "arithmetic" and finding.word == "consistent" for finding in found) == 4
    assert [finding for finding in found if finding.word == "inconsistent"] == []


@given(count=st.integers(1, 10**8), decimals=st.integers(0, 3), mode=MODES)
def test_sizes(count: int, decimals: int, mode: str) -> None:
    assert size(_rounded(Fraction(count, 10**6), decimals, mode), "M", [count]).word == "consistent"


@given(
    counts=st.lists(st.integers(0, 50), min_size=7, max_size=7).filter(any),
    kernel_size=st.sampled_from([3, 5, 7]),
    decimals=st.integers(1, 4),
    mode=MODES,
)
def test_compact_factors(counts: list[int], kernel_size: int, decimals: int, mode: str) -> None:
    parameters = facts.load()["analytic_kernels"]
    weights = {**parameters, "P": kernel_size**2}
    left = sum(weight * count for weight, count in zip(weights.values(), counts, strict=True))
    exact = 1 - Fraction(left, sum(counts) * kernel_size**2)
    arrangement = "".join(f"{name}{count}" for name, count in zip(weights, counts, strict=True))
    assume(sum(counts) > 1)
    attainable = compact_factors(arrangement, num_kernels=sum(counts), kernel_size=kernel_size, parameters=parameters)
    assert factor(_rounded(exact, decimals, mode), attainable).word == "consistent"


@settings(max_examples=60, deadline=None)
@given(
    seed=SEEDS,
    num_runs=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    ddof=st.integers(0, 1),
    is_pooled=st.booleans(),
)
def test_significance_that_the_authors_found(seed: int, num_runs: tuple[int, int], ddof: int, is_pooled: bool) -> None:
    """Unequal numbers of runs and unequal stds, where pooled and Welch part."""
    random = np.random.default_rng(seed)
    groups = [
        random.normal(90.0 + shift, std, n) for shift, std, n in zip((0.0, 0.6), (0.1, 0.6), num_runs, strict=True)
    ]
    p = stats.ttest_ind(*groups, equal_var=is_pooled).pvalue
    one, other = (sample(f"{group.mean():.2f}", f"{group.std(ddof=ddof):.1g}", len(group)) for group in groups)
    called = "significant" if p < 0.05 else "not significant"
    assert significance(one, other, claimed="", called=called).word != "inconsistent"
