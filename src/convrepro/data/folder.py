"""Image files in folders, as they come: ``train/<class>/<image>`` and ``test/<class>/<image>``."""

from pathlib import Path

import numpy as np
import torch

from convrepro.data import encoded, image_tree
from convrepro.data.image_set import ImageSet, ImageSplit

_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "TIFF", "WEBP")  # of those that Pillow reads without other programs


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
        image = _read_image(name, folder)
        if images and image.shape != images[0].shape:
            raise ValueError(
                f"{folder / name} must have the shape of the others, {images[0].shape}, got {image.shape}."
            )
        images.append(image)
    return ImageSplit(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.from_numpy(files.labels_B))


def _read_image(name: str, folder: Path) -> np.ndarray:
    content = image_tree.content_of(name, folder)
    try:
        return encoded.decode_as_it_is(content, _FORMATS)
    except ValueError as error:
        raise ValueError(f"{folder / name} is not an image that can be read: {error}.") from error
