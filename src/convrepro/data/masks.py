"""Masks of segmented images: the class of each pixel."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def classes_of(pixels: np.ndarray, dataset: Mapping[str, Any], name: str) -> np.ndarray:
    """Classes, ``uint8`` from 0, of a mask's pixels, which count from ``options.first_mask_label`` of the config on.

    Raises:
        ValueError: if one is none of the config's ``num_classes``; names the mask.
    """
    first = dataset["options"]["first_mask_label"]
    least, greatest = int(pixels.min()), int(pixels.max())
    if least < first or greatest >= first + dataset["num_classes"]:
        raise ValueError(
            f"{name} must have pixels of {first} .. {first + dataset['num_classes'] - 1}, got {least} .. {greatest}."
        )
    return pixels - np.uint8(first)
