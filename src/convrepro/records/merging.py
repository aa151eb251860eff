"""Records of other results folders, taken in: all that are not there yet, or none at all."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convrepro.records import consistency, store, workspace
from convrepro.records.record import Record, from_json, to_json
from convrepro.records.workspace import Run

_VOLATILE = ("measured", "environment")  # in which two runs of the same cell and seed may differ

RunIdOf = Callable[[Mapping[str, Any]], str]


class Refused(ValueError):
    """Nothing was merged.

    Args:
        reasons: a line for each defective record and for each that differs from another; at least one.
    """

    def __init__(self, reasons: Sequence[str]) -> None:
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        super().__init__(reasons[0] + more)
        self.reasons = tuple(reasons)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where records come from.

    Args:
        path: its name in errors.
        records: its records, each checked; for a defective one, the error.
        passed_over: names of files that are not named as records.
    """

    path: Path
    records: Iterable[Record | Exception]
    passed_over: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What became of a source's records.

    Args:
        new: records that were taken from it, by the names of their data set, model and operator.
        num_known: records that were there already, or came from a source before it, with the same numbers.
    """

    new: dict[tuple[str, str, str], int]
    num_known: int


def merge(sources: Iterable[Source], records_dir: Path) -> list[Merged]:
    """Takes the records of all sources into a folder: all that are not there yet, or none at all.

    Of records of one run that agree in all that they must, the same one is taken whatever the order of the sources;
    what is there stays.

    Returns:
        What became of each source's records.

    Raises:
        Refused: if a source has a defective record, or two records of one run differ. Nothing is written then.
        ValueError: if somebody else recorded a run meanwhile, with other numbers.
        OSError: if a record cannot be written; those before it are whole, and the same call goes on after them.
    """
    taken: dict[Run, tuple[str, Path]] = {}  # canonical text, and the source that it was seen in first
    reasons: list[str] = []
    merged = []
    for source in sources:
        new: dict[tuple[str, str, str], int] = {}
        num_known = 0
        for record in source.records:
            if isinstance(record, Exception):
                reasons.append(str(record))
                continue
            run = record.run_id, record.seed
            try:
                there = store.read(records_dir, *run)
            except ValueError as error:
                reasons.append(str(error))
                continue
            if there is None and run not in taken:
                taken[run] = to_json(record), source.path
                label = (record.names["dataset"], record.names["model"], record.names["conv"])
                new[label] = new.get(label, 0) + 1
                continue
            num_known += 1
            text, where = taken[run] if there is None else (to_json(there), records_dir)
            if fields := differing(record, from_json(text)):
                reasons.append(_conflict(run, fields, source.path, where))
            elif there is None:
                taken[run] = min(text, to_json(record)), where
        merged.append(Merged(new=new, num_known=num_known))
    if reasons:
        raise Refused(list(dict.fromkeys(reasons)))
    for _, (text, where) in sorted(taken.items()):
        _write(records_dir, from_json(text), where)
    return merged


def differing(ours: Record, theirs: Record) -> list[str]:
    """Names of the fields in which two records of the same run may not differ, and do."""
    names = [entry.name for entry in dataclasses.fields(Record) if entry.name not in _VOLATILE]
    return [name for name in names if getattr(ours, name) != getattr(theirs, name)]


def of_results(results_dir: Path, *, run_id_of: RunIdOf) -> Source:
    """The records of a results folder, read when they are asked for.

    Args:
        results_dir: the folder that has a folder ``records``.
        run_id_of: from what a record says was computed to the run id that this has.

    Raises:
        ValueError: if there is no folder ``records`` in it.
        OSError: if it cannot be listed.
    """
    records_dir = workspace.records_dir(results_dir)
    if not records_dir.is_dir():
        archive = results_dir / "records.zip"
        raise ValueError(
            f"{results_dir} has no folder `records`; name a results folder, or an archive such as {archive}."
        )
    with os.scandir(records_dir) as entries:
        names = sorted(entry.name for entry in entries)
    known = [name for name in names if store.is_name(name)]
    return Source(
        path=results_dir,
        records=_of_folder(records_dir, known, run_id_of),
        passed_over=tuple(name for name in names if not store.is_name(name)),
    )


def checked(content: bytes, name: str, *, run_id_of: RunIdOf) -> Record:
    """The record in a file that may come from anybody.

    Args:
        content: of the file.
        name: of the file.
        run_id_of: as in ``of_results``.

    Raises:
        ValueError: if it is no whole record under the name that the store gives it, or its numbers do not fit its
            configuration and each other.
    """
    record = from_json(content)
    if store.path_of(Path(), record.run_id, record.seed).name != name:
        raise ValueError(f"it holds run {record.run_id!r:.20} of seed {record.seed}.")
    try:
        is_own = run_id_of(record.config) == record.run_id
    except RecursionError:
        raise ValueError("its configuration is nested too deeply.") from None
    if not is_own:
        raise ValueError("its run id is not that of its configuration.")
    consistency.check(record)
    return record


def _of_folder(records_dir: Path, names: Iterable[str], run_id_of: RunIdOf) -> Iterator[Record | Exception]:
    for name in names:
        path = records_dir / name
        try:
            if path.is_symlink():
                raise ValueError("it is a link.")
            yield checked(store.content_of(path), name, run_id_of=run_id_of)
        except ValueError as error:
            yield ValueError(f"{path} is not a record: {str(error).removesuffix('.')}; repair it or remove it.")
        except OSError as error:
            yield ValueError(f"{path} cannot be read: {error.strerror}; make it readable or remove it.")


def _conflict(run: Run, fields: Sequence[str], ours: Path, theirs: Path) -> str:
    named = ", ".join(fields[:3]) + (", ..." if len(fields) > 3 else "")
    return f"run {run[0]} of seed {run[1]} differs in {named} between {ours} and {theirs}; remove the wrong one."


def _write(records_dir: Path, record: Record, where: Path) -> None:
    """Writes a record, unless somebody else has done so meanwhile."""
    try:
        store.write(records_dir, record)
    except FileExistsError:
        there = store.read(records_dir, record.run_id, record.seed)
        if there is None:
            raise
        if fields := differing(record, there):
            raise ValueError(_conflict((record.run_id, record.seed), fields, where, records_dir)) from None
