"""One encoded image."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convrepro.data import encoded

PHOTOGRAPH = {"formats": ("JPEG", "PNG", "GIF", "BMP"), "other_modes": ("L", "RGB", "CMYK", "P")}


def image_file(image: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    buffer, picture = io.BytesIO(), Image.fromarray(image)
    (picture.convert(mode) if mode else picture).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("shape", [(4, 5, 1), (4, 5, 3)])
def test_pixels_are_those_of_the_file(shape: tuple[int, int, int]) -> None:
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    content = image_file(pixels.squeeze())
    np.testing.assert_array_equal(encoded.decode(content, shape, resize=False), pixels)


def test_resizing_covers_and_cuts_the_centre() -> None:
    """A wide image: its outer quarters, which differ, are cut; what is left is halved."""
    image = np.zeros((8, 16), np.uint8)
    image[:, 4:12] = 100
    pixels = encoded.decode(image_file(image), (4, 4, 1), resize=True)
    np.testing.assert_allclose(pixels[:, 1:3], 100, atol=1)  # Lanczos' filter overshoots beside an edge


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "CMYK"), ("PNG", "L"), ("GIF", "P"), ("BMP", "RGB")])
def test_photographs_of_other_kinds_become_rgb(kind: str, mode: str) -> None:
    grey = np.full((4, 4, 3), 102, np.uint8)  # a colour of the usual palette
    pixels = encoded.decode(image_file(grey, kind, mode), (4, 4, 3), resize=False, **PHOTOGRAPH)
    assert np.abs(pixels.astype(int) - 102).max() <= 2


@pytest.mark.parametrize(
    ("content", "keys", "message"),
    [
        (b"<html>", {}, "neither JPEG nor PNG"),
        (image_file(np.zeros((4, 4), np.uint8), "GIF"), {}, "neither JPEG nor PNG"),
        (image_file(np.zeros((4, 4), np.uint8))[:40], {}, "."),
        (image_file(np.zeros((4, 4, 3), np.uint8)), {}, "its mode must be L, got RGB"),
        (image_file(np.zeros((4, 4, 4), np.uint8)), PHOTOGRAPH, "its mode must be L or RGB or CMYK or P, got RGBA"),
        (image_file(np.zeros((4, 5), np.uint8)), {}, "it must be 4x4 pixels, got 5x4"),
    ],
)
def test_what_cannot_be_used(content: bytes, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        encoded.decode(content, (4, 4, 1), resize=False, **keys)
    assert "\n" not in str(caught.value)


def test_stretching_reaches_exactly_the_size() -> None:
    """Whatever the aspect ratio, bilinear as Pillow has it."""
    image = np.random.RandomState(0).randint(0, 256, (9, 16)).astype(np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((5, 7), Image.Resampling.BILINEAR))
    pixels = encoded.decode(image_file(image), (7, 5, 1), resize=True, stretch=True)
    np.testing.assert_array_equal(pixels[:, :, 0], expected)


@pytest.mark.parametrize("stretch", [False, True])
def test_scaled_masks_hold_no_other_classes(stretch: bool) -> None:
    mask = np.random.RandomState(0).choice([1, 3], (9, 16)).astype(np.uint8)
    pixels = encoded.decode(image_file(mask), (7, 5, 1), resize=True, stretch=stretch, is_mask=True)
    assert set(np.unique(pixels)) == {1, 3}


def test_a_part_is_cut_before_scaling() -> None:
    image = np.arange(72, dtype=np.uint8).reshape(8, 9)
    pixels = encoded.decode(image_file(image), (3, 4, 1), resize=False, crop=[2, 5, 3, 4])
    np.testing.assert_array_equal(pixels[:, :, 0], image[2:5, 5:9])
    white = np.zeros((8, 9), np.uint8)
    white[2:6, 5:9] = 255
    pixels = encoded.decode(image_file(white), (2, 2, 1), resize=True, stretch=True, crop=[2, 5, 4, 4])
    assert pixels.tolist() == [[[255], [255]], [[255], [255]]]


@pytest.mark.parametrize("crop", [[6, 0, 3, 4], [0, 6, 3, 4], [-1, 0, 3, 4], [0, 0, 0, 4]])
def test_a_part_that_lies_outside(crop: list[int]) -> None:
    with pytest.raises(ValueError, match=r"its part of \d+x\d+ pixels at .* lies outside 9x8"):
        encoded.decode(image_file(np.zeros((8, 9), np.uint8)), (3, 4, 1), resize=False, crop=crop)
