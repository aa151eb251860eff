"""Oxford-IIIT Pet as its authors distribute it (Parkhi et al. 2012), with its trimaps; ``decoded`` opens them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convrepro.data import files, image_tree, listed_images
from convrepro.data.image_tree import Files, FileSet


def read(dataset: Mapping[str, Any], data_dir: Path) -> FileSet:
    """Lists the images of both parts in the order of their lists, with the breed as label and the trimap as mask.

    ``options`` of the config: ``content_sha256``, ``left_out``, ``file_names`` and ``unlisted_images`` as in
    ``listed_images.read``, and

    - ``folders``: those of ``images`` and ``masks``;
    - ``lists``: those of ``train`` and ``test``; a line is ``<breed>_<number> <label> <species> <breed>``, with
      the label counted from 1 and the last two not read;
    - ``breeds``: how many there are.

    Raises:
        FileNotFoundError: if a folder or a list is missing.
        ValueError: if a list is broken, or lists, folders and config disagree; names the file or the line.
    """
    image_tree.check_options(dataset, "folders", "lists", "breeds")
    folders = dataset["options"]["folders"]
    lists = files.lists_of(dataset)
    found, listed, breeds = {}, {}, dict[int, str]()
    for part in ("train", "test"):
        entries = [
            _entry(line, name, breeds, dataset["options"]["breeds"])
            for name in lists[part]
            for line in listed_images.lines_of(dataset, data_dir, name)
        ]
        found[part] = Files(
            names=[f"{folders['images']}/{name}.jpg" for name, _ in entries],
            labels_B=np.array([label for _, label in entries], np.int64),
            masks=[f"{folders['masks']}/{name}.png" for name, _ in entries],
        )
        listed_images.check_length(dataset, part, found[part], lists[part])
        listed[" and ".join(lists[part])] = found[part].names
    if len(breeds) != (num_breeds := dataset["options"]["breeds"]):
        raise ValueError(f"lists of {dataset['name']} must have labels 1 .. {num_breeds}, got {len(breeds)} labels.")
    listed_images.check_listed(dataset, data_dir, folders["images"], listed)
    _check_masks(dataset, data_dir, [mask for part in found.values() for mask in part.masks or []])
    return FileSet(data_dir=data_dir, **found)


def _entry(line: str, name: str, breeds: dict[int, str], num_breeds: int) -> tuple[str, int]:
    """Name and label of an image; notes the breed that a label stands for."""
    fields, labels = line.split(), {str(label + 1): label for label in range(num_breeds)}
    if len(fields) != 4 or not all(field.isdecimal() for field in fields[1:]) or fields[1] not in labels:
        raise ValueError(
            f"a line of {name} must be <image> <label> <species> <number>, the label in 1 .. {num_breeds}, "
            f"got {line!r:.80}."
        )
    breed, label = fields[0].rpartition("_")[0], labels[fields[1]]
    if breeds.setdefault(label, breed) != breed:
        raise ValueError(f"label {label + 1} must be {breeds[label]} in every line, got {line!r} in {name}.")
    return fields[0], label


def _check_masks(dataset: Mapping[str, Any], data_dir: Path, masks: list[str]) -> None:
    options = dataset["options"]
    folders, left_out = options["folders"], options.get("left_out", ())
    found = image_tree.names_below(data_dir, folders["masks"], left_out)
    if missing := sorted(set(masks) - set(found)):
        raise ValueError(f"{data_dir / missing[0]} is missing, the trimap of an image that is listed.")
    images = {Path(name).stem for name in image_tree.names_below(data_dir, folders["images"], left_out)}
    if extra := [name for name in found if Path(name).stem not in images or not name.endswith(".png")]:
        raise ValueError(f"{data_dir / extra[0]} must be the trimap of an image, got none of that name.")
