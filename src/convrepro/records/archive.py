"""Records in one zip file: packed to travel, and checked one by one before any is taken in.

A zip file, not a tar file: its index lists every name and size before anything is decompressed, links and devices are
no members of their own kind, and each member has a checksum.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from convrepro import durable
from convrepro.records import merging, store
from convrepro.records.merging import Merged, RunIdOf, Source
from convrepro.records.record import Record, to_json
from convrepro.records.workspace import Run

MAX_ARCHIVE_BYTES = 32 * 2**20
MAX_TOTAL_BYTES = 256 * 2**20
_DATE = (1980, 1, 1, 0, 0, 0)  # the same records are the same bytes
# What zipfile raises on files that are cut or forged; and ours.
_DEFECTS = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, OverflowError, ValueError
)  # fmt: skip


def pack(records_dir: Path, runs: Iterable[Run], path: Path) -> None:
    """Writes the records of ``runs`` to one archive, which is then whole or not there.

    Raises:
        ValueError: if a run has no record, or a defective one.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for run_id, seed in sorted(runs):
            record = store.read(records_dir, run_id, seed)
            if record is None:
                raise ValueError(f"run {run_id} of seed {seed} has no record in {records_dir}.")
            member = zipfile.ZipInfo(f"records/{store.path_of(records_dir, run_id, seed).name}", _DATE)
            member.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(member, to_json(record), compress_type=zipfile.ZIP_DEFLATED)
    durable.write(path, content.getvalue())


def merge(path: Path, records_dir: Path, *, run_id_of: RunIdOf) -> Merged:
    """Takes an archive's records into a folder: all that are not there yet, or none at all.

    Args:
        path: of the archive.
        records_dir: of the records.
        run_id_of: from what a record says was computed to the run id that this has.

    Raises:
        ValueError: if the archive is not one, holds anything but whole, consistent records, or one that differs from a
            record of the same run that is there; nothing is written then.
        OSError: if the archive cannot be read, or a record cannot be written; those before it are whole, and the same
            call goes on after them.
    """
    (merged,) = merging.merge([source(path, run_id_of=run_id_of)], records_dir)
    return merged


def source(path: Path, *, run_id_of: RunIdOf) -> Source:
    """An archive as a source of records, read when they are asked for.

    Raises:
        ValueError: as ``load``.
        OSError: as ``load``.
    """
    content = load(path)

    def records() -> Iterator[Record | Exception]:
        try:
            yield from read(content, path, run_id_of=run_id_of)
        except ValueError as error:
            yield error

    return Source(path=path, records=records())


def load(path: Path) -> bytes:
    """The bytes of an archive.

    Raises:
        ValueError: if it is no file, or larger than an archive may be.
        OSError: if it cannot be read.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the archive in it, such as {path / 'records.zip'}.")
    if not path.is_file():
        raise ValueError(
            f"there is no {path}; name a folder of results, or an archive of records such as a campaign's records.zip."
        )
    if path.stat().st_size > MAX_ARCHIVE_BYTES:
        raise ValueError(f"an archive of records has at most {MAX_ARCHIVE_BYTES:,} bytes, {path} has more.")
    return path.read_bytes()


def read(content: bytes, path: Path, *, run_id_of: RunIdOf) -> Iterator[Record]:
    """The records of an archive, one in memory at a time; each is checked before it is given.

    Names, kinds and sizes of all members are checked before the first.

    Args:
        content: of the archive.
        path: named in errors.
        run_id_of: as in ``merge``.

    Raises:
        ValueError: if a member is no whole record under the name that the store gives it, or its numbers do not fit
            its configuration and each other.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name, member in _checked_members(archive).items():
                try:
                    record = _checked_record(archive, name, member, run_id_of)
                except _DEFECTS as error:
                    raise ValueError(f"{member.filename!r:.60}: {error}") from error
                yield record
    except _DEFECTS as error:
        raise ValueError(f"{path} is not an archive of records: {error}") from error


def _checked_members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Members by the name of their record's file."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.orig_filename.removeprefix("records/")  # zipfile cuts `filename` at a NUL
        kind = stat.S_IFMT(member.external_attr >> 16)
        if not store.is_name(name):
            raise ValueError(f"{member.orig_filename!r:.60} is not named as a record, <run id>-seed<number>.json.")
        if kind not in (0, stat.S_IFREG):
            raise ValueError(f"{member.filename} is a link or no regular file.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others unpack without bounds
            raise ValueError(f"{member.filename} must be stored or deflated.")
        if member.file_size > store.MAX_BYTES:
            raise ValueError(f"{member.filename} has more than {store.MAX_BYTES:,} bytes.")
        if name in members:
            raise ValueError(f"{name} is there twice.")
        members[name] = member
    if sum(member.file_size for member in members.values()) > MAX_TOTAL_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_TOTAL_BYTES:,} bytes.")
    return members


def _checked_record(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo, run_id_of: RunIdOf) -> Record:
    with archive.open(member) as stream:
        content = stream.read(store.MAX_BYTES + 1)
    if len(content) != member.file_size:
        raise ValueError("its size is not the one in the index.")
    return merging.checked(content, name, run_id_of=run_id_of)
