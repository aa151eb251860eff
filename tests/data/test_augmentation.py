"""Random crop, flip and erasing against literal loops, NumPy and torchvision; statistics of the draws."""

import hashlib
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from convrepro import config_files
from convrepro.data import augmentation as augment

NONE, CIFAR, FASHION = (
    config_files.load("recipe/augmentation", name) for name in ("none", "dk_cifar", "dk_fashion_mnist")
)


GOLDEN = "8b1607d85097ade64b387eea6019a2586a1df5c2deaf88c7d8e7b5a6e2284817"


def draws(augmentation: dict[str, Any], num_images: int = 1000, **keys: Any) -> augment.EpochDraws:
    arguments = {"image_size": (28, 28), "seed": 0, "epoch": 0} | keys
    return augment.draw(augmentation, num_images=num_images, **arguments)


def random_images(num_images: int, height: int, width: int, channels: int) -> torch.Tensor:
    shape = (num_images, height, width, channels)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def equal(one: augment.EpochDraws, other: augment.EpochDraws) -> bool:
    given = {name: value for name, value in vars(one).items() if value is not None}
    return all(torch.equal(value, vars(other)[name]) for name, value in given.items())


def test_same_seed_and_epoch_same_draws() -> None:
    assert equal(draws(FASHION, seed=3, epoch=7), draws(FASHION, seed=3, epoch=7))


def test_draws_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    draws(FASHION)
    assert torch.equal(torch.get_rng_state(), before)


def test_no_two_seeds_or_epochs_share_their_order() -> None:
    """Seed 1 of epoch 2 is not seed 2 of epoch 1, nor seed 12 of epoch 3 seed 1 of epoch 23."""
    pairs = [(seed, epoch) for seed in range(20) for epoch in range(20)] + [(12, 3), (1, 23)]
    orders = {tuple(draws(NONE, 30, seed=seed, epoch=epoch).order_N.tolist()) for seed, epoch in pairs}
    assert len(orders) == len(set(pairs))


def test_order_does_not_depend_on_the_augmentation() -> None:
    assert torch.equal(draws(NONE).order_N, draws(FASHION).order_N)


def test_draws_are_the_same_forever() -> None:
    """Golden: records can be reproduced only while this stream stays. MT19937 and torch's CPU kernels."""
    epoch = draws(FASHION, 5000, seed=1, epoch=2)
    drawn = (epoch.order_N, epoch.offsets_N2, epoch.flips_N, epoch.erasures_N4)
    content = b"".join(tensor.numpy().astype("<i8").tobytes() for tensor in drawn)
    assert hashlib.sha256(content).hexdigest() == GOLDEN


def test_order_is_a_permutation() -> None:
    assert sorted(draws(NONE, 100).order_N.tolist()) == list(range(100))


def test_no_augmentation_changes_nothing() -> None:
    epoch = draws(NONE)
    assert not epoch.offsets_N2.any()
    assert not epoch.flips_N.any()
    assert not epoch.erasures_N4.any()


def test_offsets_are_uniform_over_all_windows() -> None:
    """81 windows, 81,000 draws: 1,000 each, standard deviation 31.4; 6 of them allowed."""
    offsets = draws(CIFAR, 81_000).offsets_N2
    counts = torch.bincount(offsets[:, 0] * 9 + offsets[:, 1], minlength=81)
    assert counts.shape == (81,)
    assert (counts - 1000).abs().max() < 6 * math.sqrt(1000 * 80 / 81)


def test_half_of_the_images_are_flipped_and_erased() -> None:
    """40,000 draws: 20,000, standard deviation 100; 5 of them allowed."""
    epoch = draws(FASHION, 40_000)
    assert abs(int(epoch.flips_N.sum()) - 20_000) < 500
    erased_N = epoch.erasures_N4[:, 2] > 0
    assert abs(int(erased_N.sum()) - 20_000) < 500
    # Independent of each other: a quarter has both (standard deviation 87).
    assert abs(int((erased_N & epoch.flips_N).sum()) - 10_000) < 435


def test_erased_rectangles_lie_inside_and_are_smaller_than_the_image() -> None:
    top, left, height, width = draws(FASHION, 20_000, image_size=(28, 24)).erasures_N4.unbind(1)
    assert int(height.max()) < 28
    assert int(width.max()) < 24
    assert int((top + height).max()) <= 28
    assert int((left + width).max()) <= 24
    assert int(top.min()) == int(left.min()) == 0


def rectangles_of_a_literal_loop(num_images: int, side: int, seed: int) -> np.ndarray:
    """Random erasing as the code of Zhong et al. states it, one image at a time, with NumPy's generator."""
    stream, found = np.random.RandomState(seed), []
    for _ in range(num_images):
        for _ in range(100):
            area = stream.uniform(0.02, 0.4) * side * side
            aspect = stream.uniform(0.3, 1 / 0.3)
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if height < side and width < side:
                top, left = stream.randint(0, side - height + 1), stream.randint(0, side - width + 1)
                found.append((top, left, height, width))
                break
    return np.array(found)


def test_rectangles_are_distributed_as_in_a_literal_loop() -> None:
    """Means of top, left, height, width and area of 20,000 rectangles differ by under 5 standard errors."""
    ours = draws(FASHION | {"erase_probability": 1.0}, 20_000).erasures_N4.double().numpy()
    theirs = rectangles_of_a_literal_loop(20_000, 28, seed=1).astype(float)
    assert len(theirs) == len(ours)
    ours, theirs = (np.column_stack([r, r[:, 2] * r[:, 3]]) for r in (ours, theirs))
    for one, other in zip(ours.T, theirs.T, strict=True):
        error = math.sqrt((one.var() + other.var()) / 20_000)
        assert abs(one.mean() - other.mean()) < 5 * error
        assert one.std() == pytest.approx(other.std(), rel=0.05)


def test_rectangle_that_never_fits_is_given_up() -> None:
    """The whole area at aspect 1 is as large as the image, which is not smaller than it."""
    never = FASHION | {"erase_probability": 1.0, "erase_area": [1.0, 1.0], "erase_aspect": [1.0, 1.0]}
    assert not draws(never, 10).erasures_N4.any()


NUMPY_MODE = {"zero": "constant", "reflect": "reflect", "edge": "edge"}


@pytest.mark.parametrize("mode", augment.CROP_MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_crop_is_a_window_of_the_padded_image(mode: str, channels: int) -> None:
    images, epoch = random_images(12, 7, 9, channels), draws(CIFAR, 12, image_size=(7, 9))
    cropped = augment.crop(augment.pad(images, 4, mode), epoch.offsets_N2, (7, 9))
    for i, (image, (top, left)) in enumerate(zip(images, epoch.offsets_N2.tolist(), strict=True)):
        whole = np.pad(image.numpy(), ((4, 4), (4, 4), (0, 0)), mode=NUMPY_MODE[mode])  # type: ignore[call-overload]
        np.testing.assert_array_equal(cropped[i].numpy(), whole[top : top + 7, left : left + 9])


@pytest.mark.parametrize("mode", augment.CROP_MODES)
@pytest.mark.parametrize("padding", [0, 1, 6])
def test_padding_is_that_of_numpy(mode: str, padding: int) -> None:
    """6 is the most that a reflection of 7 pixels can give."""
    images = random_images(2, 7, 9, 3)
    width = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    expected = np.pad(images.numpy(), width, mode=NUMPY_MODE[mode])  # type: ignore[call-overload]
    np.testing.assert_array_equal(augment.pad(images, padding, mode).numpy(), expected)


def test_padding_of_a_row() -> None:
    row = torch.tensor([1, 2, 3, 4], dtype=torch.uint8).view(1, 1, 4, 1).expand(1, 4, 4, 1)
    assert augment.pad(row, 2, "reflect")[0, 3, :, 0].tolist() == [3, 2, 1, 2, 3, 4, 3, 2]
    assert augment.pad(row, 2, "edge")[0, 3, :, 0].tolist() == [1, 1, 1, 2, 3, 4, 4, 4]
    assert augment.pad(row, 2, "zero")[0, 3, :, 0].tolist() == [0, 0, 1, 2, 3, 4, 0, 0]


def test_flip_mirrors_left_to_right() -> None:
    images = random_images(4, 3, 5, 3)
    flipped = augment.flip(images, torch.tensor([True, False, True, False]))
    for i, image in enumerate(images):
        planes = image.permute(2, 0, 1)
        expected = reference.horizontal_flip(planes) if i % 2 == 0 else planes
        assert torch.equal(flipped[i].permute(2, 0, 1), expected)


def test_erasing_fills_every_channel_of_the_rectangle() -> None:
    images = random_images(50, 28, 28, 3).float()
    rectangles = draws(FASHION, 50).erasures_N4
    expected = images.clone()
    for image, (top, left, height, width) in zip(expected, rectangles.tolist(), strict=True):
        image[top : top + height, left : left + width, :] = 0.4914
    assert torch.equal(augment.erase(images, rectangles, 0.4914), expected)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("crop_mode", "wrap", "`crop_mode` must be one of zero, reflect, edge, got 'wrap'"),
        ("crop_padding", -1, r"`crop_padding` must be an integer in \[0, 27\], got -1"),
        ("crop_padding", 28, r"`crop_padding` must be an integer in \[0, 27\], got 28"),
        ("crop_padding", 2.5, "`crop_padding` must be an integer"),
        ("flip_probability", float("nan"), r"`flip_probability` must be a number in \[0.0, 1.0\], got nan"),
        ("flip_probability", "half", "`flip_probability` must be a number .* got 'half'"),
        ("erase_probability", 1.5, "`erase_probability` must be a number"),
        ("erase_probability", True, "`erase_probability` must be a number"),
        ("erase_area", [0.4, 0.02], r"`erase_area\[0\]` must be a number in \[0.001, 0.02\], got 0.4"),
        ("erase_area", 0.4, r"`erase_area` must be a pair \[least, greatest\], got 0.4"),
        ("erase_aspect", [0.0, 1.0], r"`erase_aspect\[0\]` must be a number in \[0.001, 1.0\], got 0.0"),
        ("erase_tries", 0, r"`erase_tries` must be an integer in \[1, 10000\], got 0"),
        ("erase_value", None, "`erase_value` must be a number"),
    ],
)
def test_value_out_of_range(key: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draws(FASHION | {key: value})


@pytest.mark.parametrize("key", sorted({key for key in FASHION if FASHION[key] is not None} - {"about", "name"}))
def test_missing_key(key: str) -> None:
    with pytest.raises(ValueError, match=f"`{key}"):
        draws({name: value for name, value in FASHION.items() if name != key})


MORE = {
    "resized_crop_area": [0.08, 1.0], "resized_crop_aspect": [0.75, 1.3], "shift": 0.2, "zoom": 0.1,
    "brightness_of_flipped": 0.2,
}  # fmt: skip


def test_what_is_drawn_last_changes_nothing_before_it() -> None:
    more = draws(FASHION | MORE, stored_size=(32, 32))
    assert equal(draws(FASHION), more)
    assert equal(draws(FASHION | dict.fromkeys(MORE)), more)
    assert equal(replace(draws(FASHION, stored_size=(32, 30)), windows_N2=None), more)
    assert more.windows_N2 is None  # a box takes its place


def test_windows_lie_inside_the_stored_image() -> None:
    windows = draws(FASHION, stored_size=(32, 30)).windows_N2
    assert windows is not None
    assert windows.amin(0).tolist() == [0, 0]
    assert windows.amax(0).tolist() == [4, 2]


def test_only_mirrored_images_change_their_brightness() -> None:
    """Uniformly, by up to a fifth of 255: the standard deviation is 102 / sqrt(12)."""
    epoch = draws(NONE | {"flip_probability": 0.5, "brightness_of_flipped": 0.2}, 4000)
    assert epoch.brightness_N is not None
    assert torch.equal(epoch.brightness_N != 0, epoch.flips_N)
    changes = epoch.brightness_N[epoch.flips_N]
    assert float(changes.abs().max()) == pytest.approx(51, rel=0.01)
    assert float(changes.std()) == pytest.approx(102 / math.sqrt(12), rel=0.05)


def test_brightness_stays_within_bytes() -> None:
    images = torch.tensor([0, 100, 250], dtype=torch.uint8).view(1, 1, 3, 1).repeat(3, 1, 1, 1)
    found = augment.brighten(images, torch.tensor([10.0, -10.4, 0.6]))
    assert found.flatten(1).tolist() == [[10, 110, 255], [0, 90, 240], [1, 101, 251]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resized_crop_aspect": None}, r"`resized_crop_aspect` must be a pair \[least, greatest\], got None"),
        ({"resized_crop_area": None}, r"`resized_crop_area` must be a pair \[least, greatest\], got None"),
        ({"resized_crop_area": [0.1, 1.5]}, r"`resized_crop_area\[1\]` must be a number in \[0.001, 1.0\], got 1.5"),
        ({"shift": -0.1}, r"`shift` must be a number in \[0.0, 1.0\], got -0.1"),
        ({"zoom": 1.0}, r"`zoom` must be a number in \[0.0, 0.99\], got 1.0"),
        ({"brightness_of_flipped": "much"}, "`brightness_of_flipped` must be a number"),
    ],
)
def test_movement_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draws(FASHION | MORE | changes)


def test_stored_images_smaller_than_those_shown() -> None:
    with pytest.raises(ValueError, match=r"at least as large as those shown, \(28, 28\), got \(28, 27\)"):
        draws(NONE, stored_size=(28, 27))
