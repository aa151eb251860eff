"""What every operator of ``configs/conv`` must do to be put into any network."""

import copy

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import ConvFactory, operator_conv
from convrepro.models import build

DATASET = {"num_classes": 3, "in_channels": 2, "image_size": [8, 8]}


def _smallest_networks() -> list[str]:
    """One name for each network of ``configs/model``, the smallest: resnet20 of resnet20 .. resnet110."""
    by_target: dict[str, str] = {}
    for name in sorted(config_files.names("model"), key=lambda name: (len(name), name)):
        by_target.setdefault(config_files.load("model", name)["_target_"], name)
    return list(by_target.values())


CONVS = config_files.names("conv")


@pytest.mark.parametrize("name", CONVS)
def test_file_says_what_it_is(name: str) -> None:
    config = config_files.load("conv", name)
    assert config["name"] == name
    assert config["about"]
    assert config["placement"]


@pytest.fixture(params=CONVS)
def conv(request: pytest.FixtureRequest) -> ConvFactory:
    return operator_conv(config_files.load("conv", request.param))


def _layer(conv: ConvFactory, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return conv(4, 6, 3, stride=2, padding=1)


def _images() -> torch.Tensor:
    return torch.randn(2, 4, 8, 7, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2)])
def test_shape_is_that_of_conv2d(conv: ConvFactory, kernel_size: int, stride: int, padding: int) -> None:
    plain_XCHW = nn.Conv2d(4, 6, kernel_size, stride, padding)(_images())
    ours_XCHW = conv(4, 6, kernel_size, stride=stride, padding=padding)(_images())
    assert ours_XCHW.shape == (2 * conv.num_latent, *plain_XCHW.shape[1:])


def test_no_bias(conv: ConvFactory) -> None:
    """Batch normalisation follows and would undo it."""
    assert not _layer(conv)(torch.zeros(2, 4, 8, 8)).any()


def test_state_survives_saving_and_loading(conv: ConvFactory) -> None:
    ours, other = _layer(conv, seed=0).eval(), _layer(conv, seed=1).eval()
    other.load_state_dict(ours.state_dict())
    assert torch.equal(other(_images()), ours(_images()))


def test_seed_decides_every_value(conv: ConvFactory) -> None:
    assert torch.equal(_layer(conv)(_images()), _layer(conv)(_images()))


def test_gradient_reaches_every_parameter(conv: ConvFactory) -> None:
    layer = _layer(conv)
    layer(_images()).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_float64(conv: ConvFactory) -> None:
    layer = _layer(conv).eval()
    single_XCHW = layer(_images())
    double_XCHW = layer.double()(_images().double())
    assert double_XCHW.dtype is torch.float64
    torch.testing.assert_close(double_XCHW.float(), single_XCHW)


def test_deepcopy(conv: ConvFactory) -> None:
    layer = _layer(conv).eval()
    twin = copy.deepcopy(layer)
    before = twin(_images())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert torch.equal(twin(_images()), before)


@pytest.mark.parametrize("model", _smallest_networks())
@pytest.mark.parametrize("conv_name", CONVS)
def test_network_forward_and_backward_are_finite(conv_name: str, model: str) -> None:
    torch.manual_seed(0)
    conv, model_config = config_files.load("conv", conv_name), config_files.load("model", model)
    for placement in model_config["placements"].keys() - {"none"} if conv["placement"] != "none" else {"none"}:
        network = build(model=model_config, conv={**conv, "placement": placement}, dataset=DATASET)
        logits_BK = network(torch.randn(2, 2, 8, 8))
        logits_BK.square().sum().backward()
        assert logits_BK.shape == (2, 3)
        assert logits_BK.isfinite().all()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
