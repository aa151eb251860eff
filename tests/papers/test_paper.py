from dataclasses import replace

import pytest

from convrepro.papers import Paper, PrintedComparison, PrintedNumber, load
from convrepro.papers.paper import ComparisonMetric, is_decimal, is_kernel_size


def number(printed: str, unit: str = "%", spread: str = "") -> PrintedNumber:
    return PrintedNumber(
        table="t",
        labels={"dataset": "d", "model": "m", "conv": "c"},
        metric="test_error",
        printed=printed,
        printed_spread=spread,
        spread_kind="std" if spread else "",
        num_runs=5,
        unit=unit,
        misprint="",
    )


@pytest.mark.parametrize(
    ("printed", "unit", "value", "half_unit"),
    [
        ("5.96", "%", 5.96, 0.005),
        ("5.9", "%", 5.9, 0.05),
        ("5.90", "%", 5.9, 0.005),  # the zero is information
        ("6", "%", 6.0, 0.5),
        ("0.14", "M", 140_000.0, 5_000.0),
        ("0.4742", "", 0.4742, 0.00005),
        ("1.", "", 1.0, 0.5),
        ("3.84", "GFLOPs", 3_840_000_000.0, 5_000_000.0),
        ("215", "us", 215.0, 0.5),
        ("0.167", "ms/img", 0.167, 0.0005),
        ("2.7e-4", "", 0.00027, 0.000005),
        ("9e-4", "", 0.0009, 0.00005),
        ("-2.19", "", -2.19, 0.005),
    ],
)
def test_digits_say_how_a_value_was_rounded(printed: str, unit: str, value: float, half_unit: float) -> None:
    assert number(printed, unit).value == value
    assert number(printed, unit).half_unit == half_unit


def test_a_spread_is_optional() -> None:
    assert number("5.96", spread="0.06").spread == 0.06
    assert number("5.96").spread is None


def test_how_a_spread_and_a_best_run_were_rounded() -> None:
    printed = replace(number("95.9", spread="0.09"), printed_best="96.06")
    assert (printed.best, printed.best_half_unit) == (96.06, 0.005)
    assert printed.spread_half_unit == 0.005
    plain = number("95.9")
    assert (plain.best, plain.best_half_unit, plain.spread_half_unit) == (None, None, None)


@pytest.mark.parametrize(
    ("metric", "printed", "value", "half_unit"),
    [
        ("t_statistic", "-2.19", -2.19, 0.005),
        ("p_value", "2.7e-4", 0.00027, 0.000005),
        ("best_kernel_size", "9x9", 9.0, 0.0),
    ],
)
def test_the_number_of_a_comparison(metric: ComparisonMetric, printed: str, value: float, half_unit: float) -> None:
    labels = {"dataset": "d", "model": "m", "conv": "c"}
    comparison = PrintedComparison(table="t", labels=labels, than=labels, metric=metric, printed=printed, misprint="")
    assert (comparison.value, comparison.half_unit) == (value, half_unit)


@pytest.mark.parametrize(
    ("text", "expected"), [("9x9", True), ("11x11", True), ("9x7", False), ("9", False), ("0x0", False)]
)
def test_is_kernel_size(text: str, expected: bool) -> None:
    assert is_kernel_size(text) is expected


@pytest.fixture(scope="module")
def dk_cnn() -> Paper:
    return load("dk_cnn")


def test_printed_needs_exactly_these_labels_in_whatever_order(dk_cnn: Paper) -> None:
    labels = {"conv": "dk", "model": "cnn4", "dataset": "fashion_mnist"}
    found = dk_cnn.printed("dk_table5", labels, "test_error")
    assert found is not None
    assert (found.printed, found.printed_spread) == ("5.86", "0.13")
    assert dk_cnn.printed("dk_table5", {**labels, "conv.points": "5"}, "test_error") is None
    assert dk_cnn.printed("dk_table7", labels, "test_error") is None
    assert dk_cnn.printed("dk_table5", labels, "num_parameters") is None


def test_citation(dk_cnn: Paper) -> None:
    assert dk_cnn.citation == "Liu et al., Neurocomputing 422 (2021) 95-108"


def test_citation_of_a_preprint_has_no_volume_and_no_pages(dk_cnn: Paper) -> None:
    preprint = replace(dk_cnn, journal="arXiv:0000.00000", volume=None, pages="")
    assert preprint.citation == "Liu et al., arXiv:0000.00000 (2021)"


def test_printed_labels(dk_cnn: Paper) -> None:
    assert dk_cnn.printed_labels("dk_table5", "conv") == ["standard", "dk", "dk_first"]
    assert dk_cnn.printed_labels("dk_table5", "conv.points") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.96", True),
        ("6", True),
        ("", False),
        (".", False),
        ("1.", True),
        ("2.7e-4", True),
        ("9e-4", True),
        ("-2.19", True),
        ("1e500", False),
        ("e4", False),
        ("--1", False),
        ("+1", False),
        ("1_0", False),
        ("nan", False),
        ("٣", False),
    ],
)
def test_is_decimal(text: str, expected: bool) -> None:
    assert is_decimal(text) is expected
