"""Image packs, whole and hostile."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convrepro.data import pack, splits

Make = Callable[..., dict[str, Any]]
OPTIONS = {"first_label": 0, "split_ids": {"train": [0], "test": [1]}}


def encoded(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def arrays_of(images: list[bytes], **changes: np.ndarray) -> dict[str, np.ndarray]:
    number = len(images)
    return {
        "blob": np.frombuffer(b"".join(images), np.uint8),
        "offsets": np.cumsum([0, *map(len, images)]),
        "labels": np.arange(number) % 3,
        "split": (np.arange(number) >= number - 2).astype(np.uint8),
    } | changes


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def grey(number: int = 6, side: int = 4) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (number, side, side)).astype(np.uint8)


def read(tmp_path: Path, dataset_of: Make, content: bytes, **keys: Any) -> Any:
    config = {"in_channels": 1, "image_size": [4, 4], "options": OPTIONS, **keys}
    return pack.read(dataset_of({"tiny.npz": content}, **config), tmp_path)


def test_images_labels_and_split(tmp_path: Path, dataset_of: Make) -> None:
    images = grey()
    image_set = read(tmp_path, dataset_of, npz(arrays_of([encoded(image) for image in images])))
    np.testing.assert_array_equal(image_set.train.images_BCHW.numpy()[:, 0], images[:4])
    np.testing.assert_array_equal(image_set.test.images_BCHW.numpy()[:, 0], images[4:])
    assert image_set.train.labels_B.tolist() == [0, 1, 2, 0]
    assert image_set.test.labels_B.tolist() == [1, 2]


def test_jpeg_is_decoded_as_pillow_does(tmp_path: Path, dataset_of: Make) -> None:
    images = [encoded(np.full((8, 8, 3), 40 * i, np.uint8), "JPEG") for i in range(6)]
    image_set = read(tmp_path, dataset_of, npz(arrays_of(images)), in_channels=3, image_size=[8, 8])
    expected = np.asarray(Image.open(io.BytesIO(images[1]))).transpose(2, 0, 1)
    np.testing.assert_array_equal(image_set.train.images_BCHW[1].numpy(), expected)


def test_labels_that_start_at_one(tmp_path: Path, dataset_of: Make) -> None:
    content = npz(arrays_of([encoded(i) for i in grey()], labels=np.array([1, 2, 3, 1, 2, 3], np.uint8)))
    image_set = read(tmp_path, dataset_of, content, options={**OPTIONS, "first_label": 1})
    assert image_set.train.labels_B.tolist() == [0, 1, 2, 0]


def test_label_below_the_first(tmp_path: Path, dataset_of: Make) -> None:
    content = npz(arrays_of([encoded(i) for i in grey()]))
    with pytest.raises(ValueError, match="labels must count from 0, got -1"):
        read(tmp_path, dataset_of, content, options={**OPTIONS, "first_label": 1})


def test_pack_without_a_split_gets_a_fixed_one(tmp_path: Path, dataset_of: Make) -> None:
    arrays = arrays_of([encoded(i) for i in grey(12)])
    del arrays["split"]
    _, held_out = splits.stratified(arrays["labels"], 3)
    options = {"first_label": 0, "test_images": 3, "test_indices_sha256": splits.sha256_of(held_out)}
    image_set = read(tmp_path, dataset_of, npz(arrays), options=options)
    assert image_set.test.labels_B.tolist() == arrays["labels"][held_out].tolist()
    assert len(image_set.train) == 9


def test_resize_covers_and_cuts_the_centre(tmp_path: Path, dataset_of: Make) -> None:
    """8 x 4 pixels, cut to the 4 x 4 in the middle: nothing is scaled, so the pixels are the same."""
    images = [np.arange(32, dtype=np.uint8).reshape(4, 8) + i for i in range(6)]
    content = npz(arrays_of([encoded(image) for image in images]))
    image_set = read(tmp_path, dataset_of, content, options={**OPTIONS, "resize": [4, 4]})
    np.testing.assert_array_equal(image_set.train.images_BCHW[0, 0].numpy(), images[0][:, 2:6])


@pytest.mark.parametrize("num_channels", [1, 3])
def test_written_pack_is_lossless_and_deterministic(tmp_path: Path, dataset_of: Make, num_channels: int) -> None:
    images = torch.randint(0, 256, (6, num_channels, 5, 4), dtype=torch.uint8)
    labels, split = torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 0, 0, 0, 1, 1])
    for name in ("a.npz", "b.npz"):
        pack.write(tmp_path / name, images, labels, split, ["x", "y", "z"])
    content = (tmp_path / "a.npz").read_bytes()
    assert content == (tmp_path / "b.npz").read_bytes()
    image_set = read(tmp_path, dataset_of, content, in_channels=num_channels, image_size=[5, 4])
    assert torch.equal(image_set.train.images_BCHW, images[:4])
    assert image_set.test.labels_B.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("num_channels", "num_split", "classes"), [(2, 6, ["x", "y"]), (1, 5, ["x", "y"]), (1, 6, ["x"])]
)
def test_pack_that_does_not_fit_is_not_written(
    tmp_path: Path, num_channels: int, num_split: int, classes: list[str]
) -> None:
    images = torch.zeros(6, num_channels, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match="a pack needs 1 or 3 channels"):
        pack.write(tmp_path / "a.npz", images, torch.tensor([0, 1] * 3), torch.zeros(num_split), classes)
    assert not (tmp_path / "a.npz").exists()


def with_header(array: np.ndarray, shape: tuple[int, ...], dtype: str = "<i8") -> bytes:
    """An .npy file whose header claims another shape or type."""
    buffer = io.BytesIO()
    claim = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, claim)
    return buffer.getvalue() + array.tobytes()


def with_member(arrays: dict[str, np.ndarray], name: str, content: bytes) -> bytes:
    whole = {key: with_header(a, a.shape, np.lib.format.dtype_to_descr(a.dtype)) for key, a in arrays.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in (whole | {name: content}).items():
            archive.writestr(f"{key}.npy", value)
    return buffer.getvalue()


def claiming(content: bytes, name: bytes, size: int) -> bytes:
    """The zip file with another uncompressed size for a member in its directory."""
    start = content.rindex(name) - 46  # the directory's entry is 46 bytes before the name, its size at 24
    return content[: start + 24] + struct.pack("<I", size) + content[start + 28 :]


IMAGES = [encoded(image) for image in grey()]
WHOLE = arrays_of(IMAGES)
LABELS = WHOLE["labels"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npz(WHOLE)[:-30], "not an image pack"),
        (npz(WHOLE)[: len(npz(WHOLE)) // 2], "not an image pack"),
        (b"<html>", "not an image pack: File is not a zip file"),
        (npz({key: array for key, array in WHOLE.items() if key != "blob"}), "no item named 'blob.npy'"),
        (npz(WHOLE | {"labels": LABELS.astype(object)}), "a list of integers, its header says object"),
        (npz(WHOLE | {"labels": LABELS.astype(float)}), "a list of integers, its header says float64"),
        (npz(WHOLE | {"labels": LABELS.reshape(2, 3)}), r"must be a list of integers, .* int64 \(2, 3\)"),
        (with_member(WHOLE, "labels", with_header(LABELS, (2**31,))), r"header says int64 \(2147483648,\)"),
        (with_member(WHOLE, "labels", with_header(LABELS, (-1,))), "must have a header of numbers as NumPy writes it"),
        (with_member(WHOLE, "labels", b"\x93NUMPY\x09\x00"), "not an image pack"),
        (with_member(WHOLE, "labels", b"junk"), "not an image pack"),
        (claiming(npz(WHOLE), b"blob.npy", 2**32 - 1), "not an image pack: it unpacks to more than"),
        (npz(WHOLE | {"offsets": WHOLE["offsets"][::-1]}), "offsets of tiny.npz must rise from 0"),
        (npz(WHOLE | {"offsets": WHOLE["offsets"][[0, 2, 1, 3, 4, 5, 6]]}), "must rise from 0"),
        (npz(WHOLE | {"offsets": WHOLE["offsets"] + 1}), "must rise from 0"),
        (npz(WHOLE | {"offsets": WHOLE["offsets"][:-1]}), "must rise from 0 .* in 6 steps"),
        (npz(WHOLE | {"offsets": np.array([], np.int64)}), "offsets.npy must be a list of integers"),
        (npz(WHOLE | {"split": WHOLE["split"][:-1]}), "must say the split of 6 images, got 5"),
        (npz(WHOLE | {"split": np.zeros(6, np.uint8)}), "at least one"),
    ],
)  # fmt: skip
def test_hostile_pack(tmp_path: Path, dataset_of: Make, content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, dataset_of, content)
    assert "\n" not in str(caught.value)


def huge_png(side: int) -> bytes:
    """A PNG whose header says side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (huge_png(50_000), "exceeds limit"),
        (huge_png(12_000), "exceeds limit"),
        (huge_png(8_500), "more than 67,108,864 pixels"),
        (IMAGES[2][:48], "image 2 of tiny.npz cannot be used"),
        (b"GIF89a junk", "it is neither JPEG nor PNG"),
        (encoded(np.zeros((4, 4), np.uint8), "GIF"), "it is neither JPEG nor PNG"),
        (encoded(np.zeros((4, 4, 3), np.uint8)), "its mode must be L, got RGB"),
        (encoded(np.zeros((4, 5), np.uint8)), "it must be 4x4 pixels, got 5x4"),
    ],
    ids=["50k x 50k", "12k x 12k", "8.5k x 8.5k", "cut", "junk", "gif", "colour", "shape"],
)
def test_hostile_image(tmp_path: Path, dataset_of: Make, image: bytes, message: str) -> None:
    content = npz(arrays_of([*IMAGES[:2], image, *IMAGES[3:]]))
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, dataset_of, content)
    assert str(caught.value).startswith("image 2 of tiny.npz cannot be used: ")
    assert "\n" not in str(caught.value)


def test_images_that_would_fill_the_memory(tmp_path: Path, dataset_of: Make) -> None:
    with pytest.raises(ValueError, match="must decode to at most 4,294,967,296 bytes"):
        read(tmp_path, dataset_of, npz(WHOLE), image_size=[60_000, 60_000])


def with_masks(masks: list[np.ndarray], **changes: np.ndarray) -> bytes:
    content = [encoded(mask) for mask in masks]
    extra = {
        "mask_blob": np.frombuffer(b"".join(content), np.uint8),
        "mask_offsets": np.cumsum([0, *map(len, content)]),
    }
    return npz(arrays_of(IMAGES, **(extra | changes)))


SEGMENTED = {"options": {**OPTIONS, "masks": True, "first_mask_label": 1}, "num_classes": 3}


def test_masks_lie_beside_the_images(tmp_path: Path, dataset_of: Make) -> None:
    masks = [mask % 3 + 1 for mask in grey()]
    image_set = read(tmp_path, dataset_of, with_masks(masks), **SEGMENTED)
    np.testing.assert_array_equal(image_set.train.masks.images_BCHW.numpy()[:, 0], np.array(masks[:4]) - 1)
    np.testing.assert_array_equal(image_set.test.masks.images_BCHW.numpy()[:, 0], np.array(masks[4:]) - 1)
    assert image_set.test.labels_B.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("masks", "changes", "message"),
    [
        ([np.full((4, 4), 4, np.uint8)] * 6, {}, r"mask 0 of tiny.npz must have pixels of 1 \.\. 3, got 4 \.\. 4"),
        ([np.full((4, 5), 1, np.uint8)] * 6, {}, "mask 0 of tiny.npz cannot be used: it must be 4x4 pixels, got 5x4"),
        ([np.full((4, 4), 1, np.uint8)] * 5, {}, "mask_offsets of tiny.npz must rise from 0 .* mask_blob in 6 steps"),
        ([np.ones((4, 4, 3), np.uint8)] * 6, {}, "its mode must be L, got RGB"),
        ([np.ones((4, 4), np.uint8)] * 6, {"mask_blob": np.zeros(0)}, "mask_blob.npy must be a list of integers"),
    ],
)
def test_hostile_masks(
    tmp_path: Path, dataset_of: Make, masks: list[np.ndarray], changes: dict[str, np.ndarray], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, dataset_of, with_masks(masks, **changes), **SEGMENTED)


def test_masks_that_are_missing(tmp_path: Path, dataset_of: Make) -> None:
    with pytest.raises(ValueError, match=r"tiny.npz is not an image pack: .*mask_blob\.npy"):
        read(tmp_path, dataset_of, npz(WHOLE), **SEGMENTED)


def test_official_validation_part(tmp_path: Path, dataset_of: Make) -> None:
    content = npz(arrays_of(IMAGES, split=np.array([0, 1, 2, 0, 1, 2], np.uint8)))
    split_ids = {"train": [0], "validation": [1], "test": [2]}
    image_set = read(tmp_path, dataset_of, content, options={"first_label": 0, "split_ids": split_ids})
    assert [part.labels_B.tolist() for part in image_set.parts] == [[0, 0], [1, 1], [2, 2]]
    assert image_set.validation.stored_MHWC is image_set.train.stored_MHWC


def test_a_part_of_each_image_is_stretched(tmp_path: Path, dataset_of: Make) -> None:
    """Rows 1 to 3 and columns 2 to 4 of 4 x 4, twice as large."""
    options = {**OPTIONS, "crop": [1, 2, 2, 2], "resize": [4, 4], "stretch": True}
    image_set = read(tmp_path, dataset_of, npz(arrays_of(IMAGES)), options=options)
    expected = Image.fromarray(grey()[0][1:3, 2:4]).resize((4, 4), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(image_set.train.images_BCHW[0, 0].numpy(), np.asarray(expected))


def test_images_are_stored_larger_than_networks_get_them(tmp_path: Path, dataset_of: Make) -> None:
    image_set = read(tmp_path, dataset_of, npz(arrays_of(IMAGES)), image_size=[2, 2], stored_size=[4, 4])
    assert image_set.train.image_shape == (1, 4, 4)
