"""MNIST-Cluttered: 60x60 images of a digit among pieces of other digits, as published or made of MNIST."""

# Shapes: B images, V values of an image, H height, W width, D distractors, S side of a distractor.

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convrepro.data import files, idx, npz
from convrepro.data.image_set import ImageSet, ImageSplit

_PARTS = {"train": ("train", "valid"), "test": ("test",)}  # of the file: the authors train on both
_CHUNK_BYTES = 1 << 24
_IMAGES_AT_ONCE = 1 << 12
_MAX_DISTRACTORS = 255  # whose sum, and the digit, fit 16 bits


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads the published ``.npz`` file: images as numbers from 0 to 1, labels one-hot.

    Its arrays are ``x_train``, ``x_valid``, ``x_test``, (B, V), and ``y_train``, ``y_valid``, ``y_test``, (B, classes).
    The training and the validation part are trained on. Numbers are rounded to bytes.

    ``options`` of the config: ``folders`` names the folder of the file, ``file`` the file in it, ``content_sha256`` is
    its SHA-256, or "" for any that fits the config.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if it is broken or not what the config says; nothing in it is unpickled, and what its headers claim
            is checked before memory is taken.
    """
    options = dataset["options"]
    (folder,) = options["folders"].values()
    path = files.inside(data_dir, f"{folder}/{options['file']}")
    if not path.is_file():
        raise FileNotFoundError(f"no {folder}/{options['file']} in {data_dir}; {files.remedy(dataset, data_dir)}.")
    found = _sha256_of(path)
    if (expected := options["content_sha256"]) and found != expected:
        raise ValueError(f"{path} must have sha256 {expected[:16]}..., got {found[:16]}...")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [_read_part(archive, part, names, dataset) for part, names in _PARTS.items()]
    except npz.BROKEN as error:
        where = f"{path.relative_to(data_dir)} in {data_dir}"  # a long message is cut in the middle
        raise ValueError(f"{where} cannot be read as MNIST-Cluttered: {npz.reason(error)}.") from error
    return ImageSet(*parts, content_sha256="" if expected else found)


def generate(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Makes cluttered images of MNIST's, which ``files`` of the config names: one of each digit, in its order.

    On black, ``num_distractors`` squares of ``distractor_side`` pixels, each cut out of another digit of the same part
    at a random place, are added at random places, and clipped at white; then the digit is added at a random place, and
    clipped. All places are uniform, and inside the image. The steps are those of google-deepmind/mnist-cluttered, the
    side of the image and the number of distractors those of the published file.

    ``options`` of the config: ``num_distractors``, ``distractor_side`` and ``seed``; ``images_sha256`` is the SHA-256
    of the bytes of all training, then all test images. The numbers are drawn from NumPy's ``RandomState``, whose stream
    is frozen (NEP 19).

    Deviations:
        How the published file was made is not known in detail; this set has other images, and no distortion.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is not the one of the config, or the images are not those of ``options.images_sha256``.
    """
    digits, options = idx.read(dataset, data_dir), dataset["options"]
    parts, digest = [], hashlib.sha256()
    for number, part in enumerate((digits.train, digits.test)):
        images_BHW = clutter(
            part.images_BCHW.numpy()[:, 0],
            tuple(dataset["image_size"]),
            num_distractors=options["num_distractors"],
            side=options["distractor_side"],
            stream=np.random.RandomState([options["seed"], number]),
        )
        digest.update(images_BHW.data)
        parts.append(ImageSplit(torch.from_numpy(images_BHW).unsqueeze(1), part.labels_B))
    if (found := digest.hexdigest()) != (expected := options["images_sha256"]):
        raise ValueError(
            f"`options.images_sha256` of {dataset['name']} must be that of its images, {found}, got {expected}."
        )
    return ImageSet(*parts)


def clutter(
    digits_BHW: np.ndarray,
    image_size: tuple[int, int],
    *,
    num_distractors: int,
    side: int,
    stream: np.random.RandomState,
) -> np.ndarray:
    """Images of digits among pieces of others: see ``generate``.

    Args:
        digits_BHW: ``uint8``, at least two.
        image_size: height and width of the images, at least those of the digits.
        num_distractors: pieces in each image.
        side: of a piece, pixels, at most that of the digits.
        stream: draws, for all images, how many digits further the one of each piece is; the piece's top, then its
            left, there; its top, then its left, in the image; then the digit's top, then its left.

    Returns:
        ``uint8``, (B, *image_size).

    Raises:
        ValueError: if an argument does not fit.
    """
    num_images, height, width = digits_BHW.shape
    if num_images < 2 or height > image_size[0] or width > image_size[1]:
        raise ValueError(f"clutter needs two digits that fit into {image_size}, got {digits_BHW.shape}.")
    if not 0 < side <= min(height, width) or not 0 <= num_distractors <= _MAX_DISTRACTORS:
        raise ValueError(
            f"clutter needs pieces with a side in 1 .. {min(height, width)}, at most {_MAX_DISTRACTORS}, got "
            f"{num_distractors} with {side}."
        )
    pieces = (num_images, num_distractors)
    source_BD = (np.arange(num_images)[:, None] + stream.randint(1, num_images, pieces)) % num_images
    cut_BD2 = _places(stream, pieces, (height, width), side, side)
    put_BD2 = _places(stream, pieces, image_size, side, side)
    put_B2 = _places(stream, (num_images,), image_size, height, width)
    images_BHW = np.empty((num_images, *image_size), np.uint8)
    for first in range(0, num_images, _IMAGES_AT_ONCE):
        some = slice(first, first + _IMAGES_AT_ONCE)
        sum_BHW = np.zeros((len(put_B2[some]), *image_size), np.uint16)
        for d in range(num_distractors):
            piece_BSS = _windows(digits_BHW, cut_BD2[some, d], side, side, source_BD[some, d])
            _add(sum_BHW, piece_BSS, put_BD2[some, d])
        _add(sum_BHW, digits_BHW[some], put_B2[some])
        images_BHW[some] = np.minimum(sum_BHW, 255)  # a clip at the end leaves what one after each piece would
    return images_BHW


def _places(
    stream: np.random.RandomState, shape: tuple[int, ...], size: tuple[int, int], height: int, width: int
) -> np.ndarray:
    """Top and left of windows that lie inside ``size``."""
    return np.stack([stream.randint(0, size[0] - height + 1, shape), stream.randint(0, size[1] - width + 1, shape)], -1)


def _indices(places_B2: np.ndarray, height: int, width: int, pixels_per_row: int) -> np.ndarray:
    """Of the pixels of a window, in an image that is one row of pixels: (B, height, width)."""
    within_HW = np.arange(height)[:, None] * pixels_per_row + np.arange(width)
    index_BHW: np.ndarray = (places_B2[:, 0] * pixels_per_row + places_B2[:, 1])[:, None, None] + within_HW
    return index_BHW


def _windows(images_XHW: np.ndarray, places_B2: np.ndarray, height: int, width: int, image_B: np.ndarray) -> np.ndarray:
    num_pixels = images_XHW[0].size
    index_BHW = _indices(places_B2, height, width, images_XHW.shape[2]) + image_B[:, None, None] * num_pixels
    windows_BHW: np.ndarray = images_XHW.reshape(-1)[index_BHW]
    return windows_BHW


def _add(sum_BHW: np.ndarray, pieces_BSS: np.ndarray, places_B2: np.ndarray) -> None:
    """Adds a window to each image: no pixel of it twice, so that plain indexing does."""
    _, height, width = pieces_BSS.shape
    index_BSS = _indices(places_B2, height, width, sum_BHW.shape[2])
    index_BSS += (np.arange(len(sum_BHW)) * sum_BHW[0].size)[:, None, None]
    sum_BHW.reshape(-1)[index_BSS] += pieces_BSS


def _read_part(archive: zipfile.ZipFile, part: str, names: tuple[str, ...], dataset: Mapping[str, Any]) -> ImageSplit:
    height, width = dataset["image_size"]
    headers = {name: _header(archive, f"x_{name}", height * width) for name in names}
    found, expected = sum(num_images for num_images, _ in headers.values()), dataset[f"num_{part}_images"]
    if found != expected:
        raise ValueError(f"{' and '.join(f'x_{name}' for name in names)} must hold {expected:,} images, got {found:,}")
    images_BV = np.empty((found, height * width), np.uint8)
    labels, start = [], 0
    for name, (num_images, _) in headers.items():
        for numbers_BV in _rows(archive, f"x_{name}", height * width):
            if not (numbers_BV >= 0).all() or not (numbers_BV <= 1).all():
                raise ValueError(f"x_{name} must hold numbers from 0 to 1, got others")
            images_BV[start : start + len(numbers_BV)] = np.round(numbers_BV * 255)
            start += len(numbers_BV)
        labels.append(_labels(archive, f"y_{name}", num_images, dataset["num_classes"]))
    images_BHW = torch.from_numpy(images_BV.reshape(-1, 1, height, width))
    return ImageSplit(images_BHW, torch.from_numpy(np.concatenate(labels)))


def _labels(archive: zipfile.ZipFile, name: str, num_images: int, num_classes: int) -> np.ndarray:
    if (found := _header(archive, name, num_classes)[0]) != num_images:
        raise ValueError(f"{name}.npy must hold the labels of {num_images:,} images, got {found:,}")
    one_hot_BC = np.concatenate(list(_rows(archive, name, num_classes)))
    if not np.isin(one_hot_BC, (0, 1)).all() or not (one_hot_BC.sum(1) == 1).all():
        raise ValueError(f"{name}.npy must hold a single one in each row, and zeros")
    labels_B: np.ndarray = one_hot_BC.argmax(1).astype(np.int64)
    return labels_B


def _header(archive: zipfile.ZipFile, name: str, num_columns: int) -> tuple[int, np.dtype[Any]]:
    """Number of rows and type of an array, once they fit its size; nothing but the header is read."""
    member = npz.member(archive, name)
    with archive.open(member) as stream:
        shape, is_fortran, dtype = npz.read_header(stream, member.filename)
        size_bytes = member.file_size - stream.tell()
    fits = len(shape) == 2 and shape[1] == num_columns and shape[0] > 0 and dtype.kind in "fiub"
    if not fits or is_fortran or shape[0] * shape[1] * dtype.itemsize != size_bytes:
        raise ValueError(f"{member.filename} must be numbers in rows of {num_columns}, its header says {dtype} {shape}")
    return shape[0], dtype


def _rows(archive: zipfile.ZipFile, name: str, num_columns: int) -> Iterator[np.ndarray]:
    """An array's rows, a few at a time: as numbers, the images take four times the bytes."""
    num_rows, dtype = _header(archive, name, num_columns)
    row_bytes = num_columns * dtype.itemsize
    with archive.open(f"{name}.npy") as stream:
        npz.read_header(stream, name)
        while num_rows:
            wanted = min(num_rows, max(1, _CHUNK_BYTES // row_bytes))
            content = npz.read_numbers(stream, wanted * row_bytes, f"{name}.npy")
            yield np.frombuffer(content, dtype).reshape(wanted, num_columns)
            num_rows -= wanted


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
