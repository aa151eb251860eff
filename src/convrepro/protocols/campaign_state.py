"""What a campaign has done so far, in a folder of small files that can travel, and back.

``records.zip`` has the records of finished runs (``convrepro merge`` takes it). The files ``state.<number>.<hash>`` are
pieces of one sequence of bytes: newest checkpoints and kept weights of unfinished runs, one file after the other.
``state.json`` lists all of it with sizes and SHA-256; it is written last, so that what it lists is there.
"""

import hashlib
import itertools
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from convrepro import durable
from convrepro.protocols.identity import run_id_of
from convrepro.records import archive, attempts, store, workspace
from convrepro.records.record import to_json
from convrepro.records.workspace import Run
from convrepro.training import checkpoints

RECORDS, MANIFEST = "records.zip", "state.json"
MAX_FILE_BYTES = 15 * 2**20  # of each file, below the 16 MiB that some ways of copying take
_MAX_PART_BYTES, _MAX_MANIFEST_BYTES = 16 * 2**20, 4 * 2**20  # of what is read
_VERSION = 1
_RUN = r"([0-9a-f]{16})-seed(0|[1-9][0-9]{0,9})"
_RUN_NAME = re.compile(_RUN)
_CHECKPOINT = r"[a-z]+/epoch[0-9]{1,9}(?:step[0-9]{1,9})?\.ckpt"
_FILE_NAME = re.compile(rf"{_RUN}/(?:{_CHECKPOINT}|weights/[a-z_]+\.pt)(?:\.json)?")
_PART_NAME = re.compile(r"state\.[0-9]{3}\.[0-9a-f]{8}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class _Manifest:
    """Content of ``state.json``.

    Args:
        version: of this layout.
        records: SHA-256 of each record that ``records.zip`` must have, by run.
        files: name below ``runs`` and size of each file, in their order in the parts.
        parts: name, size and SHA-256 of each part, in their order.
    """

    version: int = _VERSION
    records: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, int]] = field(default_factory=list)
    parts: list[tuple[str, int, str]] = field(default_factory=list)


def save(folder: Path, results_dir: Path, runs: Iterable[Run]) -> int:
    """Writes the state of ``runs``: the record of each that has one, checkpoints and weights of the others.

    What another save left in the folder stays valid until everything is written, and is then removed.

    Returns:
        Size of what was written, in bytes.

    Raises:
        ValueError: if a record is defective.
        OSError: if a file cannot be written.
    """
    records_dir = workspace.records_dir(results_dir)
    runs = sorted(set(runs))
    records = {run: store.read(records_dir, *run) for run in runs}
    archive.pack(records_dir, [run for run, record in records.items() if record is not None], folder / RECORDS)
    unfinished = [run for run, record in records.items() if record is None]
    files = sorted(file for run in unfinished for file in _files_of(results_dir, run))
    manifest = _Manifest(
        records={
            _name(run): _sha256(to_json(record).encode()) for run, record in records.items() if record is not None
        },
        files=[(name, path.stat().st_size) for name, path in files],
        parts=list(_write_parts(folder, (path.read_bytes() for _, path in files))),
    )
    durable.write(folder / MANIFEST, json.dumps(asdict(manifest), indent=1) + "\n")
    listed = {name for name, _, _ in manifest.parts}
    for path in folder.iterdir():
        if _PART_NAME.fullmatch(path.name) and path.name not in listed:
            path.unlink()
    return sum((folder / name).stat().st_size for name in (RECORDS, MANIFEST, *listed))


def restore(folder: Path, results_dir: Path) -> set[Run]:
    """Puts a saved state into a results folder, all of it or, if anything is missing or damaged, nothing.

    Records that are there already are left. So are runs that have a record or checkpoints there, which may be newer,
    and runs that another process works on.

    Returns:
        The runs that the state knows, finished or not; none if the folder is empty or not there.

    Raises:
        ValueError: if a file is missing, is not what was saved, or has a name that no state has; or if a record differs
            from one that is there.
    """
    left = [path.name for path in folder.iterdir()] if folder.exists() else []
    if not any(name in (RECORDS, MANIFEST) or _PART_NAME.fullmatch(name) for name in left):
        return set()
    manifest = _read_manifest(folder)
    for name, size, sha256 in manifest.parts:
        _check_part(folder / name, size, sha256)
    recorded = _check_records(folder, manifest.records)
    archive.merge(folder / RECORDS, workspace.records_dir(results_dir), run_id_of=run_id_of)
    unfinished = set()
    contents = _contents(folder, manifest)
    for run_name, files in itertools.groupby(contents, key=lambda file: file[0].partition("/")[0]):
        unfinished.add(_run(run_name))
        _unpack(results_dir, _run(run_name), files)
    return recorded | unfinished


def _files_of(results_dir: Path, run: Run) -> list[tuple[str, Path]]:
    """What an unfinished run goes on from: the newest whole checkpoint of each phase, and all kept weights.

    With their names in the manifest.
    """
    folder = workspace.run_dir(results_dir, *run)
    newest = [max(whole.items())[1] for phase in folder.glob("*/") if (whole := checkpoints.whole(phase))]
    found = [path for checkpoint in newest for path in checkpoint.parent.glob(f"{checkpoint.name}*")]
    found += workspace.weights_dir(folder).glob("*.pt*") if newest else []
    named = [(path.relative_to(folder.parent).as_posix(), path) for path in found]
    return [(name, path) for name, path in named if _FILE_NAME.fullmatch(name)]  # not what a kill left half-written


def _write_parts(folder: Path, contents: Iterable[bytes]) -> Iterator[tuple[str, int, str]]:
    """Cuts one sequence of bytes into files; gives the name, size and SHA-256 of each."""
    waiting = bytearray()
    number = itertools.count()

    def write(size: int) -> tuple[str, int, str]:
        part = bytes(waiting[:size])
        del waiting[:size]
        sha256 = _sha256(part)
        name = f"state.{next(number):03}.{sha256[:8]}"
        durable.write(folder / name, part)
        return name, len(part), sha256

    for content in contents:
        waiting += content
        while len(waiting) >= MAX_FILE_BYTES:
            yield write(MAX_FILE_BYTES)
    if waiting:
        yield write(len(waiting))


def _read_manifest(folder: Path) -> _Manifest:
    path = folder / MANIFEST
    if not path.is_file() or path.stat().st_size > _MAX_MANIFEST_BYTES:
        raise ValueError(f"{path} is missing or too large; copy all files of the state.")
    try:
        manifest = _Manifest(**json.loads(path.read_text(encoding="utf-8")))
        _check_manifest(manifest)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is no campaign's state: {error}; copy it again.") from error
    return manifest


def _check_manifest(manifest: _Manifest) -> None:
    if manifest.version != _VERSION:
        raise ValueError(f"its version must be {_VERSION}, got {manifest.version!r}")
    for name, sha256 in manifest.records.items():
        _check(_RUN_NAME, name)
        _check(_SHA256, sha256)
    for name, size in manifest.files:
        _check(_FILE_NAME, name)
        _check_size(size)
    for name, size, sha256 in manifest.parts:
        _check(_PART_NAME, name)
        _check_size(size, _MAX_PART_BYTES)
        _check(_SHA256, sha256)
    names = [name for name, _ in manifest.files]
    if names != sorted(set(names)):
        raise ValueError("its files are not in order")
    if sum(size for _, size in manifest.files) != sum(size for _, size, _ in manifest.parts):
        raise ValueError("its parts are not as long as its files")


def _check(pattern: re.Pattern[str], text: Any) -> None:
    if not isinstance(text, str) or not pattern.fullmatch(text):
        raise ValueError(f"it names {text!r:.60}, which no state has")


def _check_size(size: Any, largest: int = 2**40) -> None:
    if type(size) is not int or not 0 <= size <= largest:
        raise ValueError(f"{size!r:.20} is no size that its files have")


def _check_part(path: Path, size: int, sha256: str) -> None:
    if not path.is_file():
        raise ValueError(f"{path} of the campaign's state is missing; copy all files of the state.")
    if path.stat().st_size != size or _sha256(path.read_bytes()) != sha256:
        raise ValueError(f"{path} is not what was saved: its size or SHA-256 is another; copy it again.")


def _check_records(folder: Path, expected: dict[str, str]) -> set[Run]:
    """Runs of all records in the archive, once those that must be there are."""
    path = folder / RECORDS
    if not path.is_file():
        raise ValueError(f"{path} of the campaign's state is missing; copy all files of the state.")
    found = {
        (record.run_id, record.seed): _sha256(to_json(record).encode())
        for record in archive.read(archive.load(path), path, run_id_of=run_id_of)
    }
    for name, sha256 in expected.items():
        if found.get(_run(name)) != sha256:
            raise ValueError(f"{path} lacks the record of {name} that was saved; copy all files of the state.")
    return set(found)


def _contents(folder: Path, manifest: _Manifest) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in the parts."""
    waiting = bytearray()
    parts = iter(manifest.parts)
    for name, size in manifest.files:
        while len(waiting) < size:
            waiting += (folder / next(parts)[0]).read_bytes()
        yield name, bytes(waiting[:size])
        del waiting[:size]


def _unpack(results_dir: Path, run: Run, files: Iterable[tuple[str, bytes]]) -> None:
    """Fills a run's folder, unless the run is finished, begun or claimed there.

    All files are written beside it first, so that a kill leaves whole phases in it, from which the run goes on.
    """
    run_dir = workspace.run_dir(results_dir, *run)
    try:
        claim = attempts.claim(run_dir)
    except attempts.Claimed:
        return
    try:
        is_done = store.path_of(workspace.records_dir(results_dir), *run).exists()
        if is_done or any(run_dir.glob("*/*.ckpt")):
            return
        partial = run_dir.with_name(f".{run_dir.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        for name, content in files:
            durable.write(partial / name.partition("/")[2], content)
        for folder in sorted(partial.iterdir(), reverse=True):  # weights first: what has a checkpoint has them
            shutil.rmtree(run_dir / folder.name, ignore_errors=True)  # logs
            folder.rename(run_dir / folder.name)
        partial.rmdir()
    finally:
        claim.end(None)


def _name(run: Run) -> str:
    return f"{run[0]}-seed{run[1]}"


def _run(name: str) -> Run:
    run_id, _, seed = name.partition("-seed")
    return run_id, int(seed)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
