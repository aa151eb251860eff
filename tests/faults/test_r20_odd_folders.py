"""R20: results are the same in whatever folder, and behind links."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import commands
from tests.commands import JOBLIB, RUN, SERIAL

from convrepro.cli import choices

NAMES = [
    "-a 'b' \"c\", [d]={e} $HOME ü例",
    *("two  blanks", "key=value", "a,b", "[a]", "{a}", "(a)", "it's", '"quoted"', "ünïcödé 例", "-dash", "--results"),
    *("$HOME", "${x}", "~", "~root", "a:b", "a::b", "file:", "100%", "*?", "#a", "@a", "+a", "!a", "é"),
    *("a\\b", "a\\'b", "a\\", "\\${a}"),
]
TABLE = "tiny.images0.1"
TRAIN = ["train", "model=lenet", "model.hidden=[8,8]", "recipe=quickstart", "recipe.epochs=1", "recipe.milestones=[]"]
TRAIN += ["protocol.images=0.1", "machine.accelerator=cpu", "machine.threads=1"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "sweep"
    _make(folder)
    assert commands.run([*RUN, *SERIAL], folder)[0] == 0
    assert commands.run([*TRAIN, "machine.results_dir=trained"], folder)[0] == 0
    return folder


def _make(folder: Path) -> None:
    commands.tiny_table(folder, num_cells=1, num_seeds=2, epochs=1)


def _check(folder: Path, plain: Path, results: str, *, launcher: tuple[str, ...] = SERIAL) -> None:
    option = f"--results={results}"
    code, _, err = commands.run([*RUN, *launcher, option], folder, environment={"LOKY_MAX_CPU_COUNT": "2"})
    assert code == 0, err
    _check_results(folder, plain, results)
    files = {path: path.read_bytes() for path in (folder / results / "tables").iterdir()}
    assert commands.run(["tables", TABLE, option], folder)[0] == 0
    assert {path: path.read_bytes() for path in files} == files
    assert "2 of 2 done" in commands.run(["status", TABLE, option], folder)[1]


def _check_results(folder: Path, plain: Path, results: str) -> None:
    assert commands.records_of(folder, results) == commands.records_of(plain)
    assert commands.tables_of(folder, results) == commands.tables_of(plain)
    assert commands.left_over(folder, results) == []
    assert _names(folder / results) == _names(plain / "results")


def _names(results: Path) -> list[str]:
    """Of all files but those in the cache, without what differs from one TensorBoard log to the next."""
    folders = [
        path for name in ("records", "runs", "tables") for path in [results / name, *(results / name).rglob("*")]
    ]
    return sorted(str(path.relative_to(results)).partition("tfevents")[0] for path in folders)


def test_the_working_folder_and_the_results_have_odd_names(
    tmp_path: Path, plain: Path, figure: Callable[[int, int], int]
) -> None:
    for number, name in enumerate(NAMES[: figure(1, len(NAMES))]):
        folder = tmp_path / f"{number}" / name
        _make(folder)
        _check(folder, plain, name)
        assert sorted(path.name for path in folder.iterdir()) == sorted(["configs", name])


@pytest.mark.large
def test_side_by_side(tmp_path: Path, plain: Path) -> None:
    folder = tmp_path / NAMES[0]
    _make(folder)
    _check(folder, plain, NAMES[0], launcher=JOBLIB)


def test_one_training(tmp_path: Path, plain: Path, figure: Callable[[int, int], int]) -> None:
    for number, name in enumerate(NAMES[: figure(1, len(NAMES))]):
        folder = tmp_path / f"{number}" / name
        _make(folder)
        code, out, err = commands.run([*TRAIN, f"machine.results_dir={choices._quoted(name)}"], folder)
        assert code == 0, err
        assert str(Path(name, "records")) in out
        assert commands.records_of(folder, name) == commands.records_of(plain, "trained")
        assert sorted(path.name for path in folder.iterdir()) == sorted(["configs", name])


def test_records_are_merged_and_networks_exported(tmp_path: Path, plain: Path) -> None:
    folder = tmp_path / "sweep"
    _make(folder)
    odd, other = NAMES[0], "./" + NAMES[0].upper()
    shutil.copytree(plain / "results", folder / odd)
    code, _, err = commands.run(["merge", f"--results={other}", "--", odd], folder)
    assert code == 0, err
    assert commands.records_of(folder, other) == commands.records_of(plain)
    run = min(commands.records_of(plain)).removesuffix(".json")
    code, _, err = commands.run(["export", run, "--format", "pt2", f"--results={odd}"], folder)
    assert code == 0, err
    (exported,) = (folder / odd / "runs" / run / "export").iterdir()
    code, _, err = commands.run(["export", run, "--format", "pt2", f"--results={odd}", f"--output={other}.pt2"], folder)
    assert code == 0, err
    assert exported.stat().st_size == (folder / f"{other}.pt2").stat().st_size


@pytest.mark.parametrize("linked", ["results", "results/records", "results/runs", "results/tables", "results/cache"])
def test_folders_behind_links(tmp_path: Path, plain: Path, linked: str) -> None:
    folder, elsewhere = tmp_path / "sweep", tmp_path / "elsewhere"
    _make(folder)
    elsewhere.mkdir()
    (folder / linked).parent.mkdir(exist_ok=True)
    (folder / linked).symlink_to(elsewhere)
    _check(folder, plain, "results")
    assert (folder / linked).is_symlink()
    assert any(elsewhere.iterdir())
