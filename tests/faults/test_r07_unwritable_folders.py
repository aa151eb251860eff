"""R7: a results folder that nothing can be written to is found before anything else is done."""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import commands
from tests.commands import RUN, SERIAL

NOBODY = 65534
MAX_SECONDS = 2.0


@dataclass(frozen=True)
class NotMighty:
    """Root, too, is bound by the modes of files."""

    def __call__(self) -> None:
        if os.geteuid() != 0:
            return
        libc = ctypes.CDLL(None, use_errno=True)
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, of this thread
        sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; the lower halves first
        assert libc.capget(header, sets) == 0
        sets[0] &= ~0b1110  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER
        assert libc.capset(header, sets) == 0


def _read_only(folder: Path) -> Path:
    (folder / "results").mkdir()
    (folder / "results").chmod(0o555)
    return Path("results")


def _read_only_records(folder: Path) -> Path:
    (folder / "results" / "records").mkdir(parents=True)
    (folder / "results" / "records").chmod(0o555)
    return Path("results")


def _not_ours(folder: Path) -> Path:
    (folder / "results").mkdir()
    try:
        shutil.chown(folder / "results", NOBODY)
    except PermissionError:
        pytest.skip("only root may give a folder away")
    return Path("results")


def _in_a_read_only_folder(folder: Path) -> Path:
    (folder / "above").mkdir()
    (folder / "above").chmod(0o555)
    return Path("above") / "missing" / "results"


def _unreadable(folder: Path) -> Path:
    (folder / "results").mkdir()
    (folder / "results").chmod(0o000)
    return Path("results")


def _file(folder: Path) -> Path:
    (folder / "results").write_text("mine")
    return Path("results")


def _below_a_file(folder: Path) -> Path:
    (folder / "above").write_text("mine")
    return Path("above") / "results"


def _file_for_runs(folder: Path) -> Path:
    (folder / "results").mkdir()
    (folder / "results" / "runs").write_text("mine")
    return Path("results")


def _link_to_nothing(folder: Path) -> Path:
    (folder / "results").symlink_to("gone")
    return Path("results")


PLACES = [
    *(_read_only, _read_only_records, _not_ours, _in_a_read_only_folder, _unreadable),
    *(_file, _below_a_file, _file_for_runs, _link_to_nothing),
]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "folder"
    commands.tiny_table(folder, num_cells=1, num_seeds=1, epochs=1)
    yield folder
    for below, names, _ in os.walk(folder):
        for path in (Path(below), *(Path(below, name) for name in names)):
            if not path.is_symlink():
                path.chmod(0o755)


def _listed(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("make", PLACES)
def test_it_is_named_in_one_line_and_nothing_is_made(folder: Path, make: Callable[[Path], Path]) -> None:
    results = make(folder)
    before = _listed(folder)
    code, out, err = commands.run([*RUN, *SERIAL, "--results", str(results)], folder, fault=NotMighty())
    (line,) = err.splitlines()
    assert (code, out) == (2, "")
    assert line.startswith(("convrepro: cannot write to ", "convrepro: cannot read "))
    assert str(results) in line
    assert line.endswith("; choose another folder.")
    assert len(line) <= len("convrepro: ") + 200
    assert _listed(folder) == before


@pytest.mark.parametrize("make", PLACES)
def test_one_training_says_so_as_well(folder: Path, make: Callable[[Path], Path]) -> None:
    results = make(folder)
    before = _listed(folder)
    arguments = ["train", "model=lenet", "recipe=quickstart", f"machine.results_dir={results}"]
    code, _, err = commands.run([*arguments, "machine.accelerator=cpu"], folder, fault=NotMighty())
    lines = [line for line in err.splitlines() if line.startswith("convrepro: ")]
    assert code == 2
    assert len(lines) == 1
    assert str(results) in lines[0]
    assert "Traceback" not in err
    assert _listed(folder) == before


def test_a_finished_table_is_shown_all_the_same(folder: Path) -> None:
    assert commands.run([*RUN, *SERIAL], folder, fault=NotMighty())[0] == 0
    shown = commands.run(["tables", "tiny.images0.1"], folder, fault=NotMighty())[1]
    for path in (folder / "results", *(folder / "results").iterdir()):
        path.chmod(0o555)
    for command in (["tables", "tiny.images0.1"], [*RUN, *SERIAL]):
        code, out, err = commands.run(command, folder, fault=NotMighty())
        assert code == 0
        assert shown.partition("written:")[0] in out
        assert err.startswith("convrepro: the table's files could not be written: ")
        assert len(err.splitlines()) == 1


@pytest.mark.large
@pytest.mark.parametrize("make", [_file, _below_a_file, _file_for_runs])
def test_it_takes_less_than_two_seconds_from_nothing(folder: Path, make: Callable[[Path], Path]) -> None:
    """The least of three; a kept table is read back, as after any first use."""
    arguments = [sys.executable, "-m", "convrepro.cli.main", "run", "quickstart", "--results", str(make(folder))]
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        assert subprocess.run(arguments, cwd=folder, capture_output=True).returncode == 2
        seconds.append(time.monotonic() - started)
    assert min(seconds) < MAX_SECONDS
