"""Data sets of which the shape is known, so that networks can be counted on them, and which cannot be read yet."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrepro.data.image_set import ImageSet


def read(dataset: Mapping[str, Any], data_dir: Path) -> "ImageSet":  # noqa: ARG001  (readers share a signature)
    """Refuses to read.

    Raises:
        ValueError: always; says what the data set is good for.
    """
    raise ValueError(problem(dataset))


def is_shape_only(dataset: Mapping[str, Any]) -> bool:
    """Whether a config's reader is the one of this module."""
    return bool(dataset["_target_"] == f"{__name__}.{read.__name__}")


def problem(dataset: Mapping[str, Any]) -> str:
    """Why such a data set cannot be had, in one sentence."""
    return f"{dataset['name']} cannot be read yet: networks are only counted on it (protocol=count)."
