"""Classes of masks."""

import numpy as np
import pytest

from convrepro.data import masks

DATASET = {"num_classes": 3, "options": {"first_mask_label": 1}}


def test_classes_count_from_zero() -> None:
    found = masks.classes_of(np.array([[1, 2], [3, 1]], np.uint8), DATASET, "mask 0")
    assert found.tolist() == [[0, 1], [2, 0]]
    assert found.dtype == np.uint8


def test_classes_count_from_the_first_label() -> None:
    """Labels 7, 8 and 9 are classes 0, 1 and 2."""
    dataset = DATASET | {"options": {"first_mask_label": 7}}
    assert masks.classes_of(np.array([9, 7, 8], np.uint8), dataset, "mask 0").tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match=r"mask 0 must have pixels of 7 \.\. 9, got 1 \.\. 10"):
        masks.classes_of(np.array([1, 10], np.uint8), dataset, "mask 0")


@pytest.mark.parametrize(("pixels", "got"), [([0, 2], r"0 \.\. 2"), ([1, 4], r"1 \.\. 4"), ([255, 1], r"1 \.\. 255")])
def test_pixels_of_no_class(pixels: list[int], got: str) -> None:
    with pytest.raises(ValueError, match=rf"mask 0 must have pixels of 1 \.\. 3, got {got}"):
        masks.classes_of(np.array(pixels, np.uint8), DATASET, "mask 0")
