"""Against the Gaussian written out."""

import math

import pytest
import torch

from convrepro.conv.gaussian_envelope import gaussian_envelopes, squared_distances


def _variances(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("kernel_size", "expected"),
    [
        ((1, 1), [0]),
        ((3, 3), [8, 4, 8, 4, 0, 4, 8, 4, 8]),  # 4 (y^2 + x^2) in taps
        ((2, 3), [5, 1, 5, 5, 1, 5]),  # 4 (0.5^2 + x^2)
    ],
)
def test_distances_are_counted_in_half_taps_from_the_centre(kernel_size: tuple[int, int], expected: list[int]) -> None:
    assert squared_distances(kernel_size).tolist() == expected


def test_each_direction_may_have_its_own_unit() -> None:
    """Half steps of 3 and 2: rows at -3 and 3, columns at -4, 0 and 4."""
    assert squared_distances((2, 3), (3, 2)).tolist() == [25, 9, 25, 25, 9, 25]


def test_without_the_scale_it_is_the_gaussian() -> None:
    distance2_K = squared_distances((2, 3))
    envelopes_FK = gaussian_envelopes(distance2_K, _variances(0.7, 5.0), normalized=False)
    expected = [[math.exp(-d2 / (2 * variance)) for d2 in distance2_K.tolist()] for variance in (0.7, 5.0)]
    torch.testing.assert_close(envelopes_FK, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("kernel_size", [(3, 3), (2, 2), (1, 5)])
def test_the_scale_gives_the_norm_of_ones_and_changes_no_ratio(kernel_size: tuple[int, int]) -> None:
    distance2_K, variance_F = squared_distances(kernel_size), _variances(0.3, 2.0, 50.0)
    scaled_FK = gaussian_envelopes(distance2_K, variance_F)
    torch.testing.assert_close(scaled_FK.norm(dim=1), torch.full((3,), math.prod(kernel_size)).double().sqrt())
    plain_FK = gaussian_envelopes(distance2_K, variance_F, normalized=False)
    torch.testing.assert_close(scaled_FK / scaled_FK[:, :1], plain_FK / plain_FK[:, :1])


def test_the_narrowest_envelope_leaves_what_is_nearest_to_the_centre() -> None:
    """Not scaled, those of an even kernel would be exp(-1e5) = 0 everywhere."""
    odd, even = (gaussian_envelopes(squared_distances(size), _variances(1e-5)) for size in ((3, 3), (4, 4)))
    assert odd.view(3, 3).nonzero().tolist() == [[1, 1]]
    assert even.view(4, 4).nonzero().tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    torch.testing.assert_close(torch.stack([odd.norm(), even.norm()]), _variances(3.0, 4.0))


@pytest.mark.parametrize("normalized", [True, False])
def test_gradients(normalized: bool) -> None:
    distance2_K = squared_distances((2, 3))
    assert torch.autograd.gradcheck(
        lambda variance_F: gaussian_envelopes(distance2_K, variance_F, normalized=normalized),
        _variances(0.7, 5.0).requires_grad_(),
    )
