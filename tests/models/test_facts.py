"""Facts of operators that need no training."""

import numpy as np
import pytest
import torch
from torch import nn

from convrepro.conv import OperatorLayer, operator_conv, plain_conv
from convrepro.models import build, facts_of

ACONV = operator_conv({"_target_": "convrepro.conv.AdaptiveConv2d"})
UNNORMALIZED = operator_conv({"_target_": "convrepro.conv.AdaptiveConv2d", "normalized": False, "sigma_init": 0.2})


class Generated(nn.Conv2d):
    """An operator whose kernels have fewer parameters than weights."""

    def num_kernel_parameters(self) -> int:
        return 10


def _generated(*args: int, **kwargs: int) -> OperatorLayer:
    return OperatorLayer(Generated(*args, **kwargs), has_latent_axis=False)


@pytest.mark.parametrize("conv", ["standard", "dk"])
def test_operators_without_facts(conv: str) -> None:
    """The records of such networks stay what they are."""
    dataset = {"num_classes": 3, "in_channels": 2, "image_size": [8, 8]}
    assert facts_of(build(model="cnn4", conv=conv, dataset=dataset)) == {}


def test_variance_ratio_is_that_of_eq_13_mean_over_layers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(UNNORMALIZED(3, 4, 3), UNNORMALIZED(4, 5, 5), plain_conv()(5, 5, 3))
    ratios = []
    for layer in (network[0].operator, network[1].operator):
        weight, effective = layer.weight.detach().numpy(), layer.effective_weight().detach().numpy()
        side = layer.kernel_size[0]
        variances = [
            [np.var(kernels[:, :, i, j].astype(float), ddof=1) for i in range(side) for j in range(side)]
            for kernels in (effective, weight)
        ]
        ratios.append(np.mean(variances[0]) / np.mean(variances[1]))
    assert facts_of(network) == {"kernel_variance_ratio": pytest.approx(np.mean(ratios))}


def test_an_envelope_that_is_1_has_the_ratio_1() -> None:
    wide = ACONV(3, 4, 5)
    nn.init.constant_(wide.operator.sigma, 1e6)  # type: ignore[union-attr, arg-type]
    assert facts_of(wide)["kernel_variance_ratio"] == pytest.approx(1.0)


def test_compact_factor_is_pooled_over_layers() -> None:
    """Of 4 * 3 * 9 = 108 and, in two groups, 4 * 2 * 25 = 200 weights there are 10 parameters each."""
    network = nn.Sequential(_generated(3, 4, 3), _generated(4, 4, 5, groups=2), plain_conv()(4, 4, 3))
    assert facts_of(network) == {"compact_factor": pytest.approx(1 - 20 / 308)}


def test_only_layers_under_study_count() -> None:
    """An operator that a network holds by itself is a part of the network."""
    assert facts_of(nn.Sequential(Generated(3, 4, 3))) == {}
