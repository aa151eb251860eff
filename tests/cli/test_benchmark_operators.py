"""``convrepro benchmark-operators``."""

import csv
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from convrepro import benchmarks
from convrepro.benchmarks import Comparison, Ratio


def _comparison(conv: str, median: float, goal: float | None) -> Comparison:
    ratio = Ratio(our_times=[median - 0.1, median, median + 0.1], their_times=[1.0, 1.0, 1.0])
    return Comparison(
        conv=conv, what="training step", kernel_size=3, channels=32, side=8, goal=goal, measure=lambda rounds: ratio
    )


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [_comparison("dk", 1.05, 1.1), _comparison("aconv", 1.5, None)]
    monkeypatch.setattr(benchmarks, "comparisons", lambda *, batch_size: iter(found))


def test_ratios_are_shown_with_their_goals(convrepro: Command, measured: None) -> None:
    code, out, _ = convrepro("benchmark-operators")
    assert code == 0
    assert "1.050" in out
    assert "met" in out
    assert "goals met: 1 of 1" in out


def test_a_missed_goal_is_said_and_ends_with_1(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks, "comparisons", lambda *, batch_size: iter([_comparison("dk", 1.3, 1.1)]))
    code, out, _ = convrepro("benchmark-operators")
    assert code == 1
    assert "MISSED" in out


def test_a_median_above_the_goal_with_a_quartile_below_decides_nothing(
    convrepro: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmarks, "comparisons", lambda *, batch_size: iter([_comparison("dk", 1.15, 1.1)]))
    code, out, _ = convrepro("benchmark-operators")
    assert code == 0
    assert "undecided" in out
    assert "goals met: 0 of 1" in out


def test_only_the_named_operators_are_measured_and_written(convrepro: Command, measured: None, tmp_path: Path) -> None:
    convrepro("benchmark-operators", "--only", "aconv", "--output", str(tmp_path / "ratios.csv"))
    with (tmp_path / "ratios.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["operator"], row["ratio"], row["low_quartile"]) for row in rows] == [("aconv", "1.500", "1.400")]


def test_a_small_real_measurement(convrepro: Command) -> None:
    _, out, _ = convrepro("benchmark-operators", "--only", "dk", "--rounds", "2", "--batch-size", "1")
    assert "dk" in out


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--rounds", "1", "`--rounds` must be at least 2, got 1"),
        ("--batch-size", "0", "`--batch-size` must be at least 1, got 0"),
        ("--threads", "0", "`--threads` must be at least 1, got 0"),
        ("--only", "acnv", "'aconv'"),
        ("--output", "nowhere/ratios.csv", "`--output` must be a file in a folder that exists, got nowhere/ratios.csv"),
        ("--output", ".", "`--output` must be a file in a folder that exists, got ."),
        ("--only", "dk_first", "dk_first is dk"),
    ],
)
def test_bad_input(convrepro: Command, option: str, value: str, message: str) -> None:
    code, out, err = convrepro("benchmark-operators", option, value)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
