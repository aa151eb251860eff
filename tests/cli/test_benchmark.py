"""``convrepro benchmark``."""

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from convrepro import benchmarks
from convrepro.benchmarks import Goal, Row, report
from convrepro.benchmarks.sections import Section


def _section(name: str, goal: Goal | None, *, is_possible: bool = True) -> Section:
    def rows(settings: object, advance: object) -> list[Row]:
        advance(0.5)
        return [Row(what=f"speed of {name}", unit="x", values=[1.0, 1.1, 1.2], goal=goal)]

    return Section(name=name, title=name.title(), about="", seconds=1.0, rows=rows, is_possible=lambda: is_possible)


@pytest.fixture
def sections(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        _section("good", Goal(least=1.0)),
        _section("bad", Goal(least=1.5)),
        _section("impossible", None, is_possible=False),
    )
    for module in (benchmarks, report):
        monkeypatch.setattr(module, "SECTIONS", found)


def test_everything_is_shown_and_written(convrepro: Command, sections: None) -> None:
    code, out, err = convrepro("benchmark", "--data", ".")
    assert code == 1
    assert "speed of good" in out
    assert "- MISSED: speed of bad, 1.10x, goal ≥ 1.50x" in out
    assert "impossible" not in out
    assert "written: results/benchmarks/README.md" in out
    assert "[1/2] good" in err
    folder = Path("results/benchmarks")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "bad.json", "good.json"]
    assert json.loads((folder / "bad.json").read_text())["rows"][0]["verdict"] == "MISSED"


def test_without_a_missed_goal_the_code_is_0(convrepro: Command, sections: None) -> None:
    code, out, _ = convrepro("benchmark", "--data", ".", "--only", "good", "--output", "here")
    assert code == 0
    assert "goals met: 1 of 1" in out
    assert sorted(path.name for path in Path("here").iterdir()) == ["README.md", "good.json"]


def test_a_section_that_is_measured_again_leaves_the_others(convrepro: Command, sections: None) -> None:
    convrepro("benchmark", "--data", ".")
    convrepro("benchmark", "--data", ".", "--only", "good")
    assert "speed of bad" in Path("results/benchmarks/README.md").read_text()


def test_quick_numbers_are_not_written(convrepro: Command, sections: None) -> None:
    convrepro("benchmark", "--quick", "--data", ".")
    assert not Path("results").exists()


def test_real_sections_run_quick(convrepro: Command) -> None:
    code, out, err = convrepro(
        *("benchmark", "--quick", "--data", ".", "--output", "out"),
        *("--only", "layout", "--only", "operators"),
    )
    assert code in (0, 1), err
    assert "channels last over contiguous" in out
    assert "acl, training step" in out
    assert sorted(path.stem for path in Path("out").glob("*.json")) == ["layout", "operators"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rounds", "1"], "`--rounds` must be at least 2, got 1"),
        (["--only", "epoch"], "unknown section 'epoch'; did you mean 'epochs'?"),
        (["--output", "file"], "`--output` must be a folder, got file"),
    ],
)
def test_bad_input(convrepro: Command, arguments: list[str], message: str) -> None:
    Path("file").touch()
    code, out, err = convrepro("benchmark", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_section_that_is_not_possible_here(convrepro: Command, sections: None) -> None:
    code, _, err = convrepro("benchmark", "--only", "impossible", "--data", ".")
    assert code == 2
    assert "this machine lacks what impossible needs" in err
