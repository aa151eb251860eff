import math

import pytest
import torch
from torch import nn

from convrepro.models import Dropout, num_parameters
from convrepro.models.fastai_head import fastai_head

# Shapes: B batch, C channels, H W image, K classes.


def test_number_of_parameters() -> None:
    """BN 2 * 1024, linear 1024 * 512, BN 2 * 512, linear 512 * 10."""
    assert num_parameters(fastai_head(512, 10)) == 2_048 + 524_288 + 1_024 + 5_120 == 532_480


def test_it_is_the_literal_sequence_of_layers() -> None:
    torch.manual_seed(0)
    head = fastai_head(3, 4).double().eval()
    x_BCHW = torch.randn(5, 3, 2, 6, dtype=torch.float64)
    features = torch.cat([x_BCHW.flatten(2).max(2).values, x_BCHW.flatten(2).mean(2)], dim=1)  # the maximum first
    scale, bias = (1 + 1e-5) ** -0.5, 1e-3  # batch normalisation as it starts, in eval mode
    hidden = torch.relu((features * scale + bias) @ head.hidden.weight.T)
    torch.testing.assert_close(head(x_BCHW), (hidden * scale + bias) @ head.classifier.weight.T)


def test_layers_in_order() -> None:
    layers = list(fastai_head(8, 4))[2:]
    kinds = [nn.BatchNorm1d, Dropout, nn.Linear, nn.ReLU, nn.BatchNorm1d, Dropout, nn.Linear]
    assert [type(layer) for layer in layers] == kinds
    assert [layer.p for layer in layers if isinstance(layer, Dropout)] == [0.25, 0.5]


def test_start_of_its_parameters() -> None:
    """Var = 2 / inputs; 5 standard deviations of the variance of n = 1024 * 512 values."""
    torch.manual_seed(0)
    head = fastai_head(512, 10)
    deviations = 5 * math.sqrt(2 / head.hidden.weight.numel())
    assert head.hidden.weight.square().mean().item() * 1024 / 2 == pytest.approx(1, abs=deviations)
    for norm in (head.bnorm1, head.bnorm2):
        assert torch.equal(norm.weight, torch.ones_like(norm.weight))
        assert torch.equal(norm.bias, torch.full_like(norm.bias, 1e-3))


def test_latent_positions_are_averaged_behind_the_pooling() -> None:
    torch.manual_seed(0)
    head, latent = fastai_head(3, 4).eval(), fastai_head(3, 4, num_latent=2).eval()
    latent.load_state_dict(head.state_dict())
    x_XCHW = torch.randn(6, 3, 2, 2)
    pooled_XC11 = head.pools(x_XCHW)
    averaged_BC11 = (pooled_XC11[::2] + pooled_XC11[1::2]) / 2
    torch.testing.assert_close(latent(x_XCHW), head[1:](averaged_BC11))
