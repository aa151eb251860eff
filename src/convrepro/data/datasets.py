"""From a dataset config to images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from convrepro import targets
from convrepro.data import downloads, files
from convrepro.data.image_set import ImageSet


def load(dataset: Mapping[str, Any], data_dir: Path, *, download: bool, plugins: Sequence[str] = ()) -> ImageSet:
    """Finds, verifies and reads a data set.

    Args:
        dataset: the config node; ``_target_`` names the reader.
        data_dir: folder of the data files.
        download: whether missing files may be fetched.
        plugins: names of packages outside this one from which the reader may come.

    Raises:
        FileNotFoundError: if a file is missing and may not be fetched.
        ValueError: if a file is not the one of the config, or its images are not what the config says.
    """
    try:
        files.find(dataset, data_dir)
    except FileNotFoundError:
        if not download:
            raise
        downloads.fetch(dataset, data_dir)
    image_set: ImageSet = targets.resolve(dataset["_target_"], plugins)(dataset, data_dir)
    _check_fits(image_set, dataset)
    return image_set


def _check_fits(image_set: ImageSet, dataset: Mapping[str, Any]) -> None:
    promised = (dataset["in_channels"], *dataset["image_size"])
    for key, part in (("num_train_images", image_set.train), ("num_test_images", image_set.test)):
        if len(part) != dataset[key]:
            raise ValueError(f"`{key}` of {dataset['name']} must be {len(part)}, got {dataset[key]}.")
        if (shape := tuple(part.images_BCHW.shape[1:])) != promised:
            raise ValueError(
                f"images of {dataset['name']} must be {_by(promised)} (`in_channels`, `image_size`), got {_by(shape)}."
            )
        if (largest := int(part.labels_B.max())) >= dataset["num_classes"]:
            raise ValueError(
                f"labels of {dataset['name']} must lie below `num_classes` {dataset['num_classes']}, got {largest}."
            )


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
