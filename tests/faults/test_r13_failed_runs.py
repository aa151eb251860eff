"""R13: a run that fails, or is killed for memory, takes no other with it, is listed, and can be run again alone."""

import os
import re
import resource
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import commands
from tests.commands import JOBLIB, RUN, SERIAL, Logged

TABLE = "tiny.images0.1"
LONG = "a kernel of 3 x 3\n\n  does not fit: " + "x" * 300 + "\n\tmake it smaller"
TWO_WORKERS = {"LOKY_MAX_CPU_COUNT": "2"}


@dataclass(frozen=True)
class Broken:
    """What some runs, by their folder's name, do when their second epoch begins: ``raise``, ``die`` or ``exhaust``."""

    runs: dict[str, str]

    def __call__(self) -> None:
        from convrepro.training import Learner

        begin = Learner.start_epoch

        def start_epoch(learner: Learner, epoch: int) -> None:
            begin(learner, epoch)
            match self.runs.get(learner.folder.parent.name, "") if epoch == 1 else "":
                case "raise":
                    raise RuntimeError(LONG)
                case "die":
                    os.kill(os.getpid(), signal.SIGKILL)
                case "exhaust":
                    _exhaust_memory()

        Learner.start_epoch = start_epoch  # type: ignore[method-assign]


def _exhaust_memory() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2**36, before[1]))  # 64 GiB, more than any process of the tests has
    try:
        torch.zeros(2**37, dtype=torch.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep in which nothing fails."""
    folder = tmp_path_factory.mktemp("expected") / "sweep"
    _make(folder)
    assert commands.run([*RUN, *SERIAL], folder)[0] == 0
    return folder


@pytest.mark.parametrize(
    ("launcher", "kinds"),
    [
        pytest.param(SERIAL, ("raise", "exhaust", "raise"), id="serial"),
        pytest.param(JOBLIB, ("raise", "die", "die"), id="joblib", marks=pytest.mark.large),
    ],
)
def test_the_others_finish_and_those_that_failed_run_again(
    tmp_path: Path, expected: Path, launcher: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    sweep = tmp_path / "sweep"
    _make(sweep)
    first, second = re.findall(r"^([0-9a-f]{16})  ", commands.run(["status", TABLE], sweep)[1], re.MULTILINE)
    broken = dict(zip((f"{first}-seed1", f"{second}-seed0", f"{second}-seed4"), kinds, strict=True))
    code, out, err = commands.run([*RUN, *launcher], sweep, fault=Broken(broken), environment=TWO_WORKERS)
    assert code == 1
    told = [line for line in err.splitlines() if line.startswith("convrepro: ")]
    assert [_cell_and_seed(line) for line in sorted(told)] == [("1, 1", 1), ("1, 2", 0), ("1, 2", 4)]
    assert all(len(line) <= len("convrepro: ") + 200 for line in told)
    assert "Traceback" not in err
    assert re.search(r"\[1, 1\] +4/5 ", out)
    assert re.search(r"\[1, 2\] +3/5 ", out)
    assert _same_but(sweep, expected, without=broken)
    _check_status(sweep, broken, number=1)

    _forget(sweep, f"{first}-seed0")
    again = dict.fromkeys(broken, "raise")
    code, _, _ = commands.run([*RUN, *SERIAL, "--retry-failed"], sweep, fault=Broken(again))
    assert code == 1
    _check_status(sweep, again, number=2)

    log = Logged(sweep / "log")
    commands.run([*RUN, *SERIAL, "--retry-failed"], sweep, fault=log)
    assert {event.run for event in log.events()} == broken.keys()
    assert _same_but(sweep, expected, without={f"{first}-seed0": "forgotten"})
    assert commands.run([*RUN, *SERIAL], sweep)[0] == 0
    assert commands.records_of(sweep) == commands.records_of(expected)
    assert commands.tables_of(sweep) == commands.tables_of(expected)
    assert commands.left_over(sweep) == []


def test_nothing_failed_that_could_be_run_again(tmp_path: Path, expected: Path) -> None:
    log = Logged(tmp_path / "log")
    assert commands.run([*RUN, *SERIAL, "--retry-failed"], expected, fault=log)[0] == 0
    assert log.events() == []


def _make(folder: Path) -> None:
    commands.tiny_table(folder, num_cells=2, num_seeds=5, epochs=2)


def _cell_and_seed(line: str) -> tuple[str, int]:
    found = re.search(r"\[(\d, \d)\] seed (\d): failed, ", line)
    assert found is not None
    return found[1], int(found[2])


def _check_status(sweep: Path, broken: dict[str, str], *, number: int) -> None:
    code, out, _ = commands.run(["status", TABLE], sweep)
    assert code == 0
    assert re.findall(r"(\d) of 5 done, (\d) failed", out) == [("4" if number == 1 else "3", "1"), ("3", "2")]
    reasons = {
        "raise": r"RuntimeError: a kernel of 3 x 3 does not fit: x+ make it smaller",
        "exhaust": r"RuntimeError: .*memory.*",
        "die": r"its process was ended by SIGKILL, as the system does when memory runs out",
    }
    lines = [line for line in out.splitlines() if line.startswith("    seed ")]
    assert len(lines) == len(broken)
    for line, kind in zip(lines, broken.values(), strict=True):
        assert re.fullmatch(rf"    seed \d failed: {reasons[kind]} \(attempt {number}\)", line)


def _same_but(sweep: Path, expected: Path, *, without: dict[str, Any]) -> bool:
    others = {name: record for name, record in commands.records_of(expected).items() if name[:-5] not in without}
    return commands.records_of(sweep) == others


def _forget(sweep: Path, run: str) -> None:
    """A run that has no record, and has not failed."""
    (sweep / "results" / "records" / f"{run}.json").unlink()
