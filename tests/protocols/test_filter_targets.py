"""The nine filters against scikit-image, which the authors' code calls, and against closed forms."""

import numpy as np
import pytest
from skimage import filters

from convrepro.protocols.filter_targets import FILTERS, filter_targets

IMAGE_HW = np.random.RandomState(0).rand(21, 17)


def test_filters_of_scikit_image() -> None:
    smoothed = filters.gaussian(IMAGE_HW, sigma=2.0)
    expected = [
        *(filters.laplace(IMAGE_HW, ksize=3), filters.sobel_h(IMAGE_HW), filters.sobel_v(IMAGE_HW)),
        *(filters.gaussian(IMAGE_HW, sigma=sigma) for sigma in (0.25, 1.0, 2.0)),
        *(filters.laplace(smoothed, ksize=3), filters.sobel_h(smoothed), filters.sobel_v(smoothed)),
    ]
    np.testing.assert_allclose(filter_targets(IMAGE_HW), expected, rtol=0, atol=1e-12)


def test_a_constant_image_has_no_edges() -> None:
    found = dict(zip(FILTERS, filter_targets(np.full((9, 9), 0.7)), strict=True))
    for name, answer_HW in found.items():
        assert answer_HW == pytest.approx(0.7 if name.startswith("gauss") else 0.0, abs=1e-12)


def test_a_ramp_of_columns_has_slope_2_under_the_vertical_sobel() -> None:
    """(1 + 2 + 1) / 4 of the difference of two columns, which is 2, up to the sign of the kernel."""
    ramp_HW = np.tile(np.arange(12.0), (12, 1))
    found = dict(zip(FILTERS, filter_targets(ramp_HW), strict=True))
    assert np.abs(found["sobel_vertical"][:, 1:-1]) == pytest.approx(2.0)
    assert found["sobel_horizontal"] == pytest.approx(0.0)
    assert found["laplace"][:, 1:-1] == pytest.approx(0.0)
