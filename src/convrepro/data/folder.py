"""Image files in folders, as they come: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

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
    classes: list[str] = []
    parts = []
    for part in ("train", "test"):
        if not (folder / part).is_dir():
            raise FileNotFoundError(f"{folder} must have a folder {part!r} with a folder per class.")
        found = sorted(path.name for path in (folder / part).iterdir() if path.is_dir())
        classes = classes or found
        if found != classes or not classes:
            raise ValueError(f"{folder / part} must have the classes of {folder / 'train'}, got {', '.join(found)}.")
        parts.append(_read_part(folder / part, classes))
    return ImageSet(*parts), classes


def _read_part(folder: Path, classes: list[str]) -> ImageSplit:
    images: list[np.ndarray] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            image = _read_image(path)
            if images and image.shape != images[0].shape:
                raise ValueError(f"{path} must have the shape of the others, {images[0].shape}, got {image.shape}.")
            images.append(image)
            labels.append(label)
    if not images:
        raise ValueError(f"{folder} has no image.")
    return ImageSplit(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels))


def _read_image(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            if image.mode not in _MODES:
                raise ValueError(f"{path} must be grey or RGB with 8 bits, got mode {image.mode}.")
            return np.asarray(image).reshape(image.height, image.width, _MODES[image.mode])
    except (UnidentifiedImageError, OSError) as error:
        raise ValueError(f"{path} is not an image that can be read: {error}.") from error
