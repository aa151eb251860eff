"""The folder of one run: its claim, checkpoints, logs and last failure while it is worked on, then its weights."""

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import filelock

from convrepro import durable
from convrepro.records import store
from convrepro.records.record import Status

_SECONDS_TO_WAIT = 1.0  # somebody who only asks for the state holds the lock for a moment

State = Literal["done", "diverged", "running", "failed", "interrupted", "missing", "unreadable"]
OPEN: tuple[State, ...] = ("running", "failed", "interrupted", "missing")  # that a run of the table would do
Run = tuple[str, int]  # run id, seed


class Claimed(Exception):
    """Another process works on the run."""


def records_dir(results_dir: Path) -> Path:
    return results_dir / "records"


def run_dir(results_dir: Path, run_id: str, seed: int) -> Path:
    return results_dir / "runs" / f"{run_id}-seed{seed}"


def cache_dir(results_dir: Path) -> Path:
    """Where ``machine.cache_dir`` lies unless it is told otherwise; may be deleted at any time."""
    return results_dir / "cache"


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
    return _record_state(results_dir, run_id, seed) or _folder_state(results_dir, run_id, seed)


def states(results_dir: Path, runs: Iterable[Run]) -> dict[Run, State]:
    """What the disk says of many runs; the same as ``state`` of each, from one listing of each folder.

    What was found in a record is kept in the cache under the file's size and time, so it is read once.
    """
    kept_path = cache_dir(results_dir) / "states.json"
    kept = _kept_states(kept_path)
    records, folders = _listed(records_dir(results_dir)), _listed(results_dir / "runs").keys()
    found: dict[Run, State] = {}
    read: dict[str, list[Any]] = {}
    for run_id, seed in runs:
        name = store.path_of(results_dir, run_id, seed).name
        if name not in records:
            is_begun = run_dir(results_dir, run_id, seed).name in folders
            found[run_id, seed] = _folder_state(results_dir, run_id, seed) if is_begun else "missing"
            continue
        stat = records[name].stat()
        if name in kept and kept[name][:2] == [stat.st_size, stat.st_mtime_ns]:
            found[run_id, seed] = kept[name][2]
            continue
        found[run_id, seed] = state(results_dir, run_id, seed)
        if found[run_id, seed] in get_args(Status):
            read[name] = [stat.st_size, stat.st_mtime_ns, found[run_id, seed]]
    if read:
        durable.keep(kept_path, {name: entry for name, entry in {**kept, **read}.items() if name in records})
    return found


def _listed(folder: Path) -> dict[str, os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except FileNotFoundError:
        return {}


def _kept_states(path: Path) -> dict[str, list[Any]]:
    """By a record's file name: its size, its time, its state."""
    content = durable.kept(path)
    entries = content.items() if isinstance(content, dict) else ()
    return {
        name: entry
        for name, entry in entries
        if isinstance(entry, list) and len(entry) == 3 and entry[2] in get_args(Status)
    }


def _record_state(results_dir: Path, run_id: str, seed: int) -> State | None:
    try:
        record = store.read(records_dir(results_dir), run_id, seed)
    except ValueError:
        return "unreadable"
    return record.status if record is not None else None


def _folder_state(results_dir: Path, run_id: str, seed: int) -> State:
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
