"""Labelled Faces in the Wild as scikit-learn reads it: people with many images, the middle of each, shrunk and grey."""

import contextlib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import fetch_lfw_people

from convrepro.data import encoded, files, image_tree, splits
from convrepro.data.image_set import ImageSet, ImageSplit

_HOME, _FACES = "lfw_home", "lfw_funneled"
_MAX_FILE_BYTES = 1 << 24  # the official ones hold less than 40,000
_MAX_IMAGES = 1 << 17
_SIZE = (250, 250)  # width and height


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:
    """Reads ``lfw_home/lfw_funneled/<Person>/*.jpg``, which scikit-learn's ``fetch_lfw_people`` makes of its download.

    ``options`` of the config: ``min_faces_per_person`` and ``resize`` are arguments of that function; ``test_images``
    and ``test_indices_sha256`` are the fixed split (see ``splits``); ``folders`` names the folder; ``content_sha256``
    is that of all its files (see ``image_tree.content_sha256``), or "" for any that fit the config. Grey levels are
    rounded to bytes.

    Raises:
        FileNotFoundError: if the folder is missing.
        ValueError: if scikit-learn cannot read it, or it is not what the config says; names the file if there is one.
    """
    options, folder = dataset["options"], f"{_HOME}/{_FACES}"
    if list(options["folders"].values()) != [folder]:
        raise ValueError(f"`options.folders` of {dataset['name']} must be {{all: {folder}}}.")
    files.find(dataset, data_dir)
    names = image_tree.names_below(data_dir, folder)
    _check_names(names, folder, data_dir)
    digests = [_checked_sha256(name, data_dir) for name in names]
    image_tree.check_content(dataset, names, digests)
    with _scratch_home(data_dir, names) as home:
        try:
            people = fetch_lfw_people(
                data_home=home,
                min_faces_per_person=options["min_faces_per_person"],
                resize=options["resize"],
                download_if_missing=False,
            )
        except (OSError, ValueError, RuntimeError, SyntaxError, IndexError) as error:
            reason = " ".join(str(error).split()).replace(str(home), str(data_dir)).strip(".")
            raise ValueError(f"{data_dir / folder} cannot be read by scikit-learn: {reason}.") from error
    images_BHW = np.round(people.images * 255).astype(np.uint8)
    labels_B = people.target.astype(np.int64)
    everything = ImageSplit(torch.from_numpy(images_BHW).unsqueeze(1), torch.from_numpy(labels_B))
    train, test = splits.fixed_test_part(labels_B, dataset)
    content_sha256 = "" if options["content_sha256"] else image_tree.content_sha256(names, digests)
    return ImageSet(everything.subset(train), everything.subset(test), content_sha256=content_sha256)


def _check_names(names: list[str], folder: str, data_dir: Path) -> None:
    if len(names) > _MAX_IMAGES:
        raise ValueError(f"{data_dir / folder} must hold at most {_MAX_IMAGES:,} files, got {len(names):,}.")
    for name in names:
        parts, path = name.removeprefix(f"{folder}/").split("/"), data_dir / name
        if len(parts) != 2 or not parts[1].startswith(f"{parts[0]}_") or not parts[1].endswith(".jpg"):
            raise ValueError(f"{path} is wrongly named: images of a person lie in <Person>/<Person>_<number>.jpg.")
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ValueError(f"{path} must hold at most {_MAX_FILE_BYTES:,} bytes.")


def _checked_sha256(name: str, data_dir: Path) -> str:
    """Of the file of an image; scikit-learn opens files of any format and size."""
    content = image_tree.content_of(name, data_dir)
    try:
        encoded.check_size(content, _SIZE, ("JPEG",))
    except ValueError as error:
        raise ValueError(f"{data_dir / name} cannot be used: {error}.") from error
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _scratch_home(data_dir: Path, names: Sequence[str]) -> Iterator[Path]:
    """A folder like ``data_dir``, with links to the images that were listed, in which scikit-learn may write.

    It keeps what it read beside the images, pickled, and would neither see that they have changed nor that somebody
    else put a pickle there; it reads every file beside them; and it asks for the lists of pairs, of which it reads
    nothing here.
    """
    with tempfile.TemporaryDirectory(prefix="convrepro-") as temporary:
        home = Path(temporary) / _HOME
        top = data_dir.resolve()
        for name in names:
            (Path(temporary) / name).parent.mkdir(parents=True, exist_ok=True)
            (Path(temporary) / name).symlink_to(top / name)
        for name in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
            (home / name).touch()
        yield Path(temporary)
