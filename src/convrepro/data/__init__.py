"""Data sets: finding, verifying, reading and augmenting images.

Names below are imported when first used: listing data sets must not wait for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrepro.data.datasets import load
    from convrepro.data.image_set import ImageSet, ImageSplit
    from convrepro.data.loader import EpochBatches, EpochLoader, EvaluationLoader

_HOME = {
    "load": "datasets",
    "ImageSet": "image_set",
    "ImageSplit": "image_set",
    "EpochBatches": "loader",
    "EpochLoader": "loader",
    "EvaluationLoader": "loader",
}

__all__ = ["EpochBatches", "EpochLoader", "EvaluationLoader", "ImageSet", "ImageSplit", "load"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
