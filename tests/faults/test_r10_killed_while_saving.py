"""R10: a process killed while it saves leaves the checkpoint before intact, wherever temporary files may lie."""

import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from convrepro.training import checkpoints

SHARED_MEMORY = Path("/dev/shm")
VALUES = torch.arange(100_000.0)
POINTS = 10  # from the temporary file of a checkpoint to the folder with its fingerprint

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and kills as Linux does")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder for temporary files on another device."""
    if not SHARED_MEMORY.is_dir() or SHARED_MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("has no other device for temporary files")
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


def _killed(work: Callable[[], object], elsewhere: Path, after_seconds: float | None = None) -> bool:
    """Runs ``work`` in a fork until it kills itself, or is killed; whether it was."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forks of a process with threads
        child = os.fork()
    if child == 0:
        try:
            os.environ["TMPDIR"], tempfile.tempdir = str(elsewhere), None
            work()
        finally:
            os._exit(0)
    if after_seconds is not None:
        time.sleep(after_seconds)
        os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _save(folder: Path, num_epochs: int) -> None:
    checkpoints.save(
        {"num_epochs": num_epochs, "weight": VALUES + num_epochs}, checkpoints.path_after(folder, num_epochs)
    )


def _check(folder: Path, elsewhere: Path) -> None:
    """The first is as it was; the second is itself, or known not to be; the next save cures what is left."""
    assert torch.equal(checkpoints.load(checkpoints.path_after(folder, 1))["weight"], VALUES + 1)
    for num_epochs, _ in checkpoints.whole(folder):
        assert torch.equal(checkpoints.load(checkpoints.path_after(folder, num_epochs))["weight"], VALUES + num_epochs)
    assert list(elsewhere.iterdir()) == []
    _save(folder, 2)
    assert checkpoints.whole(folder).keys() == {(1, 0), (2, 0)}


@pytest.mark.parametrize("point", range(POINTS))
def test_killed_before_each_call_that_reaches_the_disk(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """Opening a temporary file, writing it through, its mode, its name, the folder: twice."""
    _save(tmp_path, 1)

    def save() -> None:
        count = iter(range(100))
        for owner, name in ((tempfile, "mkstemp"), (os, "fsync"), (Path, "chmod"), (Path, "replace")):
            _kill_before(owner, name, count, point, monkeypatch)
        _save(tmp_path, 2)

    assert _killed(save, elsewhere)
    assert ((2, 0) in checkpoints.whole(tmp_path)) == (point == POINTS - 1)
    _check(tmp_path, elsewhere)


def _kill_before(owner: object, name: str, count: Iterator[int], point: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = getattr(owner, name)

    def call(*arguments: object, **keywords: object) -> object:
        if next(count) == point:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(*arguments, **keywords)

    monkeypatch.setattr(owner, name, call)


def test_killed_at_any_time(tmp_path: Path, elsewhere: Path, figure: Callable[[int, int], int]) -> None:
    generator = random.Random(10)

    def save_again_and_again() -> None:
        while True:
            _save(tmp_path, 2)

    for _ in range(figure(5, 100)):
        _save(tmp_path, 1)
        assert _killed(save_again_and_again, elsewhere, after_seconds=generator.uniform(0.0, 0.05))
        _check(tmp_path, elsewhere)
