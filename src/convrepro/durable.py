"""Files that are either there and whole, or not there."""

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from convrepro import processes

_FULL = (errno.ENOSPC, errno.EDQUOT)
_MAX_TRIES = 10
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)  # of file systems without hard links
_TEMPORARY = re.compile(r"\..+\.([0-9a-f]{8}-\d+-\d+)\.[^.]+\.tmp")


class DiskFull(OSError):
    """There is no space left for a file; nothing else can be written there either."""


def write(path: Path, content: bytes | str) -> None:
    """Writes ``content`` to ``path`` so that readers and crashes see the old file or the whole new one.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. The folder is made if needed.

    Raises:
        DiskFull: if the disk is; names the file and the disk.
        OSError: if the folder is read-only.
    """
    with _written(path, content) as temporary:
        temporary.replace(path)


def write_new(path: Path, content: bytes | str) -> None:
    """Writes a file as ``write`` does, unless there is one: of several writers, on several machines, one succeeds.

    Raises:
        FileExistsError: if the file is there already.
        OSError: as ``write``.
    """
    with _written(path, content) as temporary:
        try:
            os.link(temporary, path)
        except OSError as error:
            if error.errno in _NO_LINKS:
                _copy_new(temporary, path)
            elif error.errno == errno.EEXIST or temporary.stat().st_nlink != 2:  # NFS may lose the answer only
                raise


def _copy_new(temporary: Path, path: Path) -> None:
    """In the place of a link, where there are none: as exclusive, but a crash may leave a part of the file."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(temporary.read_bytes())
        file.flush()
        os.fsync(file.fileno())


def remove_abandoned(folder: Path) -> None:
    """Removes the temporary files that processes of this machine left in a folder when they were killed."""
    try:
        paths = list(folder.iterdir())
    except OSError:
        return
    for path in paths:
        if (match := _TEMPORARY.fullmatch(path.name)) and processes.is_dead(match[1]):
            with suppress(OSError):
                path.unlink()


@contextmanager
def full_disk_named(path: Path) -> Iterator[None]:
    """Within it, any error of a full disk is a ``DiskFull`` that names ``path``, if it is none already."""
    try:
        yield
    except DiskFull:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no space left for {path} on the disk at {_disk(path)}; free some, then go on.") from error
        raise


def keep(path: Path, content: Any) -> None:
    """Writes what can be made again at any time, as JSON; does nothing where nothing can be written."""
    with suppress(OSError):
        write(path, json.dumps(content, separators=(",", ":")) + "\n")


def kept(path: Path) -> Any:
    """What ``keep`` wrote; None if there is none or the file is broken."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


@contextmanager
def _written(path: Path, content: bytes | str) -> Iterator[Path]:
    """A temporary file beside ``path`` that has the content, on the disk; afterwards the folder is on the disk too."""
    content = content.encode() if isinstance(content, str) else content
    with full_disk_named(path):
        descriptor, temporary = _opened(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _opened(path: Path) -> tuple[int, Path]:
    """A new temporary file beside ``path``; the folder is made, again if another process removes it meanwhile."""
    prefix, num_tries = f".{path.name}.{processes.tag(processes.this())}.", 0
    while True:
        num_tries += 1
        try:
            _make_folder(path.parent)
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
            return descriptor, Path(name)
        except (FileNotFoundError, NotADirectoryError):
            if num_tries == _MAX_TRIES:
                raise


def _disk(path: Path) -> Path:
    """Where the disk of a file is mounted."""
    place = path.resolve()
    return next(folder for folder in (place, *place.parents) if folder.is_mount())


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # not the file's: of `write_new` that would mean that another one was faster
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
