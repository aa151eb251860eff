"""CIFAR's pickled batches."""

import hashlib
import pickle
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import CIFAR10, CIFAR100

from convrepro.data import cifar

Make = Callable[..., dict[str, Any]]


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def batch(key: str, number: int, first: int = 0) -> bytes:
    pixels = np.arange(number * 3072).reshape(number, 3072).astype(np.uint8)
    return pickle.dumps({"data": pixels, key: [(first + i) % 10 for i in range(number)]}, protocol=2)


def publish(monkeypatch: pytest.MonkeyPatch, family: type, contents: dict[str, bytes]) -> None:
    """Makes torchvision expect these files in place of the official ones."""
    listed = [[name, hashlib.md5(content).hexdigest()] for name, content in contents.items()]
    monkeypatch.setattr(family, "train_list", listed[:-2])
    monkeypatch.setattr(family, "test_list", listed[-2:-1])
    monkeypatch.setattr(family, "meta", {**family.meta, "filename": listed[-1][0], "md5": listed[-1][1]})  # type: ignore[attr-defined]


def tiny_cifar10() -> dict[str, bytes]:
    return {
        "data_batch_1": batch("labels", 2),
        "data_batch_2": batch("labels", 3, first=2),
        "test_batch": batch("labels", 2, first=7),
        "batches.meta": pickle.dumps({"label_names": list("abcdefghij")}, protocol=2),
    }


def in_folder(folder: str, contents: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in contents.items()}


def test_batches_are_joined_in_order(tmp_path: Path, dataset_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = tiny_cifar10()
    publish(monkeypatch, CIFAR10, contents)
    image_set = cifar.read(dataset_of(in_folder("cifar-10-batches-py", contents)), tmp_path)
    assert image_set.train.labels_B.tolist() == [0, 1, 2, 3, 4]
    assert image_set.test.labels_B.tolist() == [7, 8]
    # A row of a batch holds the red plane, then green, then blue, each by rows.
    expected = np.arange(2 * 3072).astype(np.uint8).reshape(2, 3, 32, 32)
    np.testing.assert_array_equal(image_set.test.images_BCHW.numpy(), expected)


def test_images_are_not_in_memory_twice(tmp_path: Path, dataset_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five batches of 3.1 MB: beside all images, one batch at a time."""
    contents = {f"data_batch_{i}": batch("labels", 1000) for i in range(1, 6)}
    contents |= {name: content for name, content in tiny_cifar10().items() if name not in contents}
    publish(monkeypatch, CIFAR10, contents)
    dataset = dataset_of(in_folder("cifar-10-batches-py", contents))
    tracemalloc.start()
    image_set = cifar.read(dataset, tmp_path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 2 * len(image_set.train) * 3072


def test_fine_labels_of_cifar100(tmp_path: Path, dataset_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {
        "train": batch("fine_labels", 3),
        "test": batch("fine_labels", 2),
        "meta": pickle.dumps({"fine_label_names": ["a"]}, protocol=2),
    }
    publish(monkeypatch, CIFAR100, contents)
    image_set = cifar.read(dataset_of(in_folder("cifar-100-python", contents)), tmp_path)
    assert image_set.train.labels_B.tolist() == [0, 1, 2]


def test_changed_batch_is_never_unpickled(tmp_path: Path, dataset_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = tiny_cifar10()
    publish(monkeypatch, CIFAR10, contents)
    dataset = dataset_of(in_folder("cifar-10-batches-py", contents))
    bomb = pickle.dumps(Bomb(tmp_path / "exploded"))
    (tmp_path / "cifar-10-batches-py" / "data_batch_2").write_bytes(bomb)
    with pytest.raises(ValueError, match=r"/data_batch_2 in .* must hold"):
        cifar.read(dataset, tmp_path)
    assert not (tmp_path / "exploded").exists()


def test_config_cannot_vouch_for_a_pickle(tmp_path: Path, dataset_of: Make) -> None:
    """The config's checksums hold, torchvision's do not."""
    contents = tiny_cifar10() | {"data_batch_1": pickle.dumps(Bomb(tmp_path / "exploded"))}
    with pytest.raises(ValueError, match="files of tiny must be the official ones") as caught:
        cifar.read(dataset_of(in_folder("cifar-10-batches-py", contents)), tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("folders", [["elsewhere"], ["cifar-10-batches-py", "cifar-100-python"]])
def test_files_of_another_folder(tmp_path: Path, dataset_of: Make, folders: list[str]) -> None:
    dataset = dataset_of({f"{folder}/train": b"" for folder in folders})
    with pytest.raises(ValueError, match="must lie in one of cifar-10-batches-py, cifar-100-python"):
        cifar.read(dataset, tmp_path)
