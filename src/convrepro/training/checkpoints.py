"""Checkpoints and weights that are either whole or not used: a size and SHA-256 beside each file."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import torch

from convrepro import durable

_KEPT = 2
_NAME = re.compile(r"epoch(\d+)\.ckpt")


def save(content: dict[str, Any], path: Path) -> None:
    """Writes ``content`` whole, and what its bytes are known by beside it.

    It is written in its own folder: on another device, where a library may put temporary files, a kill between copying
    and renaming leaves a torn file.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    durable.write(path, buffer.getvalue())
    durable.write(_sidecar(path), json.dumps(_fingerprint(buffer.getvalue())) + "\n")


def load(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU; never unpickled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if its bytes are not those that were written.
    """
    content = path.read_bytes()
    if not _is_whole(path, content):
        raise ValueError(f"{path} is not what was written there: its size or SHA-256 is not that in {_sidecar(path)}.")
    loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return loaded


def path_after(folder: Path, num_finished_epochs: int) -> Path:
    return folder / f"epoch{num_finished_epochs}.ckpt"


def whole(folder: Path) -> dict[int, Path]:
    """The checkpoints whose bytes are those that were written, by their number of finished epochs."""
    return {epoch: path for epoch, path in _by_epoch(folder) if _is_whole(path, path.read_bytes())}


def remove_old(folder: Path) -> None:
    """Removes all but the newest two checkpoints."""
    for _, path in _by_epoch(folder)[:-_KEPT]:
        path.unlink(missing_ok=True)
        _sidecar(path).unlink(missing_ok=True)


def _by_epoch(folder: Path) -> list[tuple[int, Path]]:
    found = [(int(match[1]), path) for path in folder.glob("*.ckpt") if (match := _NAME.fullmatch(path.name))]
    return sorted(found)


def _is_whole(path: Path, content: bytes) -> bool:
    try:
        expected = json.loads(_sidecar(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return bool(expected == _fingerprint(content))


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
