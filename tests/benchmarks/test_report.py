import json
from pathlib import Path

import pytest

from convrepro.benchmarks import SECTIONS, Goal, Row, report
from convrepro.benchmarks.settings import Settings

ROWS = [
    Row(what="fast", unit="x", values=[1.6, 1.7, 1.8], goal=Goal(least=1.5), detail="the rest", samples={"a": [1.0]}),
    Row(what="slow", unit="s", values=[0.61, 0.62, 0.63], goal=Goal(most=0.5)),
    Row(what="large", unit="MiB", values=[1234.5]),
]
MEASURED = {section.name: section for section in SECTIONS}


def test_json_has_samples_goals_and_what_it_was_made_with(settings: Settings) -> None:
    found = report.contents(MEASURED["start_up"], ROWS, settings)
    assert json.loads(json.dumps(found)) == found
    assert (found["section"], found["quick"], found["images"]) == ("start_up", True, "random")
    assert found["rows"][0]["samples"] == {"a": [1.0]}
    made_with = found["environment"]
    assert {"device", "cores", "threads", "versions", "git_commit", "git_dirty", "python", "system"} <= made_with.keys()
    assert made_with["threads"] == 1
    assert "torch" in made_with["versions"]


def test_a_line_of_the_table(settings: Settings) -> None:
    lines = report.markdown([report.contents(MEASURED["start_up"], ROWS, settings)]).splitlines()
    assert "## Start of the command line" in lines
    assert "| fast | 1.70x | [1.60, 1.80] | ≥ 1.50x | met | the rest |" in lines
    assert "| slow | 0.62 s | [0.61, 0.63] | ≤ 0.50 s | MISSED |  |" in lines
    assert "| large | 1,234 MiB |  |  |  |  |" in lines
    assert lines[-2:] == ["goals met: 1 of 2", "- MISSED: slow, 0.62 s, goal ≤ 0.50 s"]
    assert any("These numbers mean nothing" in line for line in lines)


def test_the_table_has_every_section_that_has_a_file_in_their_order(settings: Settings, tmp_path: Path) -> None:
    for name in ("start_up", "epochs"):
        report.write(tmp_path / "out", report.contents(MEASURED[name], ROWS, settings))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["README.md", "epochs.json", "start_up.json"]
    text = (tmp_path / "out" / "README.md").read_text()
    assert 0 < text.index("## Epochs of one run") < text.index("## Start of the command line")
    assert "goals met: 2 of 4" in text


def test_a_defective_file_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "epochs.json").write_text("{")
    with pytest.raises(ValueError, match=r"epochs\.json is not JSON"):
        report.write(tmp_path, report.contents(MEASURED["start_up"], ROWS, settings))
