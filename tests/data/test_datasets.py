"""From config to images."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convrepro import config_files
from convrepro.data import ImageSet, datasets, downloads, load, pack

Make = Callable[..., dict[str, Any]]
NOWHERE = Path("/does/not/exist")


def digits(**changes: Any) -> dict[str, Any]:
    return config_files.load("dataset", "digits") | changes


def tiny(tmp_path: Path, dataset_of: Make) -> dict[str, Any]:
    images = torch.zeros(4, 1, 4, 4, dtype=torch.uint8)
    pack.write(tmp_path / "p.npz", images, torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1]), ["a", "b"])
    return dataset_of(
        {"p.npz": (tmp_path / "p.npz").read_bytes()},
        _target_="convrepro.data.pack.read",
        num_classes=2,
        in_channels=1,
        image_size=[4, 4],
        num_train_images=2,
        num_test_images=2,
        options={"first_label": 0, "split_ids": {"train": [0], "test": [1]}},
    )


def test_reader_of_the_config_is_called(tmp_path: Path, dataset_of: Make) -> None:
    image_set = load(tiny(tmp_path, dataset_of), tmp_path, download=False)
    assert isinstance(image_set, ImageSet)
    assert image_set.train.labels_B.tolist() == [0, 1]


@pytest.mark.parametrize("download", [False, True])
def test_digits_need_no_folder(download: bool) -> None:
    assert len(load(digits(), NOWHERE, download=download).train) == 1297


def test_missing_files_are_fetched_only_with_permission(
    tmp_path: Path, dataset_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = tiny(tmp_path, dataset_of)
    content = (tmp_path / "p.npz").read_bytes()
    (tmp_path / "p.npz").unlink()
    with pytest.raises(FileNotFoundError, match="put it there yourself"):
        load(dataset, tmp_path, download=False)

    def fetch(_: dict[str, Any], data_dir: Path) -> None:
        (data_dir / "p.npz").write_bytes(content)

    monkeypatch.setattr(downloads, "fetch", fetch)
    assert len(load(dataset, tmp_path, download=True).train) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 9}, "labels of digits must lie below `num_classes` 9, got 9"),
        ({"in_channels": 3}, r"images of digits must be 3x8x8 \(`in_channels`, `image_size`\), got 1x8x8"),
        ({"image_size": [8, 9]}, "must be 1x8x9"),
        ({"num_train_images": 1298}, "`num_train_images` of digits must be 1297, got 1298"),
        ({"num_test_images": 1}, "`num_test_images` of digits must be 500, got 1"),
    ],
)
def test_images_that_are_not_what_the_config_says(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(digits(**changes), NOWHERE, download=False)


@pytest.mark.parametrize("target", ["os.system", "convrepro.data.digits.hashlib.new", "builtins.open"])
def test_target_outside_the_package(target: str) -> None:
    with pytest.raises(ValueError, match="`_target_`"):
        datasets.load(digits(_target_=target), NOWHERE, download=False)


# SHA-256 of the pixels of the training, then the test part; of JPEG as libjpeg-turbo decodes it.
REAL = {
    "digits": "89d7089e8b96eab7",
    "mnist": "5b92582eb909c82a",
    "fashion_mnist": "0fbbfcb392782b3b",
    "cifar10_jpeg": "253675e92001b3d9",
}


@pytest.mark.parametrize("name", REAL)
def test_real_data(name: str) -> None:
    data_dir = Path(os.environ.get("CONVREPRO_DATA", NOWHERE))
    dataset = config_files.load("dataset", name)
    try:
        image_set = load(dataset, data_dir, download=False)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    parts = [part.images_BCHW.numpy() for part in (image_set.train, image_set.test)]
    digest = hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
    assert digest.startswith(REAL[name])
    # Sums over the histogram, so that 150 million pixels need no float copy.
    for channel, (mean, std) in enumerate(zip(dataset["mean"], dataset["std"], strict=True)):
        counts = np.bincount(parts[0][:, channel].ravel(), minlength=256)
        levels = np.arange(256) / 255
        exact_mean = np.average(levels, weights=counts)
        exact_std = np.sqrt(np.average((levels - exact_mean) ** 2, weights=counts))
        assert (mean, std) == (pytest.approx(exact_mean, abs=5e-5), pytest.approx(exact_std, abs=5e-5))
