"""The folder of records: one JSON file per run, written once."""

import os
import re
import stat
from collections.abc import Iterable, Set
from pathlib import Path

from convrepro import durable
from convrepro.records.record import Record, from_json, to_json

MAX_BYTES = 2**20  # a record of 300 epochs in two phases has about 30,000
_FILE_NAME = re.compile(r"[0-9a-f]{16}-seed(0|[1-9][0-9]{0,9})\.json")
_NAME = re.compile(r"([0-9a-f]+)(?:-seed(\d+))?")


def path_of(records_dir: Path, run_id: str, seed: int) -> Path:
    return records_dir / f"{run_id}-seed{seed}.json"


def is_name(name: str) -> bool:
    """Whether a record's file may have this name."""
    return _FILE_NAME.fullmatch(name) is not None


def write(records_dir: Path, record: Record) -> Path:
    """Writes a record so that it is there and whole, or not there.

    Raises:
        FileExistsError: if the run has a record.
        OSError: if it cannot be written.
    """
    path = path_of(records_dir, record.run_id, record.seed)
    durable.write_new(path, to_json(record))
    return path


def read(records_dir: Path, run_id: str, seed: int) -> Record | None:
    """The record of a run, or None if there is none.

    Raises:
        ValueError: if the file is not that run's record, or cannot be read; names the file and, if it can, the line.
    """
    path = path_of(records_dir, run_id, seed)
    try:
        record = from_json(content_of(path))
    except FileNotFoundError:
        if path.is_symlink():
            raise ValueError(f"{path} is a link to nothing; delete it to run it again.") from None
        return None
    except ValueError as error:
        problem = str(error).removesuffix(".")
        raise ValueError(f"{path} is not a record: {problem}; delete it to run it again.") from error
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; make it readable.") from error
    if (record.run_id, record.seed) != (run_id, seed):
        raise ValueError(f"{path} holds run {record.run_id!r:.30} of seed {record.seed}; it was renamed or copied.")
    return record


def content_of(path: Path) -> bytes:
    """The bytes of a record's file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a folder, a pipe or a device, or has more bytes than a record.
        OSError: if it cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # else a pipe would wait for somebody who writes
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no regular file.")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes.")
    return content


def find(records_dir: Path, name: str) -> Record:
    """The one record that ``name`` stands for: a run id or its beginning, perhaps with ``-seed<k>``.

    Raises:
        ValueError: if there is none, or more than one, or if it is broken.
    """
    asked = _NAME.fullmatch(name)
    if asked is None:
        raise ValueError(f"a run is named by its id or the beginning of it, and perhaps -seed0, got {name!r}.")
    known = [
        (match[1], int(match[2]))
        for path in sorted(records_dir.glob("*.json"))
        if (match := _NAME.fullmatch(path.stem)) and match[2]
    ]
    found = [(run_id, seed) for run_id, seed in known if run_id.startswith(asked[1]) and asked[2] in (None, str(seed))]
    if not found:
        raise ValueError(
            f"no record of run {name!r} in {records_dir}; `convrepro plan TABLE` shows the ids of a table."
        )
    if len(run_ids := sorted({run_id for run_id, _ in found})) > 1:
        raise ValueError(
            f"{name!r} is the beginning of {len(run_ids)} runs, {', '.join(run_ids[:3])} among them; give more of it."
        )
    if len(found) > 1:
        seeds = sorted(seed for _, seed in found)
        raise ValueError(
            f"run {run_ids[0]} has the seeds {', '.join(map(str, seeds))}; name one: {run_ids[0]}-seed{seeds[0]}."
        )
    record = read(records_dir, *found[0])
    assert record is not None
    return record


def read_all(records_dir: Path, run_ids: Iterable[str], seeds: Iterable[int]) -> tuple[list[Record], list[str]]:
    """The records that exist of the given runs, ordered by run id as given, then seed; and what is wrong with others.

    Which exist is that of one moment: of two runs of which one was recorded after the other, there is never the
    second one alone. Each file is read once.

    Returns:
        The records, and a line for each file that is none.

    Raises:
        OSError: if the folder is there and cannot be listed.
    """
    seeds = list(seeds)
    runs = [(run_id, seed) for run_id in run_ids for seed in seeds]
    there = _there_at_one_moment(records_dir, {path_of(records_dir, *run).name for run in runs})
    found, defects = [], []
    for run in runs:
        if path_of(records_dir, *run).name not in there:
            continue
        try:
            record = read(records_dir, *run)
        except ValueError as error:
            defects.append(str(error))
            continue
        found += [record] if record is not None else []
    return found, defects


def read_everything(records_dir: Path) -> list[Record]:
    """Every record in the folder that can be read, by file name; never for a table."""
    found = []
    for path in sorted(records_dir.glob("*.json")):
        try:
            found.append(from_json(content_of(path)))
        except (OSError, ValueError):
            continue
    return found


def _there_at_one_moment(records_dir: Path, names: Set[str]) -> Set[str]:
    """Those of the names that are in the folder.

    A listing takes a while, in which records come. They never go: so what two listings agree on was there, and
    nothing else, between the two.
    """
    before, there = None, _listed(records_dir) & names
    while there != before:
        before, there = there, _listed(records_dir) & names
    return there


def _listed(records_dir: Path) -> Set[str]:
    try:
        with os.scandir(records_dir) as entries:
            return {entry.name for entry in entries}
    except FileNotFoundError:
        return set()
