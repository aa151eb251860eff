"""Resampled crops against Pillow and torchvision, shifts and zooms against scipy."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as reference

from convrepro.data import resampling


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def random_images(num_images: int, height: int, width: int, channels: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (num_images, height, width, channels), dtype=torch.uint8, generator=generator())


BOXES = torch.tensor([[0, 0, 20, 24], [3, 5, 9, 11], [2, 0, 18, 7], [19, 23, 1, 1], [4, 4, 12, 10]])


def test_boxes_are_resampled_as_pillow_does() -> None:
    """Boxes that shrink and that grow; Pillow rounds twice, so a level of difference is its own."""
    images = random_images(5, 20, 24)
    found = resampling.crop_to_size(images, BOXES, (12, 10))
    for image_HWC, box, ours in zip(images, BOXES.tolist(), found, strict=True):
        top, left, height, width = box
        part = Image.fromarray(image_HWC.numpy()).crop((left, top, left + width, top + height))
        expected = np.asarray(part.resize((10, 12), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(ours.numpy().astype(int) - expected).max() <= 1


def test_boxes_are_resampled_as_torchvision_does() -> None:
    """Against its float path, from which a byte differs by rounding only."""
    images = random_images(5, 20, 24)
    found = resampling.crop_to_size(images, BOXES, (12, 10))
    for image_HWC, box, ours in zip(images, BOXES.tolist(), found, strict=True):
        image_CHW = image_HWC.permute(2, 0, 1).to(torch.float64)
        expected = reference.resized_crop(image_CHW, *box, [12, 10], InterpolationMode.BILINEAR, antialias=True)
        torch.testing.assert_close(ours.permute(2, 0, 1).to(torch.float64), expected, atol=0.501, rtol=0)


def test_a_box_of_the_size_shown_is_copied() -> None:
    images = random_images(2, 20, 24)
    found = resampling.crop_to_size(images, torch.tensor([[1, 2, 12, 10], [8, 14, 12, 10]]), (12, 10))
    assert torch.equal(found[0], images[0, 1:13, 2:12])
    assert torch.equal(found[1], images[1, 8:20, 14:24])


def test_masks_in_boxes_keep_their_classes() -> None:
    """The class at the middle of each shown pixel, as torchvision's exact nearest has it."""
    masks = random_images(5, 20, 24, 1) % 3
    found = resampling.crop_to_size(masks, BOXES, (12, 10), nearest=True)
    for mask_HW1, box, ours in zip(masks, BOXES.tolist(), found, strict=True):
        expected = reference.resized_crop(mask_HW1.permute(2, 0, 1), *box, [12, 10], InterpolationMode.NEAREST_EXACT)
        assert torch.equal(ours.permute(2, 0, 1), expected)


AFFINE = torch.tensor(
    [[0.0, 0.0, 1.0, 1.0], [0.2, -0.2, 1.0, 1.0], [0.0, 0.0, 0.9, 1.1], [-0.13, 0.07, 1.05, 0.93]], dtype=torch.float64
)


def moved_by_scipy(image_HWC: np.ndarray, affine: list[float], order: int) -> np.ndarray:
    """As Keras composes it: to the centre, zoom, back and shift; each channel alone."""
    shift, scale = np.array(affine[:2]) * image_HWC.shape[:2], np.array(affine[2:])
    centre = (np.array(image_HWC.shape[:2]) - 1) / 2
    channels = [
        ndimage.affine_transform(channel, scale, offset=centre + shift - scale * centre, order=order, mode="nearest")
        for channel in np.moveaxis(image_HWC, 2, 0)
    ]
    return np.stack(channels, 2)


def test_shift_and_zoom_are_scipys_affine_transform() -> None:
    images = random_images(4, 20, 24)
    found = resampling.shift_and_zoom(images, AFFINE)
    for image_HWC, affine, ours in zip(images.numpy(), AFFINE.tolist(), found.numpy(), strict=True):
        expected = moved_by_scipy(image_HWC.astype(np.float64), affine, order=1)
        assert np.abs(ours - expected).max() <= 0.501


def test_masks_are_shifted_and_zoomed_to_the_nearest_pixel() -> None:
    masks = random_images(4, 20, 24, 1) % 3
    found = resampling.shift_and_zoom(masks, AFFINE, nearest=True)
    for mask_HW1, affine, ours in zip(masks.numpy(), AFFINE.tolist(), found.numpy(), strict=True):
        np.testing.assert_array_equal(ours, moved_by_scipy(mask_HW1, affine, order=0))


def test_a_shift_of_whole_pixels_repeats_the_border() -> None:
    """A fifth of 5 pixels is one: the image moves up and left by it."""
    image = torch.arange(25, dtype=torch.uint8).view(1, 5, 5, 1)
    found = resampling.shift_and_zoom(image, torch.tensor([[0.2, 0.2, 1.0, 1.0]], dtype=torch.float64))[0, :, :, 0]
    expected = image[0, [1, 2, 3, 4, 4]][:, [1, 2, 3, 4, 4], 0]
    assert torch.equal(found, expected)


def test_an_image_does_not_depend_on_the_others_of_its_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_images(4, 20, 24)
    together = resampling.shift_and_zoom(images, AFFINE)
    monkeypatch.setattr(resampling, "_VALUES_AT_ONCE", 3 * 20 * 24 * 3)
    assert torch.equal(resampling.shift_and_zoom(images, AFFINE), together)
    alone = [resampling.shift_and_zoom(images[i : i + 1], AFFINE[i : i + 1]) for i in range(4)]
    assert torch.equal(together, torch.cat(alone))


def test_boxes_have_the_area_and_aspect_that_are_asked_for() -> None:
    """Of 64 x 64: rounding to pixels moves an area of 8 % by at most a tenth or so."""
    boxes = resampling.draw_boxes([0.08, 1.0], [3 / 4, 4 / 3], 4000, (64, 64), generator())
    top, left, height, width = boxes.unbind(1)
    assert bool((top >= 0).all())
    assert bool((left >= 0).all())
    assert bool((top + height <= 64).all())
    assert bool((left + width <= 64).all())
    area, aspect = height * width / 64**2, width / height
    assert 0.07 < float(area.min()) < 0.1
    assert float(area.max()) > 0.95
    assert 0.7 < float(aspect.min()) < float(aspect.max()) < 1.43
    # Boxes near the whole image fit less often; below half of it the aspect does not matter, and areas are uniform.
    small = area[area < 0.5]
    assert float(small.mean()) == pytest.approx(0.29, abs=0.01)
    assert float(aspect[area < 0.5].log().mean()) == pytest.approx(0.0, abs=0.02)
    assert float(aspect[area < 0.5].log().std()) == pytest.approx(math.log(16 / 9) / math.sqrt(12), abs=0.02)


def test_boxes_are_anywhere() -> None:
    """An area of a quarter, square: 32 of 64 pixels, so 33 places on each axis."""
    boxes = resampling.draw_boxes([0.25, 0.25], [1.0, 1.0], 4000, (64, 64), generator())
    assert boxes[:, 2:].unique().tolist() == [32]
    for corner in (boxes[:, 0], boxes[:, 1]):
        assert sorted(corner.unique().tolist()) == list(range(33))
        assert float(corner.float().mean()) == pytest.approx(16, abs=0.6)


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((10, 40), [0.75, 1.3], [0, 13, 10, 13]),
        ((40, 10), [0.75, 1.3], [13, 0, 13, 10]),
        ((10, 10), [0.75, 1.3], [0, 0, 10, 10]),
    ],
)
def test_an_image_without_a_box_shows_its_centre(
    size: tuple[int, int], aspect: list[float], expected: list[int]
) -> None:
    """No box of that area fits in ten tries: 10 x 13 of 10 x 40 in the middle (40 - 13) // 2."""
    boxes = resampling.draw_boxes([1.5, 1.5], aspect, 3, size, generator())
    assert boxes.tolist() == [expected] * 3


def test_shifts_and_zooms_are_uniform_and_of_each_axis_alone() -> None:
    affine = resampling.draw_affine(0.2, 0.1, 4000, generator())
    for column, middle, reach in zip(affine.unbind(1), (0.0, 0.0, 1.0, 1.0), (0.2, 0.2, 0.1, 0.1), strict=True):
        assert float((column - middle).abs().max()) == pytest.approx(reach, rel=0.01)
        assert float(column.std()) == pytest.approx(2 * reach / math.sqrt(12), rel=0.05)
    assert np.abs(np.corrcoef(affine.numpy().T) - np.eye(4)).max() < 0.06
