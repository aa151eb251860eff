"""Image files in folders, one folder per class, as photographs are often distributed: listed here, decoded later.

Data sets that come so may be larger than memory, so the reader opens no image; ``decoded`` does.
"""

import hashlib
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from convrepro.data import encoded, files, splits

# Sets of photographs have GIF and BMP files that are named .jpg, and grey and CMYK images among the coloured ones.
_FORMATS, _OTHER_MODES = ("JPEG", "PNG", "GIF", "BMP"), ("L", "RGB", "CMYK", "P")


@dataclass(frozen=True, kw_only=True)
class Files:
    """Labelled image files.

    Args:
        names: paths below the data folder, with forward slashes.
        labels_B: int64, counted from 0.
    """

    names: list[str]
    labels_B: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, indices: np.ndarray) -> "Files":
        return Files(names=[self.names[i] for i in indices], labels_B=self.labels_B[indices])


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """Image files of the training and the test part of a data set, which are still to be decoded."""

    data_dir: Path
    train: Files
    test: Files


def read(dataset: Mapping[str, Any], data_dir: Path) -> FileSet:
    """Lists the image files of a data set; their labels are the alphabetical order of the classes' folders.

    ``options`` of the config:

    - ``folders``: the folder of ``train`` and that of ``test`` below ``data_dir``, each with the same classes; or one
      of ``all`` images, with ``test_images`` and ``test_indices_sha256`` (see ``splits``);
    - ``content_sha256``: of all these files (see the function of that name);
    - ``resize`` (height and width, those of ``image_size``), for images that differ in shape: they are scaled until
      they cover that size, keeping their aspect ratio, and cropped around the centre (Lanczos).

    Raises:
        FileNotFoundError: if a folder is missing.
        ValueError: if the folders hold anything but images in folders of classes, or not what the config says.
    """
    options = dataset["options"]
    if missing := {"folders", "content_sha256"} - options.keys():
        raise ValueError(f"`options` of {dataset['name']} must have {' and '.join(sorted(missing))}.")
    folders, size = options["folders"], options.get("resize", dataset["image_size"])
    if list(size) != list(dataset["image_size"]):
        raise ValueError(f"`options.resize` of {dataset['name']} must be its `image_size`, got {size}.")
    if folders.keys() == {"all"}:
        everything, _ = list_classes(data_dir, folders["all"])
        train, test = splits.fixed_test_part(everything.labels_B, dataset)
        return FileSet(data_dir=data_dir, train=everything.subset(train), test=everything.subset(test))
    if folders.keys() != {"train", "test"}:
        raise ValueError(
            f"`options.folders` of {dataset['name']} must name train and test, or all, got {', '.join(folders)}."
        )
    return list_parts(data_dir, folders)[0]


def list_parts(data_dir: Path, folders: Mapping[str, str]) -> tuple[FileSet, list[str]]:
    """Files of the training and the test part, and the names of the classes in the order of their labels.

    Raises:
        FileNotFoundError, ValueError: as ``list_classes`` does, or if the parts have other classes.
    """
    (train, classes), (test, others) = (list_classes(data_dir, folders[part]) for part in ("train", "test"))
    if differing := sorted(set(classes) ^ set(others)):
        raise ValueError(
            f"{folders['train']} and {folders['test']} in {data_dir} must have the same classes, "
            f"got {differing[0]!r} in one of them."
        )
    return FileSet(data_dir=data_dir, train=train, test=test), classes


def list_classes(data_dir: Path, folder: str) -> tuple[Files, list[str]]:
    """Files below ``folder``, by name, and the names of the classes: the folders, at any depth, that hold files.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if something there is a link, has a name that cannot be printed, or is neither a folder nor a file;
            or a folder is empty, holds both files and folders, or is no class's. Names it.
    """
    top, folder = files.inside(data_dir, folder), str(PurePosixPath(folder))
    if not top.is_dir():
        raise FileNotFoundError(f"{data_dir} must have a folder {folder!r} with a folder per class.")
    found = sorted(_files_below(top, folder))
    if any(name.rpartition("/")[0] == folder for name in found):
        raise ValueError(f"{top} must have a folder per class, got {found[0]}.")
    classes = sorted({name.rpartition("/")[0].removeprefix(f"{folder}/") for name in found})
    label_of = {f"{folder}/{name}": label for label, name in enumerate(classes)}
    labels_B = np.array([label_of[name.rpartition("/")[0]] for name in found], np.int64)
    return Files(names=found, labels_B=labels_B), classes


def decode(name: str, data_dir: Path, shape_HWC: tuple[int, int, int], *, resize: bool) -> tuple[np.ndarray, str]:
    """Pixels of an image file, and the SHA-256 of its bytes.

    Raises:
        ValueError: if it cannot be read or is no image of that shape; names it.
    """
    content = _content(data_dir, name)
    try:
        pixels = encoded.decode(content, shape_HWC, resize=resize, formats=_FORMATS, other_modes=_OTHER_MODES)
    except ValueError as error:
        raise ValueError(f"{data_dir / name} cannot be used: {error}.") from error
    return pixels, hashlib.sha256(content).hexdigest()


def sha256_of_file(name: str, data_dir: Path) -> str:
    """SHA-256 of a file's bytes; raises ValueError that names it if it cannot be read."""
    return hashlib.sha256(_content(data_dir, name)).hexdigest()


def content_sha256(names: Sequence[str], digests: Sequence[str]) -> str:
    """SHA-256 of the lines ``<sha256>  <name>`` in the order of the names: what ``sha256sum`` writes of the files."""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(zip(names, digests, strict=True)))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_content(dataset: Mapping[str, Any], names: Sequence[str], digests: Sequence[str]) -> None:
    """Raises ValueError if files are not those of ``options.content_sha256``."""
    found, expected = content_sha256(names, digests), dataset["options"]["content_sha256"]
    if found != expected:
        raise ValueError(
            f"`options.content_sha256` of {dataset['name']} must be that of its files, {found}, got {expected}."
        )


def _content(data_dir: Path, name: str) -> bytes:
    try:
        return (data_dir / name).read_bytes()
    except OSError as error:
        raise ValueError(f"{data_dir / name} cannot be read: {error.strerror}.") from error


def _files_below(folder: Path, name: str) -> list[str]:
    with os.scandir(folder) as scan:
        entries = list(scan)
    for entry in entries:
        if not entry.name.isprintable() or entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise ValueError(f"{entry.path!r} must be a file or folder with a printable name, and no link.")
    if len({entry.is_dir() for entry in entries}) != 1:
        raise ValueError(f"{folder} must hold either images or folders, got {'both' if entries else 'nothing'}.")
    below = [
        _files_below(folder / entry.name, f"{name}/{entry.name}") if entry.is_dir() else [f"{name}/{entry.name}"]
        for entry in entries
    ]
    return list(itertools.chain.from_iterable(below))
