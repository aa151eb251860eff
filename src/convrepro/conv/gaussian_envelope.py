"""Gaussians on the positions of a kernel, by which whole kernels are multiplied (Tek et al. 2021; Kobayashi 2023)."""

import math
from collections.abc import Sequence

import torch

# Shapes: F filters or channels, K = kh kw kernel positions.


def squared_distances(
    kernel_size: Sequence[int], steps: Sequence[int] = (1, 1), *, device: torch.device | None = None
) -> torch.Tensor:
    """Squared distances of a kernel's positions from its centre, whole numbers: ``(K,)``.

    Args:
        kernel_size: height and width.
        steps: half the distance of two neighbours in each direction; by default the unit is half a tap.
    """
    rows_h, columns_w = (
        torch.arange(1 - side, side, 2, device=device) * step for side, step in zip(kernel_size, steps, strict=True)
    )
    return (rows_h.square().unsqueeze(1) + columns_w.square()).flatten()


def gaussian_envelopes(distance2_K: torch.Tensor, variance_F: torch.Tensor, *, normalized: bool = True) -> torch.Tensor:
    r"""The Gaussian of each filter or channel: ``(F, K)``.

    :math:`U_{fk} = s_f \exp(-d_k^2 / (2 \sigma_f^2))`, where :math:`s_f` makes the mean of :math:`U_{fk}^2` over the
    positions 1, or is 1 without the normalisation.

    Args:
        distance2_K: squared distances from the centre.
        variance_F: :math:`\sigma^2` in the same unit, positive.
        normalized: whether to scale.
    """
    exponent_FK = -distance2_K / variance_F.unsqueeze(1)  # of the squared envelope
    if normalized:
        # Squares that sum to 1 are a softmax. It subtracts the smallest distance, so that no envelope is 0 / 0.
        return math.sqrt(len(distance2_K)) * torch.exp(0.5 * torch.log_softmax(exponent_FK, dim=1))
    return torch.exp(0.5 * exponent_FK)
