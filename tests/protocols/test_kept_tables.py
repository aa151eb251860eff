"""Tables that are read back instead of expanded."""

import dataclasses
import json
from pathlib import Path

import pytest

from convrepro import config_files, durable
from convrepro.protocols import grid, kept_tables
from convrepro.records import Table


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


@pytest.fixture
def configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the config folder."""
    for name, content in config_files.contents().items():
        durable.write(tmp_path / "configs" / name, content)
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path / "configs")
    return tmp_path / "configs"


@pytest.fixture
def expanded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tables whose grids are expanded, as it happens."""
    names: list[str] = []
    whole = grid.plan

    def noted(name: str, **asked: object) -> grid.PlannedTable:
        names.append(name)
        return whole(name, **asked)  # type: ignore[arg-type]

    monkeypatch.setattr(grid, "plan", noted)
    return names


def _files(results: Path) -> list[str]:
    return sorted(path.name for path in results.rglob("*") if path.is_file())


@pytest.mark.parametrize("asked", [{}, {"scale": 0.5, "num_seeds": 2, "datasets": {"": "mnist"}}, {"images": 0.25}])
def test_a_kept_table_is_the_expanded_one(results: Path, expanded: list[str], asked: dict[str, object]) -> None:
    tables = [kept_tables.table("quickstart", results_dir=results, **asked) for _ in range(3)]  # type: ignore[arg-type]
    assert expanded == ["quickstart"]
    assert tables == [grid.plan("quickstart", **asked).table] * 3  # type: ignore[arg-type]


def test_each_way_to_ask_has_one_file(results: Path, configs: Path, expanded: list[str]) -> None:
    path = configs / "recipe" / "quickstart.yaml"
    for epochs in (8, 7, 6):
        path.write_text(path.read_text().replace("about: ", f"about: {epochs} "))
        for asked in ({}, {"scale": 0.5}):
            kept_tables.table("quickstart", results_dir=results, **asked)  # type: ignore[arg-type]
    assert len(expanded) == 6
    assert _files(results) == ["quickstart.json", "quickstart.scale0.5.json"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("recipe/quickstart.yaml", "epochs: 8", "epochs: 9"),
        ("conv/dk.yaml", "points: 3", "points: 4"),
        ("table/quickstart.yaml", "margin: 0.5", "margin: 0.4"),
    ],
)
def test_a_changed_file_makes_another_table(results: Path, configs: Path, file: str, old: str, new: str) -> None:
    before = kept_tables.table("quickstart", results_dir=results)
    path = configs / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    after = kept_tables.table("quickstart", results_dir=results)
    assert after == grid.plan("quickstart").table != before


def test_a_variable_that_a_config_reads_makes_another_table(
    results: Path, configs: Path, expanded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configs / "recipe" / "quickstart.yaml"
    path.write_text(path.read_text().replace("epochs: 8", "epochs: ${oc.env:NUM_EPOCHS,8}"))
    before = kept_tables.table("quickstart", results_dir=results)
    monkeypatch.setenv("NUM_EPOCHS", "3")
    assert kept_tables.table("quickstart", results_dir=results) != before
    monkeypatch.setenv("CONVREPRO_DATA", "elsewhere")  # the machine's: no part of any table
    kept_tables.table("quickstart", results_dir=results)
    assert len(expanded) == 2


def test_other_code_makes_the_table_anew(results: Path, expanded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kept_tables.table("quickstart", results_dir=results)
    monkeypatch.setattr(kept_tables, "version", lambda package: "another")
    kept_tables.table("quickstart", results_dir=results)
    assert len(expanded) == 2


def _without_a_field(content: dict[str, dict[str, object]]) -> dict[str, object]:
    return {**content, "table": {key: value for key, value in content["table"].items() if key != "margin"}}


@pytest.mark.parametrize(
    "broken",
    [lambda _: None, lambda _: [], lambda _: {}, lambda content: {"key": content["key"]}, _without_a_field],
)
def test_a_broken_file_is_written_anew(results: Path, expanded: list[str], broken: object) -> None:
    def table() -> Table:
        return kept_tables.table("quickstart", results_dir=results)

    whole, (path,) = table(), results.rglob("*.json")
    content = path.read_bytes()
    path.write_text(json.dumps(broken(json.loads(content))))  # type: ignore[operator]
    assert table() == whole
    assert path.read_bytes() == content
    path.write_bytes(content[:100])
    assert [table(), table()] == [whole, whole]
    assert len(expanded) == 3


def test_no_folder_is_made_for_it_and_one_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    expected = grid.plan("quickstart").table
    assert kept_tables.table("quickstart", results_dir=tmp_path / "results") == expected
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "cache").write_text("in the way")
    assert kept_tables.table("quickstart", results_dir=tmp_path) == expected


@pytest.mark.parametrize(
    ("name", "asked", "message"),
    [
        ("quikstart", {}, "unknown table 'quikstart'; did you mean 'quickstart'"),
        ("../x", {}, r"unknown table '\.\./x'"),
        ("quickstart", {"datasets": {"": "../x"}}, r"unknown dataset '\.\./x'"),
        ("quickstart", {"scale": 3.0}, "`protocol.scale` must lie in"),
    ],
)
def test_wrong_arguments(results: Path, name: str, asked: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kept_tables.table(name, results_dir=results, **asked)  # type: ignore[arg-type]
    assert _files(results) == []


@pytest.mark.parametrize("name", ["aconv_figure3", "aconv_table2"])
def test_every_field_survives(results: Path, name: str) -> None:
    """Of aconv_table2 the cells have margins of their own."""
    tables = [kept_tables.table(name, results_dir=results) for _ in range(2)]
    assert [dataclasses.asdict(table) for table in tables] == [dataclasses.asdict(grid.plan(name).table)] * 2


def test_only_tables_that_are_kept_are_read_at_once(results: Path, configs: Path, expanded: list[str]) -> None:
    kept = kept_tables.table("quickstart", results_dir=results)
    kept_tables.table("dk_table6", results_dir=results, num_seeds=2)
    assert kept_tables.those_kept(["quickstart", "dk_table6"], results_dir=results) == {"quickstart": kept}
    path = configs / "recipe" / "quickstart.yaml"
    path.write_text(path.read_text() + "# changed\n")
    assert kept_tables.those_kept(["quickstart"], results_dir=results) == {}
    assert len(expanded) == 2
