"""Tiny data sets, described as a config describes them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import convrepro  # noqa: F401  (before any test imports torchvision: beside a CPU-only torch it needs help)


def described(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.fixture
def dataset_of(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Writes files into ``tmp_path`` and returns the config node that names them."""

    def make(contents: dict[str, bytes], **keys: Any) -> dict[str, Any]:
        for name, content in contents.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
        described_files = {name: described(content) for name, content in contents.items()}
        return {"name": "tiny", "files": described_files, "downloads": [], "options": {}, **keys}

    return make
