"""Image packs: a data set as one ``.npz`` file of encoded images.

Its arrays: ``blob`` (bytes of all encoded images, joined), ``offsets`` (image i is
``blob[offsets[i]:offsets[i + 1]]``), ``labels``, and, if the set has an official split, ``split``; of a segmented
set, ``mask_blob`` and ``mask_offsets`` likewise. Others, such as class names, are for people and not read. Images are
JPEG or PNG, masks PNG.
"""

# Shapes: B images, H height, W width, C channels.

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from convrepro import durable
from convrepro.data import encoded, files, masks, npz, splits
from convrepro.data.image_set import ImageSet, ImageSplit

_MAX_BYTES = 1 << 32  # of a pack's arrays together, and of its decoded images
_MAX_GROWTH, _SLACK_BYTES = 16, 1 << 25  # of a pack's arrays: encoded images do not shrink any further


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads the pack that ``files`` of the config names.

    ``options`` of the config:

    - ``first_label``: the pack's lowest label, which becomes 0;
    - ``split_ids``: values of the pack's ``split`` that are ``train``, ``test``, and ``validation`` if the official
      validation part is wanted; or, for a pack without a split, ``test_images`` and ``test_indices_sha256`` (see
      ``splits``);
    - ``crop`` (top, left, height and width), for a pack of which a part of each image is wanted;
    - ``resize`` (height and width), for a pack whose images differ in shape: they are scaled until they cover
      that size, keeping their aspect ratio, and cropped around the centre (Lanczos); or, with ``stretch: true``,
      they are scaled to that size, whatever their aspect ratio (bilinear);
    - ``masks: true`` and ``first_mask_label``, for a segmented set: the masks' lowest class, which becomes 0. They
      are scaled as the images are, to the nearest pixel.

    Raises:
        FileNotFoundError: if the file is missing.
        ValueError: if it is not the one of the config, not a pack, or an image is not what the config says.
    """
    (name,) = dataset["files"]
    options = dataset["options"]
    has_split, has_masks = "split_ids" in options, bool(options.get("masks"))
    wanted = ["blob", "offsets", "labels"] + ["split"] * has_split + ["mask_blob", "mask_offsets"] * has_masks
    arrays = _read_arrays(name, files.read(dataset, data_dir, name), wanted)
    labels_B = torch.from_numpy(arrays["labels"].astype(np.int64) - options["first_label"])
    masks_of_images = None
    if has_masks:
        offsets = _checked_offsets(name, arrays, "mask_")
        masks_of_images = ImageSplit(_decode_all(name, arrays["mask_blob"], offsets, dataset, are_masks=True), labels_B)
    images = _decode_all(name, arrays["blob"], _checked_offsets(name, arrays), dataset)
    everything = ImageSplit(images, labels_B, masks=masks_of_images)
    if not has_split:
        train, test = splits.fixed_test_part(labels_B.numpy(), dataset)
        return ImageSet(everything.subset(train), everything.subset(test))
    parts = {
        part: everything.subset(np.flatnonzero(np.isin(arrays["split"], values)))
        for part, values in options["split_ids"].items()
    }
    return ImageSet(parts["train"], parts["test"], validation=parts.get("validation"))


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
            members = {name: npz.member(archive, name) for name in names}
            max_bytes = min(_MAX_BYTES, len(content) * _MAX_GROWTH + _SLACK_BYTES)
            if sum(member.file_size for member in members.values()) > max_bytes:
                raise ValueError(f"it unpacks to more than {max_bytes:,} bytes")
            return {name: _read_array(archive, member) for name, member in members.items()}
    except npz.BROKEN as error:
        raise ValueError(f"{pack} is not an image pack: {npz.reason(error)}.") from error


def _read_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(member) as stream:
        shape, _, dtype = npz.read_header(stream, member.filename)
        claimed = shape[0] * dtype.itemsize if len(shape) == 1 and dtype.kind in "iu" else 0
        if not claimed or claimed != member.file_size - stream.tell():
            raise ValueError(f"{member.filename} must be a list of integers, its header says {dtype} {shape}")
        return np.frombuffer(npz.read_numbers(stream, claimed, member.filename), dtype)


def _checked_offsets(pack: str, arrays: Mapping[str, np.ndarray], which: str = "") -> list[int]:
    offsets, num_images = arrays[f"{which}offsets"].astype(np.int64), len(arrays["labels"])
    whole = len(offsets) == num_images + 1 and offsets[0] == 0 and offsets[-1] == len(arrays[f"{which}blob"])
    if not whole or bool((offsets[1:] <= offsets[:-1]).any()):
        raise ValueError(
            f"{which}offsets of {pack} must rise from 0 to the end of its {which}blob in {num_images} steps."
        )
    if "split" in arrays and len(arrays["split"]) != num_images:
        raise ValueError(f"{pack} must say the split of {num_images} images, got {len(arrays['split'])}.")
    listed: list[int] = offsets.tolist()
    return listed


def _decode_all(
    pack: str, blob: np.ndarray, offsets: Sequence[int], dataset: Mapping[str, Any], *, are_masks: bool = False
) -> torch.Tensor:
    options, what = dataset["options"], "mask" if are_masks else "image"
    height, width = options.get("resize", dataset.get("stored_size") or dataset["image_size"])
    shape = (len(offsets) - 1, height, width, 1 if are_masks else dataset["in_channels"])
    if math.prod(shape) > _MAX_BYTES:
        raise ValueError(f"images of {pack} must decode to at most {_MAX_BYTES:,} bytes, got {shape}.")
    images_BHWC = np.empty(shape, np.uint8)
    for i, (start, stop) in enumerate(pairwise(offsets)):
        try:
            images_BHWC[i] = encoded.decode(
                blob[start:stop].tobytes(),
                shape[1:],
                resize="resize" in options,
                stretch=bool(options.get("stretch")),
                crop=options.get("crop"),
                is_mask=are_masks,
                formats=("PNG",) if are_masks else ("JPEG", "PNG"),
            )
        except ValueError as error:
            raise ValueError(f"{what} {i} of {pack} cannot be used: {error}.") from error
        if are_masks:
            images_BHWC[i] = masks.classes_of(images_BHWC[i], dataset, f"mask {i} of {pack}")
    return torch.from_numpy(images_BHWC).permute(0, 3, 1, 2)


def _to_png(image_HWC: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_HWC.squeeze(2) if image_HWC.shape[2] == 1 else image_HWC).save(buffer, "PNG")
    return buffer.getvalue()
