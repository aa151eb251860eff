"""Oxford 102 Flowers as its authors distribute it (Nilsback and Zisserman 2008); ``decoded`` opens it."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from convrepro.data import files, image_tree, listed_images
from convrepro.data.image_tree import Files, FileSet

_PARTS = {"train": "trnid", "validation": "valid", "test": "tstid"}


def read(dataset: Mapping[str, Any], data_dir: Path) -> FileSet:
    """Lists the images of each part in the order of ``setid.mat``, labelled by ``imagelabels.mat``.

    ``options`` of the config: those of ``listed_images.read`` without ``lists`` and ``suffix``.

    Raises:
        FileNotFoundError: if the folder of the images or one of the two files is missing.
        ValueError: if a file is not the one of the config, or files, folder and config disagree; names the image.
    """
    image_tree.check_options(dataset, "folders")
    folder = dataset["options"]["folders"]["images"]
    arrays = {key: value for name in dataset["files"] for key, value in _arrays(dataset, data_dir, name).items()}
    labels_N = arrays["labels"].astype(np.int64) - 1
    found = {}
    for part, key in _PARTS.items():
        ids_B = arrays[key].astype(np.int64)  # counted from 1
        names = [f"{folder}/image_{number:05d}.jpg" for number in ids_B]
        found[part] = Files(names=names, labels_B=labels_N[ids_B - 1])
        listed_images.check_length(dataset, part, found[part], [key])
    image_tree.check_counts(dataset, found, [str(label + 1) for label in np.unique(labels_N)])
    listed_images.check_listed(
        dataset, data_dir, folder, {f"{_PARTS[part]} of setid.mat": found[part].names for part in found}
    )
    return FileSet(data_dir=data_dir, **found)


def _arrays(dataset: Mapping[str, Any], data_dir: Path, name: str) -> dict[str, np.ndarray]:
    content = io.BytesIO(files.read(dataset, data_dir, name))
    found = scipy.io.loadmat(content, squeeze_me=True)
    return {key: value for key, value in found.items() if not key.startswith("__")}
