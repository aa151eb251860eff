"""Image files decoded into one file, by several processes."""

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, cpu_count, delayed

from convrepro.data import image_tree, masks
from convrepro.data.image_tree import Files, FileSet

_FILES_PER_TASK = 64
_SECONDS_BETWEEN_LINES = 10.0

_T = TypeVar("_T")


def shape_of(dataset: Mapping[str, Any]) -> tuple[int, int, int]:
    """Height, width and channels of decoded images."""
    height, width = dataset.get("stored_size") or dataset["image_size"]
    return height, width, dataset["in_channels"]


def is_segmented(dataset: Mapping[str, Any]) -> bool:
    """Whether a config's images have masks."""
    return bool(dataset.get("options", {}).get("masks"))


def decode_files(path: Path, dataset: Mapping[str, Any], files: FileSet, num_workers: int) -> str:
    """Writes all labels, images and masks; returns the SHA-256 of the files."""
    parts = _parts_of(files)
    labels = np.concatenate([part.labels_B for part in parts])
    path.write_bytes(labels.astype("<i8").data)
    offset_bytes, (height, width, channels) = labels.nbytes, shape_of(dataset)
    tasks, all_names = [], []
    for names, shape, is_mask in (
        (list(chain.from_iterable(part.names for part in parts)), (height, width, channels), False),
        (_masks_of(files), (height, width, 1), True),
    ):
        for first in range(0, len(names), _FILES_PER_TASK):
            some = names[first : first + _FILES_PER_TASK]
            start = offset_bytes + first * math.prod(shape)
            tasks.append(delayed(_decode_some)(path, start, some, files.data_dir, shape, dict(dataset), is_mask))
        offset_bytes += len(names) * math.prod(shape)
        all_names += names
    digests = _in_processes(tasks, num_workers, f"decoding {len(all_names):,} images of {dataset['name']}")
    image_tree.check_content(dataset, all_names, digests)
    return image_tree.content_sha256(all_names, digests)


def _decode_some(
    path: Path,
    offset_bytes: int,
    names: Sequence[str],
    data_dir: Path,
    shape_HWC: tuple[int, int, int],
    dataset: Mapping[str, Any],
    is_mask: bool,
) -> list[str]:
    """Writes the pixels of some files from ``offset_bytes`` of ``path`` on; returns the files' SHA-256."""
    digests = []
    with path.open("r+b") as file:
        file.seek(offset_bytes)
        for name in names:
            pixels, digest = _decode(name, data_dir, shape_HWC, dataset, is_mask)
            file.write(pixels.tobytes())
            digests.append(digest)
    return digests


def _decode(
    name: str, data_dir: Path, shape_HWC: tuple[int, int, int], dataset: Mapping[str, Any], is_mask: bool
) -> tuple[np.ndarray, str]:
    """Pixels of an image, or classes of a mask, and the SHA-256 of its file."""
    options = dataset["options"]
    resize, stretch = "resize" in options, bool(options.get("stretch"))
    pixels, digest = image_tree.decode(name, data_dir, shape_HWC, resize=resize, stretch=stretch, is_mask=is_mask)
    return masks.classes_of(pixels, dataset, str(data_dir / name)) if is_mask else pixels, digest


def verify_files(dataset: Mapping[str, Any], files: FileSet, *, num_workers: int = 0) -> str:
    """Reads all files of images and masks, and decodes them too if no checksum tells whether they are whole.

    Returns:
        Their SHA-256, as ``options.content_sha256`` has it.

    Raises:
        ValueError: if they are not those of the config, or one without a checksum cannot be used.
    """
    height, width, channels = shape_of(dataset)
    images, masks_of_images = list(chain.from_iterable(part.names for part in _parts_of(files))), _masks_of(files)
    tasks = [
        delayed(_digest_some)(names[first : first + _FILES_PER_TASK], files.data_dir, shape, dict(dataset), is_mask)
        for names, shape, is_mask in (
            (images, (height, width, channels), False),
            (masks_of_images, (height, width, 1), True),
        )
        for first in range(0, len(names), _FILES_PER_TASK)
    ]
    names = images + masks_of_images
    digests = _in_processes(tasks, num_workers, f"reading {len(names):,} images of {dataset['name']}")
    image_tree.check_content(dataset, names, digests)
    return image_tree.content_sha256(names, digests)


def _digest_some(
    names: Sequence[str],
    data_dir: Path,
    shape_HWC: tuple[int, int, int],
    dataset: Mapping[str, Any],
    is_mask: bool,
) -> list[str]:
    if dataset["options"]["content_sha256"]:
        return [image_tree.sha256_of_file(name, data_dir) for name in names]
    return [_decode(name, data_dir, shape_HWC, dataset, is_mask)[1] for name in names]


def _in_processes(tasks: Sequence[Any], num_workers: int, what: str) -> list[str]:
    """Results of joblib's ``tasks``, joined in their order."""
    parallel = Parallel(n_jobs=min(num_workers or cpu_count(), len(tasks)), return_as="generator")
    return list(chain.from_iterable(announced(parallel(tasks), len(tasks), what)))


def announced(results: Iterable[_T], total: int, what: str) -> Iterator[_T]:
    """Passes results on; says every few seconds on stderr how many there are, and how long the rest may take."""
    started = said = time.monotonic()
    for done, result in enumerate(results, start=1):
        if (now := time.monotonic()) - said >= _SECONDS_BETWEEN_LINES:
            said, minutes_left = now, math.ceil((now - started) * (total - done) / done / 60)
            sys.stderr.write(f"{what}: {done / total:.0%}, at most {minutes_left} min left\n")
        yield result


def _parts_of(files: FileSet) -> list[Files]:
    return [part for part in (files.train, files.validation, files.test) if part is not None]


def _masks_of(files: FileSet) -> list[str]:
    return list(chain.from_iterable(part.masks or [] for part in _parts_of(files)))
