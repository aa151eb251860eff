"""Image files in folders."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convrepro.data import folder


def _write(root: Path, *, mode: str = "RGB", size: tuple[int, int] = (5, 4)) -> None:
    for part, number in (("train", 2), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            (root / part / name).mkdir(parents=True)
            for index in range(number):
                Image.new(mode, size, (10 * label + index,) * len(mode)).save(root / part / name / f"{index}.png")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_classes_are_folders_and_labels_their_order(tmp_path: Path, mode: str, channels: int) -> None:
    _write(tmp_path, mode=mode)
    images, classes = folder.read(tmp_path)
    assert classes == ["cat", "dog"]
    assert tuple(images.train.images_BCHW.shape) == (4, channels, 4, 5)
    assert images.train.labels_B.tolist() == [0, 0, 1, 1]
    assert images.train.images_BCHW[:, 0, 0, 0].tolist() == [0, 1, 10, 11]
    assert len(images.test) == 2


def test_pixels_are_those_of_the_file(tmp_path: Path) -> None:
    _write(tmp_path)
    picture = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    Image.fromarray(picture).save(tmp_path / "train" / "cat" / "0.png")
    images, _ = folder.read(tmp_path)
    assert np.array_equal(images.train.images_BCHW[0].permute(1, 2, 0).numpy(), picture)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must have a folder 'train'; put it there yourself"):
        folder.read(tmp_path)


def test_a_class_that_one_part_lacks(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "test" / "emu").mkdir()
    Image.new("RGB", (5, 4)).save(tmp_path / "test" / "emu" / "0.png")
    with pytest.raises(ValueError, match=r"train and test in .* must have the same classes, got 'emu' in one"):
        folder.read(tmp_path)


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    (tmp_path / "train" / "dog" / "1.png").write_bytes(b"<html>")
    with pytest.raises(ValueError, match=r"dog/1\.png is not an image that can be read"):
        folder.read(tmp_path)


def test_an_image_of_another_shape_is_named(tmp_path: Path) -> None:
    _write(tmp_path)
    Image.new("RGB", (9, 9)).save(tmp_path / "train" / "dog" / "1.png")
    with pytest.raises(ValueError, match=r"dog/1\.png must have the shape of the others, \(4, 5, 3\), got \(9, 9, 3\)"):
        folder.read(tmp_path)


def test_an_image_with_transparency_is_refused(tmp_path: Path) -> None:
    _write(tmp_path)
    Image.new("RGBA", (5, 4)).save(tmp_path / "train" / "dog" / "1.png")
    with pytest.raises(ValueError, match="must be grey or RGB with 8 bits, got mode RGBA"):
        folder.read(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 4\n%%EndComments\n", "it is neither JPEG nor PNG"),
        (b"P5 20000 20000 255\n", "exceeds limit"),
        (b"P5 8500 8500 255\n", "it has more than 67,108,864 pixels"),
        (b"P5 5 4 255\nxx", "(truncated|not enough)"),
    ],
    ids=["PostScript, which another program reads", "400 million pixels", "72 million pixels", "cut"],
)
def test_a_hostile_image_is_refused_by_its_header(tmp_path: Path, content: bytes, message: str) -> None:
    _write(tmp_path)
    (tmp_path / "train/dog/1.png").write_bytes(content)
    with pytest.raises(ValueError, match=rf"dog/1\.png is not an image that can be read: .*{message}") as caught:
        folder.read(tmp_path)
    assert "\n" not in str(caught.value)
