"""From config to images."""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.data.trees import tree_of

from convrepro import config_files
from convrepro.data import ImageSet, ImageSplit, datasets, decoded, downloads, load, pack

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


def test_a_second_load_needs_no_source(tmp_path: Path, dataset_of: Make) -> None:
    dataset, cache_dir = tiny(tmp_path, dataset_of), tmp_path / "cache"
    first = load(dataset, tmp_path, download=False, cache_dir=cache_dir)
    (tmp_path / "p.npz").unlink()
    second = load(dataset, NOWHERE, download=False, cache_dir=cache_dir)
    assert torch.equal(first.train.images_BCHW, second.train.images_BCHW)
    with pytest.raises(FileNotFoundError):
        load(dataset, tmp_path, download=False)


def test_another_config_is_read_anew(tmp_path: Path, dataset_of: Make) -> None:
    dataset, cache_dir = tiny(tmp_path, dataset_of), tmp_path / "cache"
    load(dataset, tmp_path, download=False, cache_dir=cache_dir)
    swapped = dataset | {"options": {"first_label": 0, "split_ids": {"train": [1], "test": [0]}}}
    (tmp_path / "p.npz").unlink()
    with pytest.raises(FileNotFoundError):
        load(swapped, tmp_path, download=False, cache_dir=cache_dir)


def test_a_set_whose_config_has_no_checksum_is_not_kept(tmp_path: Path) -> None:
    """Its sources may change, and the config would not tell."""
    dataset = digits() | {"options": {}, "_target_": f"{__name__}.read_zeros"}
    load(dataset, tmp_path, download=False, plugins=["tests"], cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def read_zeros(dataset: dict[str, Any], data_dir: Path) -> ImageSet:
    return ImageSet(
        *(ImageSplit(torch.zeros(n, 1, 8, 8, dtype=torch.uint8), torch.arange(n) % 10) for n in (1297, 500))
    )


def test_a_corrupt_file_is_made_anew(tmp_path: Path, dataset_of: Make, caplog: pytest.LogCaptureFixture) -> None:
    dataset, cache_dir = tiny(tmp_path, dataset_of), tmp_path / "cache"
    load(dataset, tmp_path, download=False, cache_dir=cache_dir)
    (path,) = cache_dir.rglob("*.bin")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\x07")
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))  # writes in a row may bear the same time
    assert not load(dataset, tmp_path, download=False, cache_dir=cache_dir).test.images_BCHW.any()
    assert path.read_bytes() == content
    assert "is not what was written there; tiny is decoded again" in caplog.text


@pytest.mark.parametrize("obstacle", ["file", "full"])
def test_without_a_place_nothing_is_kept(
    tmp_path: Path,
    dataset_of: Make,
    obstacle: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    cache_dir = tmp_path / "cache"
    if obstacle == "file":
        cache_dir.write_bytes(b"")
    else:
        monkeypatch.setattr(decoded, "_write_images", full)
    assert len(load(tiny(tmp_path, dataset_of), tmp_path, download=False, cache_dir=cache_dir).train) == 2
    assert "decoded images of tiny cannot be kept: " in caplog.text
    assert not list(tmp_path.rglob("*.bin*"))


def test_two_that_load_at_once_decode_once(tmp_path: Path, dataset_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, read, calls = tiny(tmp_path, dataset_of), datasets._read, []

    def slow_read(*arguments: Any, **keys: Any) -> Any:
        calls.append(arguments)
        time.sleep(0.1)
        return read(*arguments, **keys)

    monkeypatch.setattr(datasets, "_read", slow_read)
    with ThreadPoolExecutor(4) as threads:
        sets = list(threads.map(lambda _: load(dataset, tmp_path, download=False, cache_dir=tmp_path), range(4)))
    assert len(calls) == 1
    assert all(torch.equal(one.train.images_BCHW, sets[0].train.images_BCHW) for one in sets)


def test_a_tree_is_the_same_with_and_without_a_cache(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    plain = load(dataset, tmp_path, download=False)
    cached = load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache")
    assert plain.train.labels_B.tolist() == [0] * 6 + [1] * 6
    assert torch.equal(plain.train.images_BCHW, cached.train.images_BCHW)
    assert torch.equal(plain.test.images_BCHW, cached.test.images_BCHW)


def test_a_large_tree_needs_a_cache(tmp_path: Path) -> None:
    """16 images of 6 x 6 x 3 bytes."""
    dataset = tree_of(tmp_path)
    with pytest.raises(ValueError, match=r"tree decodes to 1,728 bytes, more than the 1,727 .* needs a `cache_dir`"):
        load(dataset, tmp_path, download=False, max_resident_bytes=1727)
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(ValueError, match="needs a `cache_dir` that can be written: "):
        load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache", max_resident_bytes=1727)
    assert load(dataset, tmp_path, download=False, max_resident_bytes=1728).train.stays_in is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 1}, r"^tree must have 1 classes, got 2\.$"),
        ({"num_train_images": 13}, "set/train must hold 13 images, got 12: 6 in each class"),
    ],
)
def test_tree_that_is_not_what_the_config_says(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(tree_of(tmp_path) | changes, tmp_path, download=False, cache_dir=tmp_path / "cache")


def test_verifying_a_tree_reads_every_file(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    assert datasets.verify(dataset, tmp_path) == (12, 4, dataset["options"]["content_sha256"])
    path = tmp_path / "set/train/dog/2.png"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"`options\.content_sha256` of tree"):
        datasets.verify(dataset, tmp_path)


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


def test_what_is_not_pinned_is_kept_until_a_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, cache_dir, calls, read = tree_of(tmp_path), tmp_path / "cache", [], datasets._read
    pinned = dataset["options"]["content_sha256"]
    assert load(dataset, tmp_path, download=False).content_sha256 == ""
    dataset["options"]["content_sha256"] = ""
    monkeypatch.setattr(datasets, "_read", lambda *a, **k: calls.append(a) or read(*a, **k))
    for _ in range(2):
        assert load(dataset, tmp_path, download=False, cache_dir=cache_dir).content_sha256 == pinned
    assert len(calls) == 1
    assert load(dataset, tmp_path, download=False).content_sha256 == pinned
    path = tmp_path / "set/train/dog/2.png"
    path.write_bytes((tmp_path / "set/train/dog/1.png").read_bytes() + b"\0")
    changed = load(dataset, tmp_path, download=False, cache_dir=cache_dir)
    assert changed.content_sha256 not in ("", pinned)
    assert datasets.verify(dataset, tmp_path) == (12, 4, changed.content_sha256)
    shutil.copytree(tmp_path / "set", tmp_path / "other/set")
    calls.clear()
    load(dataset, tmp_path / "other", download=False, cache_dir=cache_dir)
    assert len(calls) == 1


def test_validation_images_are_counted(tmp_path: Path, dataset_of: Make) -> None:
    dataset = tiny(tmp_path, dataset_of) | {"num_validation_images": 1}
    with pytest.raises(ValueError, match="`num_validation_images` of tiny must be None, got 1"):
        load(dataset, tmp_path, download=False)
    split_ids = {"train": [0], "validation": [1], "test": [1]}
    dataset = dataset | {"options": {"first_label": 0, "split_ids": split_ids}, "num_validation_images": 2}
    found = load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache")
    assert [len(part) for part in found.parts] == [2, 2, 2]
    del dataset["num_validation_images"]
    with pytest.raises(ValueError, match="`num_validation_images` of tiny must be 2, got None"):
        load(dataset, tmp_path, download=False)


def test_stored_size_is_that_of_the_images(tmp_path: Path, dataset_of: Make) -> None:
    dataset = tiny(tmp_path, dataset_of) | {"image_size": [3, 2], "stored_size": [4, 4]}
    found = load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache")
    assert found.train.image_shape == (1, 4, 4)
    with pytest.raises(ValueError, match=r"images of digits must be 1x9x9 \(`in_channels`, `stored_size`\), got 1x8x8"):
        load(digits(stored_size=[9, 9]), NOWHERE, download=False)


def test_masks_are_asked_for_in_the_config(tmp_path: Path) -> None:
    dataset = digits(
        _target_=f"{__name__}.read_segmented", image_size=[4, 4], num_train_images=2, num_test_images=1, num_classes=2
    )
    with pytest.raises(ValueError, match=r"`options\.masks` of digits must be True"):
        load(dataset, tmp_path, download=False, plugins=["tests"])
    dataset = dataset | {"options": {"masks": True}}
    found = load(dataset, tmp_path, download=False, plugins=["tests"])
    assert found.test.labels_B.tolist() == [9]  # of what is shown; `num_classes` counts those of pixels


def read_segmented(dataset: dict[str, Any], data_dir: Path) -> ImageSet:
    zeros, labels = torch.zeros(3, 1, 4, 4, dtype=torch.uint8), torch.tensor([0, 5, 9])
    everything = ImageSplit(zeros, labels, masks=ImageSplit(zeros, labels))
    return ImageSet(everything.subset([0, 1]), everything.subset([2]))


# SHA-256 of pixels, then masks, of the training, then the test part.
CUT_SEGMENTED_OR_MADE = {
    "lfw_pack": "df8c897633c2ffed",
    "oxford_pets_pack": "5c331a5534c2b337",
    "mnist_cluttered_generated": "1b85a69f1ad244ea",
}


@pytest.mark.parametrize("name", CUT_SEGMENTED_OR_MADE)
def test_real_data_that_is_cut_segmented_or_made(name: str) -> None:
    dataset = config_files.load("dataset", name)
    try:
        found = load(dataset, Path(os.environ.get("CONVREPRO_DATA", NOWHERE)), download=False)
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    digest = hashlib.sha256()
    for part in found.parts:
        for images in (part, part.masks):
            if images is not None:
                digest.update(images.images_BCHW.numpy().tobytes())
    assert digest.hexdigest().startswith(CUT_SEGMENTED_OR_MADE[name])
