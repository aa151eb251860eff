"""R16: a cell that was begun with another configuration is not gone on with unasked."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests import commands
from tests.commands import RUN, SERIAL, All, At, Logged

TABLE = Path("configs") / "table" / "tiny.yaml"
KILLED = At("replace", r"/epoch1\.ckpt\.json$", after=True)

Change = Callable[[dict[str, Any]], None]


def _batch_size(table: dict[str, Any]) -> None:
    table["overrides"].append("recipe.batch_size=32")


def _version(table: dict[str, Any]) -> None:
    table["overrides"].append("recipe.version=2")


def _many(table: dict[str, Any]) -> None:
    table["overrides"] += ["recipe.batch_size=32", "recipe.optimizer.lr=0.01", "recipe.decay_factor=0.5"]
    table["overrides"] += ["recipe.milestones=[1]", "recipe.optimizer.weight_decay=0.001", "model.hidden=[9,9]"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two cells, killed in its first run after one of two epochs."""
    folder = tmp_path_factory.mktemp("killed") / "sweep"
    commands.tiny_table(folder, num_cells=1, num_seeds=1, epochs=2)
    table = yaml.safe_load((folder / TABLE).read_text())
    table["grid"] = [{**table["grid"][0], "conv": [conv]} for conv in ("standard", "dk")]
    (folder / TABLE).write_text(yaml.safe_dump(table))
    assert commands.run([*RUN, *SERIAL], folder, fault=KILLED)[0] == -9
    return folder


@pytest.fixture
def sweep(tmp_path: Path, killed: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "sweep", symlinks=True))


def _changed(sweep: Path, change: Change) -> str:
    """Changes the table; returns what it was."""
    before = (sweep / TABLE).read_text()
    table = yaml.safe_load(before)
    change(table)
    (sweep / TABLE).write_text(yaml.safe_dump(table))
    return before


def _files(sweep: Path) -> dict[str, bytes]:
    paths = [path for path in (sweep / "results").rglob("*") if path.is_file() and "cache" not in path.parts]
    return {str(path): path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (_batch_size, "begun with recipe.batch_size 64 (now 32). Put that back"),
        (_version, "begun with recipe.version 1 (now 2). Put that back"),
        (_many, "and 3 more. Put that back"),
    ],
)
def test_it_is_refused_until_it_is_put_back(sweep: Path, change: Change, difference: str) -> None:
    before, there = _changed(sweep, change), _files(sweep)
    code, out, err = commands.run([*RUN, *SERIAL], sweep)
    (line,) = err.splitlines()
    assert (code, out) == (2, "")
    assert line.startswith("convrepro: tiny.images0.1, digits lenet standard [1, 1]: begun with ")
    assert difference in line
    assert line.endswith("to go on, or give `--restart` to begin anew.")
    assert len(line) <= len("convrepro: ") + 200
    assert _files(sweep) == there

    (sweep / TABLE).write_text(before)
    if change is not _batch_size:
        return
    log = Logged(sweep / "log")
    assert commands.run([*RUN, *SERIAL], sweep, fault=log)[0] == 0
    assert [event.what for event in log.events()] == [
        *("begun", "epoch2", "committed"),
        *("begun", "epoch1", "epoch2", "committed"),
    ]


def test_it_is_begun_anew_when_that_is_asked(sweep: Path) -> None:
    _changed(sweep, _batch_size)
    log = Logged(sweep / "log")
    assert commands.run([*RUN, *SERIAL, "--restart"], sweep, fault=All((log, KILLED)))[0] == -9
    assert commands.run([*RUN, *SERIAL], sweep, fault=log)[0] == 0  # which was asked once
    assert len([event for event in log.events() if event.what == "epoch1"]) == 2
    records = commands.records_of(sweep)
    assert {record["config"]["recipe"]["batch_size"] for record in records.values()} == {32}
    assert len(records) == 2


def test_cells_that_are_as_they_were_go_on(sweep: Path) -> None:
    before = _changed(sweep, lambda table: table["grid"][0].update({"overrides": ["recipe.batch_size=32"]}))
    for only in ((), ("--only", "conv=standard")):
        assert commands.run([*RUN, *SERIAL, *only], sweep)[0] == 2
    assert commands.run([*RUN, *SERIAL, "--only", "conv=dk"], sweep)[0] == 0
    (sweep / TABLE).write_text(before)
    _changed(sweep, lambda table: table["grid"][1].update({"overrides": ["recipe.batch_size=32"]}))
    code, _, err = commands.run([*RUN, *SERIAL], sweep)  # the cell that changed was finished
    assert code == 0, err
    assert len(commands.records_of(sweep)) == 3


@pytest.mark.parametrize(
    "option",
    [
        ("--scale", "0.5"),
        pytest.param(("--seeds", "2"), marks=pytest.mark.large),
        pytest.param(("--images", "0.2"), marks=pytest.mark.large),
    ],
)
def test_other_options_are_another_table(sweep: Path, option: tuple[str, str]) -> None:
    _changed(sweep, _batch_size)
    code, _, err = commands.run([*RUN, *SERIAL, *option], sweep)
    assert code == 0, err
