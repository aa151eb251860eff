"""Nine image filters and what they answer to an image (Tek, Çam, Karlı 2021, Sec. 4.1 and Fig. 4d)."""

import numpy as np
from scipy import ndimage

# Shapes: H W image, F filters.

FILTERS = (
    "laplace",
    "sobel_horizontal",
    "sobel_vertical",
    "gauss_0.25",
    "gauss_1",
    "gauss_2",
    "laplace_of_gauss_2",
    "sobel_horizontal_of_gauss_2",
    "sobel_vertical_of_gauss_2",
)
_LAPLACE = np.array([[0.0, -1.0, 0.0], [-1.0, 4.0, -1.0], [0.0, -1.0, 0.0]])
_SOBEL = np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]) / 4.0  # answers to horizontal edges
_SIGMAS = (0.25, 1.0, 2.0)  # pixels


def filter_targets(image_HW: np.ndarray) -> np.ndarray:
    """The image under each of ``FILTERS``, in float64: ``(F, H, W)``.

    The paper names 3x3 Laplace, horizontal and vertical Sobel, Gauss "of different variance", and Laplace and Sobel of
    "the Gauss-smoothed outputs". The widths, 0.25, 1 and 2 pixels with 2 under Laplace and Sobel, are those of the
    authors' public code, and so are the scales: Laplace is 4 times the pixel minus its four neighbours, Sobel is
    divided by 4, and Gauss sums to 1 within 4 sigma. Nothing is normalised: the filters weigh in the error by how
    strongly they answer. Beyond the image Gauss sees its edge, the others its mirror.

    Gauss of 2 pixels reaches further than a 9x9 kernel: the error of the last four filters cannot become 0.
    """
    smoothed = [ndimage.gaussian_filter(image_HW.astype(np.float64), sigma, mode="nearest") for sigma in _SIGMAS]
    edges = [
        ndimage.convolve(content, kernel, mode="reflect")
        for content in (image_HW.astype(np.float64), smoothed[-1])
        for kernel in (_LAPLACE, _SOBEL, _SOBEL.T)
    ]
    return np.stack([*edges[:3], *smoothed, *edges[3:]])
