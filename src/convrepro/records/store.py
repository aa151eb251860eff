"""The folder of records: one JSON file per run, written once."""

import re
from collections.abc import Iterable
from pathlib import Path

from convrepro import durable
from convrepro.records.record import Record, from_json, to_json

_NAME = re.compile(r"([0-9a-f]+)(?:-seed(\d+))?")


def path_of(records_dir: Path, run_id: str, seed: int) -> Path:
    return records_dir / f"{run_id}-seed{seed}.json"


def write(records_dir: Path, record: Record) -> Path:
    """Writes a record so that it is there and whole, or not there."""
    path = path_of(records_dir, record.run_id, record.seed)
    durable.write(path, to_json(record))
    return path


def read(records_dir: Path, run_id: str, seed: int) -> Record | None:
    """The record of a run, or None if there is none.

    Raises:
        ValueError: if the file is not that run's record; names the file.
    """
    path = path_of(records_dir, run_id, seed)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a record: {error}; delete it to run it again.") from error
    try:
        record = from_json(text)
    except ValueError as error:
        raise ValueError(f"{path} is not a record: {error}; delete it to run it again.") from error
    if (record.run_id, record.seed) != (run_id, seed):
        raise ValueError(f"{path} holds run {record.run_id} of seed {record.seed}; it was renamed or copied.")
    return record


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

    Returns:
        The records, and a line for each file that is none.
    """
    seeds = list(seeds)
    found, defects = [], []
    for run_id in run_ids:
        for seed in seeds:
            try:
                record = read(records_dir, run_id, seed)
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
            found.append(from_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return found
