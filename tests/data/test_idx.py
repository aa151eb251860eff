"""MNIST's format."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convrepro.data import idx

Make = Callable[..., dict[str, Any]]


def idx_bytes(array: np.ndarray, shape: tuple[int, ...] | None = None) -> bytes:
    """The format of yann.lecun.com/exdb/mnist: 0, 0, 8 (bytes), dimensions, sizes big-endian, values."""
    shape = array.shape if shape is None else shape
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + array.tobytes()


def contents(**changes: bytes) -> dict[str, bytes]:
    stream = np.random.RandomState(0)
    parts = {"train": 5, "t10k": 3}
    whole = {}
    for part, number in parts.items():
        images = stream.randint(0, 256, (number, 4, 3)).astype(np.uint8)
        whole[f"X/raw/{part}-images-idx3-ubyte"] = idx_bytes(images)
        whole[f"X/raw/{part}-labels-idx1-ubyte"] = idx_bytes(np.arange(number, dtype=np.uint8))
    return whole | {f"X/raw/{name.replace('_', '-')}": content for name, content in changes.items()}


def test_images_and_labels_come_back(tmp_path: Path, dataset_of: Make) -> None:
    whole = contents()
    image_set = idx.read(dataset_of(whole), tmp_path)
    assert image_set.train.images_BCHW.shape == (5, 1, 4, 3)
    assert image_set.test.labels_B.tolist() == [0, 1, 2]
    flat = np.frombuffer(whole["X/raw/t10k-images-idx3-ubyte"][16:], np.uint8)
    np.testing.assert_array_equal(image_set.test.images_BCHW.numpy().ravel(), flat)


def test_gzipped_files(tmp_path: Path, dataset_of: Make) -> None:
    whole = contents()
    dataset = dataset_of(whole)
    for name, content in whole.items():
        (tmp_path / name).unlink()
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    assert len(idx.read(dataset, tmp_path).train) == 5


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\0\0\x08",
        idx_bytes(np.zeros((5, 4, 3), np.uint8), shape=(2**31, 4, 3)),
        idx_bytes(np.zeros((5, 4, 3), np.uint8), shape=(6, 4, 3)),
        idx_bytes(np.zeros((5, 12), np.uint8)),
        b"\0\0\x0c" + idx_bytes(np.zeros((5, 4, 3), np.uint8))[3:],
        b"\0\0\x63" + idx_bytes(np.zeros((5, 4, 3), np.uint8))[3:],
        idx_bytes(np.zeros((1, 1, 1, 1, 1), np.uint8)),
        b"<html>not found</html>",
    ],
    ids=["empty", "cut", "2**31 items", "one too many", "flat", "int32", "no type", "5-d", "html"],
)
def test_header_that_does_not_fit(tmp_path: Path, dataset_of: Make, hostile: bytes) -> None:
    dataset = dataset_of(contents(train_images_idx3_ubyte=hostile))
    with pytest.raises(ValueError, match="train-images-idx3-ubyte must be idx") as caught:
        idx.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_labels_for_other_images(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of(contents(train_labels_idx1_ubyte=idx_bytes(np.zeros(4, np.uint8))))
    with pytest.raises(ValueError, match="each image needs one label"):
        idx.read(dataset, tmp_path)


def test_changed_file_is_refused_before_it_is_parsed(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of(contents())
    path = tmp_path / "X/raw/train-labels-idx1-ubyte"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ValueError, match="must have sha256"):
        idx.read(dataset, tmp_path)
