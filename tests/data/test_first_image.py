import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convrepro.data import first_image, idx


def _idx(array: np.ndarray) -> bytes:
    """0, 0, 8 (bytes), dimensions, sizes big-endian, values."""
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def _contents() -> dict[str, bytes]:
    stream = np.random.RandomState(0)
    return {
        f"MNIST/raw/{part}-{kind}-ubyte": _idx(array)
        for part, number in (("train", 5), ("t10k", 3))
        for kind, array in (
            ("images-idx3", stream.randint(0, 256, (number, 4, 3)).astype(np.uint8)),
            ("labels-idx1", np.arange(3, 3 + number, dtype=np.uint8)),
        )
    }


def test_either_part_is_the_first_training_image(tmp_path: Path, dataset_of: Callable[..., dict[str, Any]]) -> None:
    dataset = dataset_of(_contents())
    found, everything = first_image.read(dataset, tmp_path), idx.read(dataset, tmp_path)
    for part in (found.train, found.test):
        assert part.stored_MHWC.shape == (1, 4, 3, 1)  # no image is kept that is not shown
        assert part.images_BCHW.equal(everything.train.images_BCHW[:1])
        assert part.labels_B.tolist() == [3]


def test_missing_file(tmp_path: Path, dataset_of: Callable[..., dict[str, Any]]) -> None:
    dataset = dataset_of(_contents())
    (tmp_path / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels"):
        first_image.read(dataset, tmp_path)
