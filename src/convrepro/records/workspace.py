"""The folder of one run: its claim, checkpoints, logs and last failure while it is worked on, then its weights."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import filelock

from convrepro import durable
from convrepro.records import store

_SECONDS_TO_WAIT = 1.0  # somebody who only asks for the state holds the lock for a moment

State = Literal["done", "diverged", "running", "failed", "interrupted", "missing", "unreadable"]


class Claimed(Exception):
    """Another process works on the run."""


def records_dir(results_dir: Path) -> Path:
    return results_dir / "records"


def run_dir(results_dir: Path, run_id: str, seed: int) -> Path:
    return results_dir / "runs" / f"{run_id}-seed{seed}"


def weights_dir(run_dir: Path) -> Path:
    """Where a run's weights are: a file ``<selection rule>.pt`` for each rule whose weights are kept."""
    return run_dir / "weights"


def check_writable(results_dir: Path) -> None:
    """Makes the results folder if need be, and tries it.

    Raises:
        ValueError: if nothing can be written there; names the folder.
    """
    try:
        results_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=results_dir):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to {results_dir}: {error.strerror}; choose another folder.") from error


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Holds a run for this process; the system lets go of it when the process ends, however it ends.

    Raises:
        Claimed: if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(_lock_path(folder), timeout=_SECONDS_TO_WAIT):
            yield
    except filelock.Timeout:
        raise Claimed(f"another process works on {folder}.") from None


def state(results_dir: Path, run_id: str, seed: int) -> State:
    """What the disk says of a run."""
    try:
        record = store.read(records_dir(results_dir), run_id, seed)
    except ValueError:
        return "unreadable"
    if record is not None:
        return record.status
    folder = run_dir(results_dir, run_id, seed)
    if _is_claimed(folder):
        return "running"
    if failure(results_dir, run_id, seed):
        return "failed"
    return "interrupted" if any(folder.glob("*/*.ckpt")) else "missing"


def write_failure(results_dir: Path, run_id: str, seed: int, reason: str) -> None:
    """Leaves word of why a run failed."""
    durable.write(_failure_path(results_dir, run_id, seed), json.dumps({"reason": reason}) + "\n")


def clear_failure(results_dir: Path, run_id: str, seed: int) -> None:
    _failure_path(results_dir, run_id, seed).unlink(missing_ok=True)


def failure(results_dir: Path, run_id: str, seed: int) -> str:
    """Why the last attempt at a run failed; empty if it did not."""
    try:
        text = _failure_path(results_dir, run_id, seed).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    return str(json.loads(text)["reason"])


def _failure_path(results_dir: Path, run_id: str, seed: int) -> Path:
    return run_dir(results_dir, run_id, seed) / "failure.json"


def _is_claimed(folder: Path) -> bool:
    if not _lock_path(folder).exists():
        return False
    try:
        with filelock.FileLock(_lock_path(folder), timeout=0):
            return False
    except filelock.Timeout:
        return True


def _lock_path(folder: Path) -> Path:
    return folder / "claim.lock"
