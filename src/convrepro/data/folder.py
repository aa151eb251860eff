"""Image files in folders, as they come: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from convrepro.data import image_tree
from convrepro.data.image_set import ImageSet, ImageSplit

_MODES = {"L": 1, "RGB": 3}


def read(folder: Path) -> tuple[ImageSet, list[str]]:
    """Reads a folder of images of one shape, grey or RGB.

    Returns:
        The images, and the class names in the order of their labels: alphabetical.

    Raises:
        FileNotFoundError: if there is no ``train`` or ``test`` folder.
        ValueError: if a class is missing in a part, a file is not an image, or shapes differ; names the file.
    """
    files, classes = image_tree.list_parts(folder, {"train": "train", "test": "test"})
    return ImageSet(_read_part(files.train, folder), _read_part(files.test, folder)), classes


def _read_part(files: image_tree.Files, folder: Path) -> ImageSplit:
    images: list[np.ndarray] = []
    for name in files.names:
        image = _read_image(folder / name)
        if images and image.shape != images[0].shape:
            raise ValueError(
                f"{folder / name} must have the shape of the others, {images[0].shape}, got {image.shape}."
            )
        images.append(image)
    return ImageSplit(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.from_numpy(files.labels_B))


def _read_image(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if image.mode not in _MODES:
                raise ValueError(f"{path} must be grey or RGB with 8 bits, got mode {image.mode}.")
            return np.asarray(image).reshape(image.height, image.width, _MODES[image.mode])
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is not an image that can be read: {error}.") from error
