"""Image packs: a data set as one ``.npz`` file of encoded images.

Its arrays: ``blob`` (bytes of all encoded images, joined), ``offsets`` (image i is
``blob[offsets[i]:offsets[i + 1]]``), ``labels``, and, if the set has an official split, ``split``. Others,
such as class names, are for people and not read. Images are JPEG or PNG.
"""

# Shapes: B images, H height, W width, C channels.

import io
import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from convrepro import durable
from convrepro.data import encoded, files, splits
from convrepro.data.image_set import ImageSet, ImageSplit

_MAX_BYTES = 1 << 32  # of a pack's arrays together, and of its decoded images


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads the pack that ``files`` of the config names.

    ``options`` of the config:

    - ``first_label``: the pack's lowest label, which becomes 0;
    - ``split_ids``: values of the pack's ``split`` that are ``train`` and ``test``; or, for a pack without a
      split, ``test_images`` and ``test_indices_sha256`` (see ``splits``);
    - ``resize`` (height and width), for a pack whose images differ in shape: they are scaled until they cover
      that size, keeping their aspect ratio, and cropped around the centre (Lanczos).

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if it is not the one of the config, not a pack, or an image is not what the config says.
    """
    (name,) = dataset["files"]
    options = dataset["options"]
    has_split = "split_ids" in options
    arrays = _read_arrays(
        name, files.read(dataset, data_dir, name), ["blob", "offsets", "labels"] + ["split"] * has_split
    )
    images = _decode_all(name, arrays["blob"], _checked_offsets(name, arrays), dataset)
    labels_B = arrays["labels"].astype(np.int64) - options["first_label"]
    everything = ImageSplit(images, torch.from_numpy(labels_B))
    if has_split:
        parts = [np.isin(arrays["split"], options["split_ids"][part]) for part in ("train", "test")]
        train, test = (np.flatnonzero(part) for part in parts)
    else:
        train, test = splits.fixed_test_part(labels_B, dataset)
    return ImageSet(everything.subset(train), everything.subset(test))


def write(path: Path, images: torch.Tensor, labels: torch.Tensor, split: torch.Tensor, classes: Sequence[str]) -> None:
    """Writes a pack of PNG images; the same images give the same bytes (with the same zlib).

    Args:
        path: file to write, in one step.
        images: ``torch.uint8``, (B, C, H, W), C being 1 or 3.
        labels: (B,), counted from 0.
        split: (B,), 0 for training and 1 for test images.
        classes: name of each label.

    Raises:
        ValueError: if these do not fit each other.
    """
    everything = ImageSplit(images, labels)
    if images.shape[1] not in encoded.MODE or split.shape != labels.shape or int(labels.max()) >= len(classes):
        raise ValueError(
            f"a pack needs 1 or 3 channels, a split per image and a name per class, got {images.shape[1]}, "
            f"{tuple(split.shape)} of {len(everything)}, and {len(classes)} for label {int(labels.max())}."
        )
    files_of_images = [_to_png(image_HWC) for image_HWC in images.permute(0, 2, 3, 1).numpy()]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        blob=np.frombuffer(b"".join(files_of_images), np.uint8),
        offsets=np.cumsum([0, *map(len, files_of_images)], dtype=np.int64),
        labels=labels.numpy(),
        split=split.numpy().astype(np.uint8),
        classes=np.array(classes, dtype=np.str_),
    )
    durable.write(path, buffer.getvalue())


def _read_arrays(pack: str, content: bytes, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Lists of integers from an ``.npz`` file. What its headers claim is checked before memory is taken."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.getinfo(f"{name}.npy") for name in names}
            if sum(member.file_size for member in members.values()) > _MAX_BYTES:
                raise ValueError(f"it unpacks to more than {_MAX_BYTES:,} bytes")
            return {name: _read_array(archive, member) for name, member in members.items()}
    except (zipfile.BadZipFile, KeyError, ValueError, RuntimeError, EOFError, zlib.error) as error:
        raise ValueError(f"{pack} is not an image pack: {str(error).splitlines()[0].strip('.')}.") from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError(f"{member.filename} must have format version 1.0, got {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        claimed = len(shape) == 1 and dtype.kind in "iu" and shape[0] * dtype.itemsize
        if not claimed or claimed != member.file_size - stream.tell():
            raise ValueError(f"{member.filename} must be a list of integers, its header says {dtype} {shape}")
        return np.frombuffer(stream.read(), dtype)


def _checked_offsets(pack: str, arrays: Mapping[str, np.ndarray]) -> list[int]:
    offsets, num_images = arrays["offsets"].astype(np.int64), len(arrays["labels"])
    whole = len(offsets) == num_images + 1 and offsets[0] == 0 and offsets[-1] == len(arrays["blob"])
    if not whole or bool((offsets[1:] <= offsets[:-1]).any()):
        raise ValueError(f"offsets of {pack} must rise from 0 to the end of its blob in {num_images} steps.")
    if "split" in arrays and len(arrays["split"]) != num_images:
        raise ValueError(f"{pack} must say the split of {num_images} images, got {len(arrays['split'])}.")
    listed: list[int] = offsets.tolist()
    return listed


def _decode_all(pack: str, blob: np.ndarray, offsets: Sequence[int], dataset: Mapping[str, Any]) -> torch.Tensor:
    height, width = dataset["options"].get("resize", dataset["image_size"])
    shape = (len(offsets) - 1, height, width, dataset["in_channels"])
    if math.prod(shape) > _MAX_BYTES:
        raise ValueError(f"images of {pack} must decode to at most {_MAX_BYTES:,} bytes, got {shape}.")
    images_BHWC = np.empty(shape, np.uint8)
    for i, (start, stop) in enumerate(pairwise(offsets)):
        try:
            images_BHWC[i] = encoded.decode(
                blob[start:stop].tobytes(), shape[1:], resize="resize" in dataset["options"]
            )
        except ValueError as error:
            raise ValueError(f"image {i} of {pack} cannot be used: {error}.") from error
    return torch.from_numpy(images_BHWC).permute(0, 3, 1, 2)


def _to_png(image_HWC: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_HWC.squeeze(2) if image_HWC.shape[2] == 1 else image_HWC).save(buffer, "PNG")
    return buffer.getvalue()
