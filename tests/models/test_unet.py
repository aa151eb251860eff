"""The U-Net against literal loops, and its numbers of parameters against those of Keras."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import AdaptiveConv2d, operator_conv, plain_conv
from convrepro.models import UNet, build, num_operator_layers, num_parameters

PETS = {"num_classes": 3, "in_channels": 3, "image_size": [128, 128]}
TINY: dict[str, Any] = {"kernel_size": 3, "stem": 2, "encoder": [3], "decoder": [3, 2], "num_classes": 3}


def _unet(**changes: Any) -> UNet:
    torch.manual_seed(0)
    return UNet(plain_conv(), **{**TINY, "in_channels": 2, **changes})


@pytest.mark.parametrize(("conv", "kernel_size", "total"), [("standard", 3, 396_515), ("standard", 7, 400_355)])
def test_parameters_of_the_authors_code(conv: str, kernel_size: int, total: int) -> None:
    """Keras counts 1,856 running statistics: two for each of 2 x 464 channels that are normalised."""
    model = {**config_files.load("model", "unet"), "kernel_size": kernel_size}
    network = build(model=model, conv=conv, dataset=PETS)
    assert num_parameters(network) == total - 1856
    assert sum(buffer.numel() for name, buffer in network.named_buffers() if "running" in name) == 1856


def test_parameters_of_the_adaptive_network() -> None:
    """32 more than the ordinary one, one for each filter of the stem; no other layer is adaptive."""
    network = build(model="unet", conv="aconv", dataset=PETS)
    assert num_parameters(network) == 400_387 - 1856
    assert num_operator_layers(network) == 1
    assert isinstance(network.stem.conv.operator, AdaptiveConv2d)


def test_parameters_of_the_keras_example() -> None:
    """2,058,979 in all, 3,776 of them running statistics; its stem has 32 biases, which ours has not."""
    sizes = {"kernel_size": 3, "encoder": [64, 128, 256], "decoder": [256, 128, 64, 32]}
    network = build(model={**config_files.load("model", "unet"), **sizes}, conv="standard", dataset=PETS)
    assert num_parameters(network) == 2_058_979 - 3_776 - 32


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    windows = -(-size // stride)
    return windows, max((windows - 1) * stride + kernel - size, 0) // 2


def _conv(x_CHW: np.ndarray, weight_OIKK: np.ndarray, bias_O: np.ndarray | None = None, stride: int = 1) -> np.ndarray:
    kernel = weight_OIKK.shape[-1]
    (rows, top), (columns, left) = (_same(size, kernel, stride) for size in x_CHW.shape[1:])
    y = np.zeros((len(weight_OIKK), rows, columns))
    for r, c, i, j in np.ndindex(rows, columns, kernel, kernel):
        row, column = r * stride - top + i, c * stride - left + j
        if 0 <= row < x_CHW.shape[1] and 0 <= column < x_CHW.shape[2]:
            y[:, r, c] += weight_OIKK[:, :, i, j] @ x_CHW[:, row, column]
    return y if bias_O is None else y + bias_O[:, None, None]


def _transposed(x_CHW: np.ndarray, weight_IOKK: np.ndarray, bias_O: np.ndarray) -> np.ndarray:
    """Each pixel adds a weighted kernel around itself; what falls outside is cut."""
    _, height, width = x_CHW.shape
    y = np.zeros((weight_IOKK.shape[1], height, width))
    for r, c, i, j in np.ndindex(height, width, 3, 3):
        if 0 <= r + i - 1 < height and 0 <= c + j - 1 < width:
            y[:, r + i - 1, c + j - 1] += weight_IOKK[:, :, i, j].T @ x_CHW[:, r, c]
    return y + bias_O[:, None, None]


def _pool(x_CHW: np.ndarray) -> np.ndarray:
    (rows, top), (columns, left) = (_same(size, 3, 2) for size in x_CHW.shape[1:])
    y = np.empty((len(x_CHW), rows, columns))
    for r, c in np.ndindex(rows, columns):
        window = x_CHW[:, max(2 * r - top, 0) : 2 * r - top + 3, max(2 * c - left, 0) : 2 * c - left + 3]
        y[:, r, c] = window.max(axis=(1, 2))
    return y


def _elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.exp(np.minimum(x, 0.0)) - 1.0)


def _double(x_CHW: np.ndarray) -> np.ndarray:
    return x_CHW.repeat(2, axis=1).repeat(2, axis=2)


def _literal(network: UNet, image_CHW: np.ndarray) -> np.ndarray:
    """The layers in the order of the Keras example, which upsamples both ways of a block before it adds them."""
    of = {name: value.numpy() for name, value in network.state_dict().items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        mean, variance, weight, bias = (
            of[f"{name}.{key}"][:, None, None] for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + 1e-3) * weight + bias

    def conv(x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
        return _conv(x, of[f"{name}.weight"], of.get(f"{name}.bias"), stride)

    def separable(x: np.ndarray, name: str) -> np.ndarray:
        weight_C1KK = of[f"{name}.depthwise.weight"]
        alone = np.concatenate([_conv(x[c : c + 1], weight_C1KK[c : c + 1]) for c in range(len(x))])
        return conv(alone, f"{name}.pointwise")

    x = _elu(norm(conv(image_CHW, "stem.conv", stride=2), "stem.bnorm"))
    for block in range(len(network.encoder)):
        name, y = f"encoder.{block}", x
        for number in (1, 2):
            y = norm(separable(_elu(y), f"{name}.path.separable{number}"), f"{name}.path.bnorm{number}")
        x = _pool(y) + conv(x, f"{name}.shortcut", stride=2)
    for block in range(len(network.decoder)):
        name, y = f"decoder.{block}", x
        for number in (1, 2):
            weight, bias = (of[f"{name}.path.transposed{number}.{key}"] for key in ("weight", "bias"))
            y = norm(_transposed(_elu(y), weight, bias), f"{name}.path.bnorm{number}")
        x = _double(y) + conv(_double(x), f"{name}.shortcut")
    return conv(x, "classifier")


@pytest.mark.parametrize("kernel_size", [3, 7])
def test_network_against_literal_loops(kernel_size: int) -> None:
    network = _unet(kernel_size=kernel_size).double().eval()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if "var" in name else torch.randn_like(value) / 2)
    x_CHW = torch.randn(2, 8, 12, dtype=torch.float64)
    with torch.no_grad():
        found = network(x_CHW[None])[0].numpy()
    np.testing.assert_allclose(found, _literal(network, x_CHW.numpy()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("image_size", [(16, 16), (28, 28), (15, 33), (1, 1)])
def test_any_image_keeps_its_size(image_size: tuple[int, int]) -> None:
    network = _unet(encoder=[3, 3, 3], decoder=[3, 3, 3, 2]).eval()
    assert network(torch.randn(2, 2, *image_size)).shape == (2, 3, *image_size)


def test_batch_normalisation_is_that_of_keras() -> None:
    norms = [layer for layer in _unet().modules() if isinstance(layer, nn.BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)}


def test_layers_but_the_stem_start_as_keras_has_them() -> None:
    """Glorot: 3 channels to 2 by 3x3 start within sqrt(6 / (9 (3 + 2))) of 0."""
    network = _unet()
    transposed = network.decoder[1].path.transposed1
    assert 0.9 * (6 / 45) ** 0.5 < transposed.weight.abs().max() <= (6 / 45) ** 0.5
    named = [(name, parameter) for name, parameter in network.named_parameters() if name.endswith("bias")]
    assert not any(parameter.any() for _, parameter in named)


def test_latent_positions_end_with_the_stem() -> None:
    stem = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    network = UNet(stem, **TINY, in_channels=2)
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3, 8, 8)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd and positive, got 4"):
        _unet(kernel_size=4)
    with pytest.raises(ValueError, match=r"`decoder` must have one block more than `encoder`.* got 1 and 1"):
        _unet(decoder=[3])
