"""Image files in folders, one folder per class, as photographs are often distributed: listed here, decoded later.

Data sets that come so may be larger than memory, so the reader opens no image; ``decoded`` does.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from convrepro.data import encoded, files, splits

MAX_DEPTH = 32  # of folders in each other
# Sets of photographs have PNG, GIF and BMP files that are named .jpg, and grey, CMYK and transparent images among the
# coloured ones; what is transparent is shown as it is stored.
_FORMATS, _OTHER_MODES = ("JPEG", "PNG", "GIF", "BMP"), ("L", "LA", "RGB", "RGBA", "CMYK", "P")
_OF_FILE_MANAGERS = (".DS_Store", "._*", "Thumbs.db")  # of macOS and Windows
_MAX_NAMED = 5  # files in a message
_MAX_FILE_BYTES = 1 << 28  # more than any camera's, and little enough for memory


@dataclass(frozen=True, kw_only=True)
class Files:
    """Labelled image files.

    Args:
        names: paths below the data folder, with forward slashes.
        labels_B: int64, counted from 0.
        masks: path of each image's mask, for sets that are segmented.
    """

    names: list[str]
    labels_B: np.ndarray
    masks: list[str] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, indices: np.ndarray) -> "Files":
        masks = None if self.masks is None else [self.masks[i] for i in indices]
        return Files(names=[self.names[i] for i in indices], labels_B=self.labels_B[indices], masks=masks)


@dataclass(frozen=True, kw_only=True)
class FileSet:
    """Image files of the parts of a data set, which are still to be decoded; few sets have a validation part."""

    data_dir: Path
    train: Files
    test: Files
    validation: Files | None = None


def read(dataset: Mapping[str, Any], data_dir: Path) -> FileSet:
    """Lists the image files of a data set; their labels are the alphabetical order of the classes' folders.

    ``options`` of the config:

    - ``folders``: the folder of ``train`` and that of ``test`` below ``data_dir``, each with the same classes; or one
      of ``all`` images, with ``test_images`` and ``test_indices_sha256`` (see ``splits``), or with
      ``train_images_per_class`` (see ``splits.drawn_per_class``);
    - ``content_sha256``: of all these files (see the function of that name), or "" for any that fit the config;
    - ``resize`` (height and width, those of ``stored_size``, or else of ``image_size``), for images that differ in
      shape: they are scaled until they cover that size, keeping their aspect ratio, and cropped around the centre
      (Lanczos);
    - ``left_out``: see ``names_below``;
    - ``file_names``: a regular expression for each folder, which ``<class>/<image>`` must match as a whole;
    - ``images_per_class``: see ``check_counts``.

    Raises:
        FileNotFoundError: if a folder is missing.
        ValueError: if the folders hold anything but images in folders of classes, or not what the config says.
    """
    check_options(dataset, "folders")
    options = dataset["options"]
    folders, left_out = options["folders"], options.get("left_out", ())
    if folders.keys() not in ({"train", "test"}, {"all"}):
        raise ValueError(
            f"`options.folders` of {dataset['name']} must name train and test, or all, got {', '.join(folders)}."
        )
    if folders.keys() == {"all"}:
        everything, classes = list_classes(data_dir, folders["all"], left_out)
        found = {"all": everything}
    else:
        file_set, classes = list_parts(data_dir, folders, left_out)
        found = {"train": file_set.train, "test": file_set.test}
    for part, pattern in options.get("file_names", {}).items():
        check_names(data_dir, folders[part], found[part].names, pattern)
    check_counts(dataset, found, classes, are_whole=True)
    for part, part_files in found.items():
        _check_total(dataset, data_dir, part, part_files, classes)
    if "all" in found:
        _check_drawable(dataset, everything, classes)
        train, test = _split(everything.labels_B, dataset)
        file_set = FileSet(data_dir=data_dir, train=everything.subset(train), test=everything.subset(test))
    return file_set


def list_parts(data_dir: Path, folders: Mapping[str, str], left_out: Sequence[str] = ()) -> tuple[FileSet, list[str]]:
    """Files of the training and the test part, and the names of the classes in the order of their labels.

    Raises:
        FileNotFoundError, ValueError: as ``list_classes`` does, or if the parts have other classes.
    """
    (train, classes), (test, others) = (list_classes(data_dir, folders[part], left_out) for part in ("train", "test"))
    if differing := sorted(set(classes) ^ set(others)):
        raise ValueError(
            f"{folders['train']} and {folders['test']} in {data_dir} must have the same classes, "
            f"got {differing[0]!r} in one of them."
        )
    return FileSet(data_dir=data_dir, train=train, test=test), classes


def list_classes(data_dir: Path, folder: str, left_out: Sequence[str] = ()) -> tuple[Files, list[str]]:
    """Files below ``folder``, by name, and the names of the classes: the folders, at any depth, that hold files.

    Raises:
        FileNotFoundError, ValueError: as ``names_below`` does, or if the folder itself holds files.
    """
    found, folder = names_below(data_dir, folder, left_out), str(PurePosixPath(folder))
    if any(name.rpartition("/")[0] == folder for name in found):
        raise ValueError(f"{data_dir / folder} must have a folder per class, got {found[0]}.")
    classes = sorted({name.rpartition("/")[0].removeprefix(f"{folder}/") for name in found})
    label_of = {f"{folder}/{name}": label for label, name in enumerate(classes)}
    labels_B = np.array([label_of[name.rpartition("/")[0]] for name in found], np.int64)
    return Files(names=found, labels_B=labels_B), classes


def names_below(data_dir: Path, folder: str, left_out: Sequence[str] = ()) -> list[str]:
    """Sorted names of all files below ``folder`` but those that macOS and Windows leave in folders that were looked at.

    Args:
        data_dir: what the names start below.
        folder: likewise.
        left_out: shell patterns of paths below ``folder``; a file or folder that matches one is passed over.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if something there is a link, has a name that cannot be printed, or is neither a folder nor a file;
            or a file is empty; or a folder is empty, holds both files and folders, or lies in 32 others. Names it.
    """
    top, folder = files.inside(data_dir, folder), str(PurePosixPath(folder))
    if not top.is_dir():
        raise FileNotFoundError(f"{data_dir} must have a folder {folder!r}; put it there yourself.")
    return sorted(_files_below(top, folder, "", left_out))


def check_options(dataset: Mapping[str, Any], *needed: str) -> None:
    """Raises ValueError if ``options`` of a config lack what a reader of image files needs, or its sizes disagree."""
    options = dataset["options"]
    if missing := {*needed, "content_sha256"} - options.keys():
        raise ValueError(f"`options` of {dataset['name']} must have {' and '.join(sorted(missing))}.")
    key = "stored_size" if dataset.get("stored_size") else "image_size"
    if "resize" in options and list(options["resize"]) != list(dataset[key]):
        raise ValueError(f"`options.resize` of {dataset['name']} must be its `{key}`, got {options['resize']}.")


def check_names(data_dir: Path, folder: str, names: Sequence[str], pattern: str) -> None:
    """Raises ValueError that names the first file whose path below ``folder`` a regular expression does not match."""
    for name in names:
        if not re.fullmatch(pattern, name.removeprefix(f"{PurePosixPath(folder)}/")):
            raise ValueError(f"{data_dir / name} is wrongly named: files in {folder} must match {pattern}")


def check_counts(
    dataset: Mapping[str, Any], parts: Mapping[str, Files], classes: Sequence[str], *, are_whole: bool = False
) -> None:
    """Raises ValueError unless there are all classes, and of each the images of ``options.images_per_class``.

    Args:
        dataset: the config; it counts the images of a class by the names of the parts, of those that are equally large.
        parts: files by the name of their part.
        classes: their names, in the order of the labels.
        are_whole: whether parts are all files of their folders; an error then says which numbers are missing.
    """
    if len(classes) != dataset["num_classes"]:
        raise ValueError(f"{dataset['name']} must have {dataset['num_classes']} classes, got {len(classes)}.")
    for part, expected in dataset["options"].get("images_per_class", {}).items():
        counts = np.bincount(parts[part].labels_B, minlength=len(classes))
        for label in np.flatnonzero(counts != expected)[:1]:
            names = [name for name, own in zip(parts[part].names, parts[part].labels_B, strict=True) if own == label]
            raise ValueError(
                f"class {classes[label]!r} of {dataset['name']} must have {expected} images in its part {part!r}, "
                f"got {counts[label]}{_said_of_gaps(names, expected - len(names)) if are_whole else ''}."
            )


def decode(
    name: str,
    data_dir: Path,
    shape_HWC: tuple[int, int, int],
    *,
    resize: bool,
    stretch: bool = False,
    is_mask: bool = False,
) -> tuple[np.ndarray, str]:
    """Pixels of an image file, and the SHA-256 of its bytes.

    Args:
        name: below ``data_dir``.
        data_dir: of the data set.
        shape_HWC, resize, stretch: see ``encoded.decode``.
        is_mask: whether pixels are classes: such a file must be a PNG of grey levels.

    Raises:
        ValueError: if it cannot be read or is no image of that shape; names it.
    """
    content = content_of(name, data_dir)
    formats, other_modes = (("PNG",), ()) if is_mask else (_FORMATS, _OTHER_MODES)
    try:
        pixels = encoded.decode(
            content,
            shape_HWC,
            resize=resize,
            stretch=stretch,
            is_mask=is_mask,
            formats=formats,
            other_modes=other_modes,
        )
    except ValueError as error:
        raise ValueError(f"{data_dir / name} cannot be used: {error}.") from error
    return pixels, hashlib.sha256(content).hexdigest()


def sha256_of_file(name: str, data_dir: Path) -> str:
    """SHA-256 of a file's bytes; raises ValueError that names it if it cannot be read."""
    return hashlib.sha256(content_of(name, data_dir)).hexdigest()


def content_of(name: str, data_dir: Path) -> bytes:
    """Bytes of a file below ``data_dir``; raises ValueError that names it if it cannot be read or is too large."""
    path = data_dir / name
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ValueError(f"{path} must hold at most {_MAX_FILE_BYTES:,} bytes.")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error


def is_of_a_file_manager(entry: "os.DirEntry[str]") -> bool:
    """Whether macOS or Windows left a file in a folder that was looked at."""
    return any(fnmatchcase(entry.name, pattern) for pattern in _OF_FILE_MANAGERS) and entry.is_file(
        follow_symlinks=False
    )


def content_sha256(names: Sequence[str], digests: Sequence[str]) -> str:
    """SHA-256 of the lines ``<sha256>  <name>`` in the order of the names: what ``sha256sum`` writes of the files."""
    lines = (f"{digest}  {name}\n" for name, digest in sorted(zip(names, digests, strict=True)))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_content(dataset: Mapping[str, Any], names: Sequence[str], digests: Sequence[str]) -> None:
    """Raises ValueError if files are not those of ``options.content_sha256``; "" stands for any."""
    found, expected = content_sha256(names, digests), dataset["options"]["content_sha256"]
    if expected and found != expected:
        raise ValueError(
            f"`options.content_sha256` of {dataset['name']} must be that of its files, {found}, got {expected}."
        )


def _check_total(dataset: Mapping[str, Any], data_dir: Path, part: str, found: Files, classes: Sequence[str]) -> None:
    """Raises ValueError unless a folder holds as many images as the config says."""
    keys = ("num_train_images", "num_test_images") if part == "all" else (f"num_{part}_images",)
    expected = sum(dataset[key] for key in keys)
    if len(found) == expected:
        return
    counts = np.bincount(found.labels_B, minlength=len(classes))
    fewest, most = int(counts.argmin()), int(counts.argmax())
    spread = f": between {counts[fewest]:,} in {classes[fewest]} and {counts[most]:,} in {classes[most]}"
    if counts[fewest] == counts[most]:
        spread = f": {counts[most]:,} in each class"
    raise ValueError(
        f"{data_dir / dataset['options']['folders'][part]} must hold {expected:,} images, got {len(found):,}"
        f"{_said_of_gaps(found.names, expected - len(found)) or spread}."
    )


def _check_drawable(dataset: Mapping[str, Any], everything: Files, classes: Sequence[str]) -> None:
    """Raises ValueError if a class has no image left for testing once those to train on are drawn."""
    number = dataset["options"].get("train_images_per_class", 0)
    counts = np.bincount(everything.labels_B, minlength=len(classes))
    for label in np.flatnonzero(counts <= number)[:1]:
        raise ValueError(
            f"class {classes[label]!r} of {dataset['name']} must have more images than the {number:,} to train on, "
            f"got {counts[label]:,}."
        )


def _said_of_gaps(names: Sequence[str], num_missing: int) -> str:
    """Which images are missing, as the end of a sentence; empty where no numbers tell.

    Numbers tell if names that differ in nothing else count 1, 2, ..., or 0, 1, ..., with no more gaps than images are
    missing: the numbers of many sets have gaps of their own.
    """
    numbers_of: dict[tuple[str, str], dict[int, int]] = {}  # and how many digits they have
    for name in names:
        if parts := re.fullmatch(r"(.*?)(\d+)(\D*\.[^./]+)", name):
            numbers_of.setdefault((parts[1], parts[3]), {0: len(parts[2])})[int(parts[2])] = len(parts[2])
    num_gaps = sum(max(numbers) + 1 - len(numbers) for numbers in numbers_of.values())
    if not 0 < num_gaps <= num_missing:
        return ""
    missing = [
        f"{before}{number:0{min(numbers.values())}d}{after}"
        for (before, after), numbers in sorted(numbers_of.items())
        for number in range(max(numbers))
        if number not in numbers
    ]
    others = num_missing - len(missing[:_MAX_NAMED])
    said = ", ".join(missing[:_MAX_NAMED]) + (f" and {others:,} more" if others else "")
    return f"; {said} {'are' if num_missing > 1 else 'is'} missing"


def _split(labels_B: np.ndarray, dataset: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    if (num_images := dataset["options"].get("train_images_per_class")) is None:
        return splits.fixed_test_part(labels_B, dataset)
    return splits.drawn_per_class(labels_B, num_images)


def _files_below(folder: Path, name: str, below: str, left_out: Sequence[str]) -> list[str]:
    if below.count("/") > MAX_DEPTH:
        raise ValueError(f"folders must not lie in more than {MAX_DEPTH} others, got {below!r:.80} below {name!r:.40}.")
    with os.scandir(folder) as scan:
        entries = [
            entry
            for entry in scan
            if not any(fnmatchcase(f"{below}{entry.name}", pattern) for pattern in left_out)
            and not is_of_a_file_manager(entry)
        ]
    for entry in entries:
        if not entry.name.isprintable() or entry.is_symlink() or not (entry.is_file() or entry.is_dir()):
            raise ValueError(f"{entry.path!r} must be a file or folder with a printable name, and no link.")
    kinds = {entry.is_dir(): entry.name for entry in entries}
    if len(kinds) != 1:
        both = f"both: {kinds[False]!r} beside {kinds[True]!r}" if kinds else "nothing"
        raise ValueError(f"{folder} must hold either images or folders, got {both}.")
    found = []
    for entry in entries:
        if entry.is_dir():
            found += _files_below(folder / entry.name, f"{name}/{entry.name}", f"{below}{entry.name}/", left_out)
        elif not entry.stat().st_size:
            raise ValueError(f"{entry.path} is empty.")
        else:
            found.append(f"{name}/{entry.name}")
    return found
