"""What can be said of a network's operators without training: what their kernels vary by, and what they save."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from convrepro.conv import OperatorLayer

# Shapes: O output channels, I input channels of a group, K = kh kw kernel positions.


def facts_of(network: nn.Module) -> dict[str, float]:
    """The facts that the network's operators have, by name; empty if they have none.

    ``kernel_variance_ratio``, of operators with ``weight``, ``envelope()`` and ``effective_weight()``: the mean
    variance of the effective kernels over that of the weights, as ``mean_variance`` computes it, mean over layers.

    ``compact_factor``, of operators with ``num_kernel_parameters()``, the parameters of their kernels without the
    bias: one minus the share of these in the weights that plain convolutions of the same size have.
    """
    operators: list[Any] = [layer.operator for layer in network.modules() if isinstance(layer, OperatorLayer)]
    facts = {}
    if enveloped := [one for one in operators if hasattr(one, "envelope") and hasattr(one, "effective_weight")]:
        facts["kernel_variance_ratio"] = _kernel_variance_ratio(enveloped)
    if compact := [one for one in operators if hasattr(one, "num_kernel_parameters")]:
        facts["compact_factor"] = _compact_factor(compact)
    return facts


def mean_variance(kernels_OIKK: torch.Tensor) -> torch.Tensor:
    """Sample variance over all channels and filters at each kernel position, and its mean over the positions."""
    return kernels_OIKK.flatten(0, 1).var(dim=0).mean()


@torch.no_grad()
def _kernel_variance_ratio(operators: Sequence[Any]) -> float:
    # Added up in float64: in float32 the last digits would be those of the order of summation.
    ratios = [mean_variance(one.effective_weight().double()) / mean_variance(one.weight.double()) for one in operators]
    return float(torch.stack(ratios).mean())


def _compact_factor(operators: Sequence[Any]) -> float:
    num_own: int = sum(one.num_kernel_parameters() for one in operators)
    num_plain: int = sum(
        one.out_channels * (one.in_channels // one.groups) * math.prod(one.kernel_size) for one in operators
    )
    return 1.0 - num_own / num_plain
