"""A small data set of image files in folders, and its config."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convrepro.data import image_tree


def tree_of(data_dir: Path, *, side: int = 6) -> dict[str, Any]:
    """Twelve training and four test images of random pixels, of two classes, some of them of another shape."""
    stream = np.random.RandomState(0)
    for part, number in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            folder = data_dir / "set" / part / name
            folder.mkdir(parents=True)
            for index in range(number):
                pixels = stream.randint(0, 256, (side, side + index % 3, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    dataset: dict[str, Any] = {
        "name": "tree",
        "_target_": "convrepro.data.image_tree.read",
        "num_classes": 2,
        "in_channels": 3,
        "image_size": [side, side],
        "num_train_images": 12,
        "num_test_images": 4,
        "files": {},
        "downloads": [],
        "options": {
            "folders": {"train": "set/train", "test": "set/test"},
            "resize": [side, side],
            "content_sha256": "",
        },
    }
    found = image_tree.read(dataset, data_dir)
    names = found.train.names + found.test.names
    digests = [image_tree.sha256_of_file(name, data_dir) for name in names]
    dataset["options"]["content_sha256"] = image_tree.content_sha256(names, digests)
    return dataset
