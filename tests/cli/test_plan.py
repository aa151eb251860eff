"""``convrepro plan``."""

import os
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SERIAL, Command

from convrepro.protocols import calibration


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SECONDS_PER_CELL", 0.0)


def test_every_run_with_its_state_and_its_expected_time(convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--only", "conv=standard", *SERIAL)
    code, out, err = convrepro("plan", "tiny", "--images", "0.2", *SERIAL)
    assert code == 0
    announced, measured = err.splitlines()
    assert announced == (
        "convrepro: the times of 1 networks are measured, a few seconds each; what is measured is kept"
    )
    assert measured.startswith("[1/1] digits cnn4 dk: ")
    lines = out.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["done", "done"]
    assert all(" missing " in line and line.endswith(" s") for line in lines[3:5])
    assert lines[5].startswith("2 runs to do, about ")
    assert lines[5].endswith(" s one after the other")


def test_what_was_measured_once_is_kept_for_tables_with_the_same_steps(convrepro: Command) -> None:
    assert convrepro("plan", "tiny", "--images", "0.2", *SERIAL)[2].count("ms per step") == 2
    assert convrepro("plan", "tiny", "--scale", "0.5", *SERIAL)[2] == ""
    assert [path.name for path in Path("results").iterdir()] == ["cache"]


def test_only_some_cells(convrepro: Command) -> None:
    _, out, err = convrepro("plan", "tiny", "--only", "conv=dk", *SERIAL)
    assert "standard" not in out + err
    assert "2 runs to do" in out


def test_nothing_to_do(convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", *SERIAL)
    code, out, err = convrepro("plan", "tiny", "--images", "0.2")
    assert (code, err) == (0, "")
    assert out.endswith("\n0 runs to do\n")


def test_the_data_need_not_be_there(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVREPRO_DATA", "/nowhere")
    small = ["--only", "model=cnn4", "--only", "conv=standard", "--seeds", "1"]
    code, out, _ = convrepro("plan", "dk_table5", *small, *SERIAL)
    assert code == 0
    assert "1 runs to do, about " in out


def test_a_count_table_is_planned_without_timing(convrepro: Command) -> None:
    code, out, err = convrepro("plan", "dk_table6", *SERIAL)
    assert (code, err) == (0, "")
    assert "15 runs to do, about 0 s one after the other" in out


def test_folders_of_calibrations_that_were_killed_are_removed(convrepro: Command) -> None:
    stale, recent = Path("results/.calibration_stale"), Path("results/.calibration_recent")
    for folder in (stale, recent):
        (folder / "0").mkdir(parents=True)
    two_days_ago = time.time() - 2 * 86400
    os.utime(stale, (two_days_ago, two_days_ago))
    convrepro("plan", "dk_table6", *SERIAL)
    assert not stale.exists()
    assert recent.exists()
