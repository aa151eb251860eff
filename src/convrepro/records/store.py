"""The folder of records: one JSON file per run, written once."""

from collections.abc import Iterable
from pathlib import Path

from convrepro import durable
from convrepro.records.record import Record, from_json, to_json


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
    """Every record in the folder that can be read, by file name; for estimates, never for a table."""
    found = []
    for path in sorted(records_dir.glob("*.json")):
        try:
            found.append(from_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    return found
