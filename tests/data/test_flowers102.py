"""Oxford 102 Flowers, in the layout of its archive."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data import layouts
from torchvision import datasets

from convrepro import config_files
from convrepro.data import files, flowers102, load

PARTS = {"train": "train", "validation": "val", "test": "test"}


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_those_of_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    found = getattr(flowers102.read(layouts.flowers102(tmp_path), tmp_path), part)
    monkeypatch.setattr(datasets.Flowers102, "_check_integrity", lambda _: True)  # of the official .mat files
    theirs = datasets.Flowers102(str(tmp_path), PARTS[part])
    assert found.names == [path.relative_to(tmp_path).as_posix() for path in theirs._image_files]
    assert found.labels_B.tolist() == theirs._labels


def test_order_and_labels(tmp_path: Path) -> None:
    found = flowers102.read(layouts.flowers102(tmp_path), tmp_path)
    assert found.train.names == ["flowers-102/jpg/image_00004.jpg", "flowers-102/jpg/image_00002.jpg"]
    assert found.train.labels_B.tolist() == [1, 0]
    assert found.test.labels_B.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("name", "other", "message"),
    [
        ("jpg/image_00002.jpg", "00002.jpg", r"image_00002\.jpg is missing, which trnid of setid\.mat lists\."),
        ("jpg/image_00007.jpg", "jpg/image_00007.JPG", r"image_00007\.JPG is there instead\."),
        ("README", "jpg/image_00008.jpg", "got 8, 1 of them in no list: jpg/image_00008"),
        ("setid.mat", "set.mat", r"no flowers-102/setid\.mat in .*; put it there yourself"),
        ("jpg", "images", "no flowers-102/jpg in .*; put it there yourself"),
    ],
)
def test_a_defect_is_named(tmp_path: Path, name: str, other: str, message: str) -> None:
    dataset = layouts.flowers102(tmp_path)
    folder = tmp_path / "flowers-102"
    (folder / "README").write_text("about\n")
    (folder / name).rename(folder / other)
    with pytest.raises((ValueError, FileNotFoundError), match=message.replace(" jpg/", " flowers-102/jpg/")) as caught:
        flowers102.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_those_of_the_config(tmp_path: Path) -> None:
    dataset = layouts.flowers102(tmp_path)
    with pytest.raises(ValueError, match=r"^trnid must list 3 images, got 2\.$"):
        flowers102.read(dataset | {"num_train_images": 3}, tmp_path)
    with pytest.raises(ValueError, match=r"^flowers102 must have 3 classes, got 2\.$"):
        flowers102.read(dataset | {"num_classes": 3}, tmp_path)


def test_a_changed_image_is_decoded_anew(tmp_path: Path) -> None:
    """The checksums of the two .mat files do not pin the images."""
    dataset, cache_dir = layouts.flowers102(tmp_path), tmp_path / "cache"
    before = load(dataset, tmp_path, download=False, cache_dir=cache_dir).train.images_BCHW
    again = load(dataset, tmp_path, download=False, cache_dir=cache_dir).train.images_BCHW
    layouts.photograph(tmp_path / "flowers-102/jpg/image_00004.jpg", 77)
    after = load(dataset, tmp_path, download=False, cache_dir=cache_dir).train.images_BCHW
    assert torch.equal(before, again)
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1], after[1])


def test_a_changed_mat_file_is_refused(tmp_path: Path) -> None:
    dataset = layouts.flowers102(tmp_path)
    path = tmp_path / "flowers-102/setid.mat"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"setid\.mat in .* must have sha256"):
        flowers102.read(dataset, tmp_path)


def test_the_official_files(tmp_path: Path) -> None:
    """Nilsback and Zisserman 2008: 10 + 10 images of each class, 20 to 238 for testing; no image is in two parts."""
    data_dir = Path(os.environ.get("CONVREPRO_DATA", "/does/not/exist"))
    dataset = config_files.load("dataset", "flowers102")
    for name in dataset["files"]:
        if not (data_dir / name).is_file():
            pytest.skip(f"no {name}")
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((data_dir / name).read_bytes())
    (tmp_path / "flowers-102/jpg").mkdir()
    (tmp_path / "image.jpg").write_bytes(b"JFIF")
    for number in range(1, 8190):
        os.link(tmp_path / "image.jpg", tmp_path / f"flowers-102/jpg/image_{number:05d}.jpg")
    found = flowers102.read(dataset, tmp_path)
    assert found.validation is not None
    counts = np.bincount(found.test.labels_B)
    assert (counts.min(), counts.max()) == (20, 238)
    parts = (found.train, found.validation, found.test)
    assert [len(part) for part in parts] == [1020, 1020, 6149]
    assert len(set().union(*(part.names for part in parts))) == 8189


def test_checksums_are_those_that_torchvision_publishes() -> None:
    published = {name: md5 for name, md5 in datasets.Flowers102._file_dict.values() if name.endswith(".mat")}
    dataset = config_files.load("dataset", "flowers102")
    assert {Path(name).name: expected["md5"] for name, expected in dataset["files"].items()} == published
    for name, expected in dataset["files"].items():
        path = Path(os.environ.get("CONVREPRO_DATA", "/does/not/exist"), name)
        assert not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() == expected["sha256"]
        assert files.mismatch(b"", expected).startswith("must hold")
