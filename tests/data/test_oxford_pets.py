"""Oxford-IIIT Pet, in the layout of its archives."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.data import layouts
from torchvision import datasets

from convrepro import data
from convrepro.data import decoding, oxford_pets


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "cpu_count", lambda: 1)


PARTS = {"train": "trainval", "test": "test"}


@pytest.mark.parametrize("part", PARTS)
def test_parts_are_those_of_torchvision(tmp_path: Path, part: str) -> None:
    found = getattr(oxford_pets.read(layouts.oxford_pets(tmp_path), tmp_path), part)
    theirs = datasets.OxfordIIITPet(str(tmp_path), PARTS[part], ["category", "segmentation"])
    assert found.names == [path.relative_to(tmp_path).as_posix() for path in theirs._images]
    assert found.masks == [path.relative_to(tmp_path).as_posix() for path in theirs._segs]
    assert found.labels_B.tolist() == theirs._labels


def test_images_and_masks_are_stretched_whatever_their_format(tmp_path: Path) -> None:
    """A JPEG, a GIF that is named .jpg and a PNG with transparency, which is shown as it is stored."""
    dataset = layouts.oxford_pets(tmp_path)
    images = data.load(dataset, tmp_path, download=False)
    listed = oxford_pets.read(dataset, tmp_path)
    for part, files in ((images.train, listed.train), (images.test, listed.test)):
        assert part.masks is not None
        assert files.masks is not None
        for i, (name, mask) in enumerate(zip(files.names, files.masks, strict=True)):
            with Image.open(tmp_path / name) as image:
                expected = np.asarray(image.convert("RGB").resize((6, 6), Image.Resampling.BILINEAR))
            assert np.array_equal(part.images_BCHW[i].permute(1, 2, 0).numpy(), expected)
            with Image.open(tmp_path / mask) as image:
                expected = np.asarray(image.resize((6, 6), Image.Resampling.NEAREST)) - 1
            assert np.array_equal(part.masks.images_BCHW[i, 0].numpy(), expected)


def test_a_mask_that_is_none_is_named(tmp_path: Path) -> None:
    dataset = layouts.oxford_pets(tmp_path)
    mask = tmp_path / "oxford-iiit-pet/annotations/trimaps/Abyssinian_2.png"
    Image.fromarray(np.full((9, 9), 4, np.uint8)).save(mask)
    with pytest.raises(ValueError, match=r"Abyssinian_2\.png must have pixels of 1 \.\. 3, got 4"):
        data.load(dataset, tmp_path, download=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("images/Abyssinian_1.jpg", None, r"Abyssinian_1\.jpg is missing, which oxford-iiit-pet/annotations/test\.txt"),
        ("images/Abyssinian_1.JPG", b"x", r"Abyssinian_1\.JPG is wrongly named: files in oxford-iiit-pet/images must"),
        ("images/Abyssinian_3.jpg", b"x", "must hold 6 images, 2 of them in no list, as the archive does; got 7, 3 of"),
        ("images/Abyssinian_103.mat", b"x", r"Abyssinian_103\.mat is wrongly named"),
        ("images/Abyssinian_1.jpg", b"", r"Abyssinian_1\.jpg is empty"),
        ("annotations/trimaps/Abyssinian_1.png", None, r"Abyssinian_1\.png is missing, the trimap of an image"),
        ("annotations/trimaps/Abyssinian_9.png", b"x", r"Abyssinian_9\.png must be the trimap of an image, got none"),
        ("annotations/trimaps/Abyssinian_1.bmp", b"x", r"Abyssinian_1\.bmp must be the trimap of an image, got none"),
        ("annotations/trimaps/_Abyssinian_1.png", b"x", r"_Abyssinian_1\.png must be the trimap of an image"),
        ("annotations/test.txt", None, r"no oxford-iiit-pet/annotations/test\.txt in "),
        ("annotations/test.txt", b"Abyssinian_1 1 1\n", r"a line of .*/test\.txt must be <image> <label> <species> "),
        ("annotations/test.txt", b"Abyssinian_1 0 1 1\n", r"a line of .*/test\.txt must be <image> <label> <species> "),
        ("annotations/test.txt", b"Abyssinian_1 2 1 1\n", r"label 2 must be american_bulldog in every line, got 'Aby"),
        ("annotations/test.txt", b"Abyssinian_1 1 1 1\n", r"test\.txt must list 2 images, got 1\."),
        (
            "annotations/test.txt",
            b"Abyssinian_1 1 1 1\nBengal_1 4 1 1\n",
            r"the label in 1 \.\. 2, got 'Bengal_1 4 1 1'",
        ),
    ],
)
def test_a_defect_is_named(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    dataset = layouts.oxford_pets(tmp_path)
    path = tmp_path / "oxford-iiit-pet" / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        oxford_pets.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", ["1" + "0" * 30, "9" * 5000, "3", "0", "\u0661"])
def test_a_label_that_there_is_not(tmp_path: Path, label: str) -> None:
    """Some are too large for the machine's integers, or for Python to read at all."""
    dataset = layouts.oxford_pets(tmp_path)
    (tmp_path / "oxford-iiit-pet/annotations/test.txt").write_text(f"Abyssinian_1 {label} 1 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"the label in 1 \.\. 2, got 'Abyssinian_1 ") as caught:
        oxford_pets.read(dataset, tmp_path)
    assert len(str(caught.value)) < 250
