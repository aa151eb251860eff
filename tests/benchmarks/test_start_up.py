import pytest

from convrepro.benchmarks import start_up
from convrepro.benchmarks.settings import Settings


def test_commands_that_need_no_torch_import_none() -> None:
    assert not start_up.imports_torch(["--help"])


def test_a_command_that_measures_imports_it() -> None:
    assert start_up.imports_torch(["benchmark", "--only", "no such section"])


def test_every_command_is_timed(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(start_up, "_seconds", lambda command: asked.append(command[0]) or 0.4)
    monkeypatch.setattr(start_up, "imports_torch", lambda command: command[0] == "status")
    rows = start_up.rows(settings, lambda fraction: None)
    assert [row.what for row in rows] == [f"convrepro {name}" for name in ("--help", "list", "status", "compare")]
    assert [row.detail for row in rows] == ["imports no torch", "imports no torch", "imports torch", "imports no torch"]
    assert asked.count("list") == 3  # a warm-up and two rounds
    assert {row.verdict for row in rows} == {"met"}


def test_the_file_that_is_compared_is_a_good_one(settings: Settings) -> None:
    csv = settings.fresh_folder() / "mine.csv"
    csv.write_text(start_up._CSV)
    assert start_up._seconds(["compare", str(csv)]) > 0.0
