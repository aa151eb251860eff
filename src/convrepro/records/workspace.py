"""The folder of one run: its attempts, checkpoints and logs while it is worked on, then its weights."""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

from convrepro import durable
from convrepro.durable import DiskFull
from convrepro.records import attempts, store
from convrepro.records.record import Record, Status

State = Literal["done", "diverged", "running", "failed", "interrupted", "missing", "unreadable"]
OPEN: tuple[State, ...] = ("running", "failed", "interrupted", "missing")  # that a run of the table would do
Run = tuple[str, int]  # run id, seed
_FOLDERS = ("records", "runs", "tables")


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
    """Tries the folders that runs write to, or what they would be made in; makes none.

    Raises:
        ValueError: if nothing can be written there; names the folder.
        DiskFull: if that is why.
    """
    for folder in (results_dir, *(results_dir / name for name in _FOLDERS)):
        there = next(place for place in (folder, *folder.absolute().parents) if os.path.lexists(place))
        try:
            with durable.full_disk_named(folder), tempfile.TemporaryFile(dir=there):
                pass
        except DiskFull:
            raise
        except OSError as error:
            raise ValueError(f"cannot write to {folder}: {error.strerror}; choose another folder.") from error


def state(results_dir: Path, run_id: str, seed: int) -> State:
    """What the disk says of a run."""
    return _record_state(results_dir, run_id, seed) or _folder_state(results_dir, run_id, seed)


def states(results_dir: Path, runs: Iterable[Run]) -> dict[Run, State]:
    """What the disk says of many runs; the same as ``state`` of each, from one listing of each folder.

    What was found in a record is kept in the cache under what the system tells of its file, so it is read once.
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
        stamp = _stamp(records[name])
        if name in kept and kept[name][:-1] == stamp:
            found[run_id, seed] = kept[name][-1]
            continue
        found[run_id, seed] = state(results_dir, run_id, seed)
        if found[run_id, seed] in get_args(Status):
            read[name] = [*stamp, found[run_id, seed]]
    if read:
        durable.keep(kept_path, {name: entry for name, entry in {**kept, **read}.items() if name in records})
    return found


def _listed(folder: Path) -> dict[str, os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry for entry in entries}
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"cannot read {folder}: {error.strerror}; choose another folder.") from error


def _kept_states(path: Path) -> dict[str, list[Any]]:
    """By a record's file name: its stamp, its state."""
    content = durable.kept(path)
    entries = content.items() if isinstance(content, dict) else ()
    return {
        name: entry for name, entry in entries if isinstance(entry, list) and entry and entry[-1] in get_args(Status)
    }


def _stamp(record: os.DirEntry[str]) -> list[int]:
    """What is another after any change of a file: the time of change is the system's, which nobody can set."""
    stat = record.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _record_state(results_dir: Path, run_id: str, seed: int) -> State | None:
    try:
        record = store.read(records_dir(results_dir), run_id, seed)
    except ValueError:
        return "unreadable"
    return record.status if record is not None else None


def _folder_state(results_dir: Path, run_id: str, seed: int) -> State:
    folder = run_dir(results_dir, run_id, seed)
    newest = attempts.latest(folder)
    if newest is None:
        return "interrupted" if any(folder.glob("*/*.ckpt")) else "missing"
    return "interrupted" if newest.state == "running" and not attempts.is_held(newest) else newest.state


def ending(results_dir: Path, run_id: str, seed: int) -> str:
    """Why the newest attempt at a run ended without a record, or who is at it; empty if there was none."""
    newest = attempts.latest(run_dir(results_dir, run_id, seed))
    if newest is None:
        return ""
    if newest.state != "running":
        said = newest.reason
    elif not attempts.is_held(newest):
        said = "its process ended without a word, killed or out of memory"
    else:
        said = f"process {newest.process.number} of {newest.process.host}, last heard of {newest.told_at}"
    return f"{said} (attempt {newest.number})"


def tidy(results_dir: Path, record: Record) -> None:
    """Removes from a finished run's folder what it no longer needs."""
    folder = run_dir(results_dir, record.run_id, record.seed)
    for checkpoint in folder.glob("*/*.ckpt*"):
        checkpoint.unlink(missing_ok=True)
    if record.status == "diverged":  # no epoch of it counts
        shutil.rmtree(weights_dir(folder), ignore_errors=True)
    attempts.remove_all(folder)
    with suppress(OSError):  # it is not empty, or another process is faster
        folder.rmdir()


def clean(results_dir: Path, runs: Iterable[Run]) -> None:
    """Removes what killed processes left: temporary files, and of runs that have a record what was to be removed."""
    for part in (results_dir, *(results_dir / name for name in _FOLDERS)):  # each may be a link
        for below, _, _ in os.walk(part):
            durable.remove_abandoned(Path(below))
    begun = _listed(results_dir / "runs").keys()
    for run_id, seed in runs:
        folder = run_dir(results_dir, run_id, seed)
        if folder.name in begun and (attempts.latest(folder) is not None or any(folder.glob("*/*.ckpt*"))):
            _clean_finished(results_dir, run_id, seed)


def _clean_finished(results_dir: Path, run_id: str, seed: int) -> None:
    newest = attempts.latest(run_dir(results_dir, run_id, seed))
    if newest is not None and attempts.is_held(newest):
        return  # it may be about to do so itself
    try:
        record = store.read(records_dir(results_dir), run_id, seed)
    except ValueError:
        return
    if record is not None:
        tidy(results_dir, record)
