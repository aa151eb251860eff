"""Checkpoints and weights that are either whole or not used: a size and SHA-256 beside each file."""

import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from convrepro import durable

_KEPT = 2
_NAME = re.compile(r"epoch(\d+)\.ckpt")


class DurableCheckpointIO(TorchCheckpointIO):
    """Lightning's saving, with the file written whole beside its target and verified when read.

    Lightning writes to the system's temporary folder and moves from there; where that is another device, a kill
    leaves a torn file.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        assert storage_options is None
        save(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        assert weights_only is not False, "checkpoints are never unpickled"
        content = Path(path).read_bytes()
        loaded: dict[str, Any] = torch.load(io.BytesIO(content), map_location=map_location or "cpu", weights_only=True)
        return loaded

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)
        _sidecar(Path(path)).unlink(missing_ok=True)


def save(content: dict[str, Any], path: Path) -> None:
    """Writes ``content`` whole, and what its bytes are known by beside it."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    durable.write(path, buffer.getvalue())
    durable.write(_sidecar(path), json.dumps(_fingerprint(buffer.getvalue())) + "\n")


def load_whole(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU; never unpickled.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if its bytes are not those that were written.
    """
    path.stat()
    if not _is_whole(path):
        raise ValueError(f"{path} is not what was written there: its size or SHA-256 is not that in {_sidecar(path)}.")
    return DurableCheckpointIO().load_checkpoint(path)


def path_after(folder: Path, num_finished_epochs: int) -> Path:
    return folder / f"epoch{num_finished_epochs}.ckpt"


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint whose bytes are those that were written, or None."""
    return next((path for path in reversed(_by_epoch(folder)) if _is_whole(path)), None)


def remove_old(folder: Path) -> None:
    """Removes all but the newest two checkpoints."""
    for path in _by_epoch(folder)[:-_KEPT]:
        DurableCheckpointIO().remove_checkpoint(path)


def _by_epoch(folder: Path) -> list[Path]:
    found = [(int(match[1]), path) for path in folder.glob("*.ckpt") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def _is_whole(path: Path) -> bool:
    try:
        expected = json.loads(_sidecar(path).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    return bool(expected == _fingerprint(path.read_bytes()))


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")
