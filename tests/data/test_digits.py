"""scikit-learn's digits."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from convrepro import config_files
from convrepro.data import digits

NOWHERE = Path("/does/not/exist")


def test_split_is_stratified_and_of_the_stated_size() -> None:
    image_set = digits.read(config_files.load("dataset", "digits"), NOWHERE)
    assert (len(image_set.train), len(image_set.test)) == (1297, 500)
    counts = np.bincount(load_digits().target)  # 174 to 183; 500 / 1797 of each, rounded either way
    difference = np.bincount(image_set.test.labels_B.numpy()) - counts * 500 / 1797
    assert np.abs(difference).max() < 1


def test_grey_levels_are_multiplied_by_15() -> None:
    image_set = digits.read(config_files.load("dataset", "digits"), NOWHERE)
    images = np.concatenate([image_set.train.images_BCHW.numpy(), image_set.test.images_BCHW.numpy()])
    assert images.shape == (1797, 1, 8, 8)
    assert set(np.unique(images)) == set(range(0, 241, 15))
    assert int(images.astype(int).sum()) == 15 * int(load_digits().images.sum())


@pytest.mark.parametrize("key", ["content_sha256", "test_indices_sha256"])
def test_other_content_or_split_is_refused(key: str) -> None:
    dataset = config_files.load("dataset", "digits")
    dataset["options"] = {**dataset["options"], key: "0" * 64}
    with pytest.raises(ValueError, match="0000000000000000"):
        digits.read(dataset, NOWHERE)
