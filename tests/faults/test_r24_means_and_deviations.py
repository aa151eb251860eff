"""R24: means and deviations to the last digit, whatever the order, and of a kind that every output names."""

import math
import random
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from tests.faults.invented_tables import RECORDS, TABLE

from convrepro import reporting
from convrepro.statistics import summarize
from convrepro.tables import build

Figure = Callable[[int, int], int]
KINDS: dict[str, Callable[[random.Random], float]] = {
    "percentages of two digits": lambda numbers: round(numbers.uniform(0, 100), 2),
    "seeds that nearly agree": lambda numbers: 94.0 + numbers.gauss(0.0, 0.2),
    "a small spread on a large offset": lambda numbers: 1e8 + numbers.random(),
    "a tiny spread on a large offset": lambda numbers: 1e8 + 1e-6 * numbers.random(),
    "values whose squares underflow": lambda numbers: 1e-200 * numbers.random(),
    "denormal numbers": lambda numbers: 5e-324 * numbers.randrange(1, 1000),
    "forty orders of magnitude": lambda numbers: 10.0 ** numbers.uniform(-20.0, 20.0),
}


def _numpy(values: Sequence[float]) -> tuple[float, float | None]:
    """numpy's mean and deviation in exact arithmetic, rounded once; the root has 400 digits before that."""
    exact = np.array([Fraction(value) for value in values], dtype=object)
    if len(values) == 1:
        return float(np.mean(exact)), None
    variance = np.var(exact, ddof=1)
    context = Context(prec=400)
    root = context.sqrt(context.divide(Decimal(variance.numerator), Decimal(variance.denominator)))
    return float(np.mean(exact)), float(root)


@pytest.mark.parametrize("kind", KINDS)
def test_both_are_numpys_exact_ones_rounded_once(kind: str, figure: Figure) -> None:
    """0 ulp, where 1 ulp would do."""
    numbers = random.Random(kind)
    for _ in range(figure(2, 20)):
        for n in (1, 2, 3, 5, 8, 10, 30, 100, 1000):
            values = [KINDS[kind](numbers) for _ in range(n)]
            ours = summarize(values)
            assert (ours.mean, ours.std) == _numpy(values)


@pytest.mark.parametrize("kind", ["percentages of two digits", "seeds that nearly agree"])
def test_what_tables_hold_is_what_numpy_says_in_floats(kind: str, figure: Figure) -> None:
    """But for its own errors, as it rounds every addition: up to 3 ulp in the mean of 8 runs, 2 in the deviation."""
    numbers = random.Random(kind)
    for _ in range(figure(200, 5000)):
        values = [KINDS[kind](numbers) for _ in range(numbers.randint(2, 8))]
        ours = summarize(values)
        assert ours.std is not None
        assert abs(ours.mean - float(np.mean(values))) <= 4 * math.ulp(ours.mean)
        assert abs(ours.std - float(np.std(values, ddof=1))) <= 3 * math.ulp(ours.std)


def test_in_floats_numpy_loses_a_spread_on_a_large_offset() -> None:
    """Which is why the deviation is not computed in floats: 1e8 has steps of 1.5e-8."""
    values = [1e8, 1e8 + 2**-26, 1e8 + 2**-26]  # deviation 2^-26 / sqrt(3)
    ours = summarize(values)
    assert ours.std == pytest.approx(2**-26 / math.sqrt(3), rel=1e-15)
    assert abs(float(np.std(values, ddof=1)) - ours.std) > 0.1 * ours.std


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_runs_does_not_matter(kind: str) -> None:
    numbers = random.Random(kind)
    values = [KINDS[kind](numbers) for _ in range(200)]
    whole = summarize(values)
    for _ in range(10):
        numbers.shuffle(values)
        assert summarize(values) == whole


def test_a_deviation_that_is_no_float_is_infinite() -> None:
    ours = summarize([1.7e308, -1.7e308])
    assert (ours.mean, ours.std) == (0.0, math.inf)
    assert not ours.is_finite


def test_every_output_names_the_kind_of_spread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the CSV file by its column ``std``, beside that of the paper, ``spread_kind``."""
    built = build(TABLE, RECORDS, None)
    paths = reporting.write_all(built, tmp_path)
    reporting.show(built)
    texts = {ending: path.read_text() for ending, path in paths.items() if ending not in ("csv", "png")}
    for text in (*texts.values(), capsys.readouterr().out):
        assert "sample standard deviation" in " ".join(text.split())
    assert texts.keys() == {"md", "tex", "html"}
    header = paths["csv"].read_text().partition("\n")[0].split(",")
    assert {"mean", "std", "n", "spread_kind"} <= set(header)
