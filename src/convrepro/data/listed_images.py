"""Photographs that lists assign to the parts of a data set, as many authors distribute them; ``decoded`` opens them.

Read so: Food-101, SUN-397, MIT Indoor 67 and DTD.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from convrepro.data import files, image_tree
from convrepro.data.image_tree import Files, FileSet

_PARTS = ("train", "validation", "test")
_MAX_NAMED = 5  # files in a message
_MAX_LIST_BYTES = 1 << 26


def read(dataset: Mapping[str, Any], data_dir: Path) -> FileSet:
    """Lists the images of each part in the order of its lists.

    ``options`` of the config, beside ``content_sha256``, ``resize``, ``left_out``, ``file_names`` (of ``images``) and
    ``images_per_class`` of ``image_tree.read``:

    - ``folders``: the folder ``images`` below ``data_dir``;
    - ``lists``: the list of ``train``, that of ``test``, perhaps one of ``validation``, or several that are joined; a
      line is ``<class>/<image>``, where a class may lie deeper and the line may begin with a slash. Perhaps one of
      ``classes``, whose order is that of the labels; without it they are in alphabetical order. ``{partition}`` in a
      name stands for the option of that name;
    - ``suffix``: what lines lack at the end of an image's name, as ".jpg"; "" by default;
    - ``unlisted_images``: see ``check_listed``.

    Raises:
        FileNotFoundError: if a folder or a list is missing.
        ValueError: if a list is broken, or lists, folder and config disagree; names the file or the line.
    """
    image_tree.check_options(dataset, "folders", "lists")
    options = dataset["options"]
    lists = files.lists_of(dataset)
    if not {"train", "test"} <= lists.keys() <= {*_PARTS, "classes"}:
        raise ValueError(
            f"`options.lists` of {dataset['name']} must name train, test and perhaps validation and classes, "
            f"got {', '.join(lists)}."
        )
    paths_of = {
        name: [_path_in(line, number, name) for number, line in enumerate(lines_of(dataset, data_dir, name), start=1)]
        for part in _PARTS
        for name in lists.get(part, [])
    }
    classes = [line.strip("/") for name in lists.get("classes", []) for line in lines_of(dataset, data_dir, name)]
    classes = classes or sorted({path.rpartition("/")[0] for paths in paths_of.values() for path in paths})
    label_of = {name: label for label, name in enumerate(classes)}
    folder, suffix = options["folders"]["images"], options.get("suffix", "")
    found = {}
    for part in [part for part in _PARTS if part in lists]:
        paths = [path for name in lists[part] for path in paths_of[name]]
        if unknown := [path for path in paths if path.rpartition("/")[0] not in label_of]:
            raise ValueError(f"the class of {unknown[0]!r} must be one of {', '.join(lists['classes'])}.")
        labels_B = np.array([label_of[path.rpartition("/")[0]] for path in paths], np.int64)
        found[part] = Files(names=[f"{folder}/{path}{suffix}" for path in paths], labels_B=labels_B)
        check_length(dataset, part, found[part], lists[part])
    image_tree.check_counts(dataset, found, classes)
    listed = {name: [f"{folder}/{path}{suffix}" for path in paths] for name, paths in paths_of.items()}
    check_listed(dataset, data_dir, folder, listed)
    return FileSet(data_dir=data_dir, **found)


def lines_of(dataset: Mapping[str, Any], data_dir: Path, name: str) -> list[str]:
    """Lines of a list.

    Raises:
        FileNotFoundError: if it is missing.
        ValueError: if it is no text, is too large or empty, or has a line that is empty or cannot be printed.
    """
    path = files.inside(data_dir, name)
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise ValueError(f"{path} must hold a list of at most {_MAX_LIST_BYTES:,} bytes.")
        lines = [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no {name} in {data_dir}; {files.remedy(dataset, data_dir)}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read as a list: {error}.") from error
    if not lines or not all(lines):
        raise ValueError(f"{path} must hold a list without empty lines.")
    for number, line in enumerate(lines, start=1):
        if not line.isprintable():
            raise ValueError(f"line {number} of {path} must be of characters that can be printed, got {line!r:.60}.")
    return lines


def check_length(dataset: Mapping[str, Any], part: str, found: Files, lists: Sequence[str]) -> None:
    """Raises ValueError if lists name more or fewer images of a part than the config has."""
    expected = dataset.get(f"num_{part}_images")
    if expected is not None and len(found) != expected:
        raise ValueError(f"{' and '.join(lists)} must list {expected:,} images, got {len(found):,}.")


def check_listed(dataset: Mapping[str, Any], data_dir: Path, folder: str, listed: Mapping[str, Sequence[str]]) -> None:
    """Holds lists against the folder of the images.

    Args:
        dataset: the config; ``options.unlisted_images``, 0 by default, is the number of the archive's images that no
            list names, ``left_out`` and ``file_names`` (of ``images``) are those of ``image_tree.read``.
        data_dir: what names start below.
        folder: of the images, likewise.
        listed: names of images by the list that they stand in.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if an image is listed twice, is missing or empty, or there are others than the config allows; names
            it.
    """
    options, listed_in = dataset["options"], dict[str, str]()
    for where, names in listed.items():
        for name in names:
            if name in listed_in:
                raise ValueError(f"{name} must be listed once, got it in {listed_in[name]} and in {where}.")
            listed_in[name] = where
    found = image_tree.names_below(data_dir, folder, options.get("left_out", ()))
    if "file_names" in options:
        image_tree.check_names(data_dir, folder, found, options["file_names"]["images"])
    unlisted = sorted(set(found) - listed_in.keys())
    if missing := sorted(listed_in.keys() - set(found)):
        instead = [name for name in unlisted if _likeness(name) == _likeness(missing[0])]
        raise ValueError(
            f"{data_dir / missing[0]} is missing, which {listed_in[missing[0]]} lists"
            + (f", and {len(missing) - 1:,} more" if missing[1:] else "")
            + (f"; {instead[0]} is there instead." if instead else ".")
        )
    if len(unlisted) > (allowed := options.get("unlisted_images", 0)):
        endings = {Path(name).suffix for name in listed_in}
        unlisted.sort(key=lambda name: (Path(name).suffix in endings, name))  # what is likely no image of the set first
        others = len(unlisted) - _MAX_NAMED
        raise ValueError(
            f"{data_dir / folder} must hold {len(listed_in) + allowed:,} images, {allowed:,} of them in no list, as "
            f"the archive does; got {len(found):,}, {len(unlisted):,} of them in no list: "
            f"{', '.join(unlisted[:_MAX_NAMED])}{f' and {others:,} more' if others > 0 else ''}."
        )


def _path_in(line: str, number: int, name: str) -> str:
    path = line.removeprefix("/")
    if not all(path.rpartition("/")):
        raise ValueError(f"line {number} of {name} must be <class>/<image>, got {line!r}.")
    return path


def _likeness(name: str) -> str:
    """What a name has in common with the one that it was meant to be: all but case and ending."""
    folder, _, last = name.casefold().rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"
