"""Files that are either there and whole, or not there."""

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


def write(path: Path, content: bytes | str) -> None:
    """Writes ``content`` to ``path`` so that readers and crashes see the old file or the whole new one.

    Temporary file in the same folder, flush, fsync, rename, fsync of the folder. The folder is made if needed.

    Raises:
        OSError: if the disk is full or the folder read-only; ``path`` is then what it was.
    """
    content = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def keep(path: Path, content: Any) -> None:
    """Writes what can be made again at any time, as JSON; does nothing where nothing can be written."""
    with suppress(OSError):
        write(path, json.dumps(content, separators=(",", ":")) + "\n")


def kept(path: Path) -> Any:
    """What ``keep`` wrote; None if there is none or the file is broken."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
