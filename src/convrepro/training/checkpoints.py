"""Checkpoints and weights that are either whole or not used: a size and SHA-256 beside each file."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import torch

from convrepro import durable

_KEPT = 2
_NAME = re.compile(r"epoch([0-9]{1,9})(?:step([0-9]{1,9}))?\.ckpt")


class Position(NamedTuple):
    """Where a training stands.

    Args:
        num_epochs: that are finished and evaluated.
        num_steps: of the epoch after them that are done.
    """

    num_epochs: int
    num_steps: int = 0


class NotWhole(ValueError):
    """The bytes of a file are not those that were written."""


def save(content: dict[str, Any], path: Path) -> None:
    """Writes ``content`` whole, and what its bytes are known by beside it.

    It is written in its own folder: on another device, where a library may put temporary files, a kill between copying
    and renaming leaves a torn file.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    written = buffer.getvalue()
    durable.write(path, written)
    durable.write(_sidecar(path), _fingerprint(written))


def load(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU; never unpickled.

    Raises:
        FileNotFoundError: if there is no such file.
        NotWhole: if its bytes are not those that were written.
        ValueError: if they hold anything but tensors, numbers, texts, lists and dictionaries.
    """
    content = path.read_bytes()
    if not _is_whole(path, content):
        raise NotWhole(f"{path} is not what was written there: its size or SHA-256 is not that in {_sidecar(path)}.")
    try:
        loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what it will
        raise ValueError(f"{path} holds something else than weights, which is never loaded; delete it.") from error
    if not isinstance(loaded, dict):
        raise ValueError(f"{path} holds no checkpoint and no weights; delete it.")
    return loaded


def path_after(folder: Path, num_epochs: int, num_steps: int = 0) -> Path:
    """Of the checkpoint after so many finished epochs and, in the epoch after them, steps."""
    return folder / (f"epoch{num_epochs}step{num_steps}.ckpt" if num_steps else f"epoch{num_epochs}.ckpt")


def found(folder: Path) -> dict[Position, Path]:
    """The checkpoints of a folder, whole or not, the furthest last."""
    named = ((match, path) for path in folder.glob("*.ckpt") if (match := _NAME.fullmatch(path.name)))
    return dict(sorted((Position(int(match[1]), int(match[2] or 0)), path) for match, path in named))


def whole(folder: Path) -> dict[Position, Path]:
    """The checkpoints of a folder whose bytes are those that were written, the furthest last."""
    return {position: path for position, path in found(folder).items() if _is_whole(path, path.read_bytes())}


def remove_old(folder: Path) -> None:
    """Removes all but the last two after finished epochs, and the last two within the epoch after these."""
    kept = found(folder)
    after_epochs = [position for position in kept if position.num_steps == 0]
    newest = max(after_epochs, default=Position(0))
    within_epoch = [position for position in kept if position.num_steps and position > newest]
    for position in kept.keys() - {*after_epochs[-_KEPT:], *within_epoch[-_KEPT:]}:
        kept[position].unlink(missing_ok=True)
        _sidecar(kept[position]).unlink(missing_ok=True)


def _is_whole(path: Path, content: bytes) -> bool:
    try:
        return _sidecar(path).read_bytes() == _fingerprint(content)
    except FileNotFoundError:
        return False


def _fingerprint(content: bytes) -> bytes:
    known_by = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return (json.dumps(known_by) + "\n").encode()


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
