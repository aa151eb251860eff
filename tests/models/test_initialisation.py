import pytest
import torch
from torch import nn

from convrepro.conv import OperatorLayer
from convrepro.models import build, initialise

SHAPE = {"num_classes": 10, "in_channels": 3, "image_size": [8, 8]}


def test_ordinary_convolutions_start_glorot_uniform() -> None:
    """3x3 kernels from 64 channels to 64: within sqrt(6 / (9 128)) of 0, deviation that over sqrt(3)."""
    network = build(model="cnn4", conv="standard", dataset=SHAPE)
    torch.manual_seed(0)
    initialise(network, "glorot_uniform")
    weight, bound = network.layer2.conv2.weight, (6 / (9 * 128)) ** 0.5
    assert 0.99 * bound < weight.abs().max() <= bound
    assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)


def test_operators_and_other_layers_keep_their_start() -> None:
    network = build(
        model="simple_cnn", conv={"_target_": "convrepro.conv.AdaptiveConv2d", "placement": "first"}, dataset=SHAPE
    )
    before = {name: value.clone() for name, value in network.state_dict().items()}
    initialise(network, "glorot_uniform")
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"layer2.conv2.weight"}


def test_an_ordinary_convolution_in_the_place_of_an_operator_starts_so_too() -> None:
    """The same baseline wherever it stands; but what an operator is made of is its own."""
    ordinary, inner = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
    for layer in (ordinary, inner):
        nn.init.ones_(layer.weight)
    operators = [OperatorLayer(operator, has_latent_axis=False) for operator in (ordinary, nn.Sequential(inner))]
    initialise(nn.Sequential(*operators), "glorot_uniform")
    assert not (ordinary.weight == 1).any()
    assert (inner.weight == 1).all()


def test_a_scheme_that_is_not_known() -> None:
    with pytest.raises(ValueError, match=r"`initialisation` must be one of glorot_uniform, got 'he'"):
        initialise(nn.Conv2d(1, 1, 1), "he")
