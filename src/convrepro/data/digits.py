"""Digits: 8x8 handwritten digits that scikit-learn brings along, so that everything runs without a download.

1,797 images, 174 to 183 a class. They are the test part of "Optical Recognition of Handwritten Digits" (UCI)
and come without a split of their own: ``test_images`` of them, stratified and the same for every seed, are
held out. Grey levels 0 .. 16 are multiplied by 15, to 0 .. 240.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits

from convrepro.data import splits
from convrepro.data.image_set import ImageSet, ImageSplit

_STEP = 15  # 16 * 15 = 240 is the largest multiple that fits 8 bits


def read(dataset: Mapping[str, Any], data_dir: Path) -> ImageSet:  # noqa: ARG001  (readers share a signature)
    """Reads the digits; ``data_dir`` need not exist.

    Raises:
        ValueError: if scikit-learn's copy is not the one of ``options.content_sha256`` (of the images as
            bytes 0 .. 16, then the labels as bytes), or the split not the one of
            ``options.test_indices_sha256``.
    """
    content, expected = load_digits(), dataset["options"]["content_sha256"]
    images_BHW, labels_B = content.images.astype(np.uint8), content.target.astype(np.int64)
    found = hashlib.sha256(images_BHW.tobytes() + labels_B.astype(np.uint8).tobytes()).hexdigest()
    if found != expected:
        raise ValueError(f"scikit-learn's digits must have sha256 {expected[:16]}..., got {found[:16]}...")
    everything = ImageSplit(torch.from_numpy(images_BHW * _STEP).unsqueeze(1), torch.from_numpy(labels_B))
    train, test = splits.fixed_test_part(labels_B, dataset)
    return ImageSet(everything.subset(train), everything.subset(test))
