"""The latent axis in the batch, against the paper's 5-D layout (N, C, H, W, L) in ``nn.Conv3d``."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import DynamicKernelConv2d, OperatorLayer, operator_conv, plain_conv
from convrepro.models import CNN4
from convrepro.models.densenet_bc import DenseLayer
from convrepro.models.latent import AverageLatent, average, average_before, chain, latent_after
from convrepro.models.residual import ConvLayer, ResidualBlock

DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d", "pieces": 2, "points": 3})
PLAIN = plain_conv()


def test_average_takes_the_latent_positions_of_each_image() -> None:
    x_XCHW = torch.arange(12.0).view(6, 1, 1, 2)  # 2 images, 3 positions: 0 2 4 and 6 8 10 in the first column
    averaged_BCHW = AverageLatent(3)(x_XCHW)
    assert averaged_BCHW.tolist() == [[[[2.0, 3.0]]], [[[8.0, 9.0]]]]


def test_average_prints_how_many_positions_it_takes() -> None:
    assert repr(AverageLatent(3)) == "AverageLatent(num_latent=3)"


def test_average_keeps_channels_last() -> None:
    x_XCHW = torch.randn(6, 4, 5, 5).to(memory_format=torch.channels_last)
    assert AverageLatent(3)(x_XCHW).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("conv", "num_latent", "averages", "after"),
    [(PLAIN, 1, False, 1), (PLAIN, 6, False, 6), (DK, 1, False, 6), (DK, 6, True, 6), (DK, 4, True, 6)],
)
def test_average_stands_where_one_axis_would_meet_another(
    conv: Any, num_latent: int, averages: bool, after: int
) -> None:
    assert (average_before(conv, num_latent) is not None) == averages
    assert latent_after(conv, num_latent) == after


def test_there_is_nothing_to_average_without_latent_positions() -> None:
    assert average(1) is None


def test_chain_leaves_out_what_is_none() -> None:
    assert [name for name, _ in chain(a=nn.ReLU(), b=None, c=nn.ReLU()).named_children()] == ["a", "c"]


class _KConv(nn.Module):
    """The DK layer, one plain convolution for each latent position: (N, C, H, W) to (N, O, H, W, L)."""

    def __init__(self, layer: OperatorLayer) -> None:
        super().__init__()
        self.operator = copy.deepcopy(layer.operator)

    def forward(self, x_NCHW: torch.Tensor) -> torch.Tensor:
        assert isinstance(self.operator, DynamicKernelConv2d)
        kernels = self.operator.kernels().unbind(dim=1)
        return torch.stack([F.conv2d(x_NCHW, kernel, padding=1) for kernel in kernels], dim=-1)


def _conv3d(plain: Any) -> nn.Conv3d:
    """C3D3 and C3D1: k x k x 1."""
    geometry = {"stride": (*plain.stride, 1), "padding": (*plain.padding, 0), "bias": False}
    conv = nn.Conv3d(plain.in_channels, plain.out_channels, (*plain.kernel_size, 1), **geometry).double()
    conv.weight.data.copy_(plain.weight.data.unsqueeze(-1))
    return conv


def _bnorm3d(plain: Any) -> nn.BatchNorm3d:
    bnorm = nn.BatchNorm3d(plain.num_features).double()
    bnorm.load_state_dict(plain.state_dict())
    return bnorm


class _Average(nn.Module):
    def forward(self, x_NCHWL: torch.Tensor) -> torch.Tensor:
        return x_NCHWL.mean(dim=-1)


def _in_5d(layers: nn.Sequential) -> nn.Sequential:
    """The same layers in 5-D. From an average to the next DK layer there is no latent axis."""
    made: list[nn.Module] = []
    for layer in layers:
        match layer:
            case OperatorLayer():
                made.append(_KConv(layer))
            case nn.Conv2d():
                made.append(_conv3d(layer))
            case nn.BatchNorm2d():
                made.append(_bnorm3d(layer))
            case AverageLatent():
                made.append(_Average())
            case nn.MaxPool2d() if isinstance(made[-1], _Average):
                made.append(nn.MaxPool2d(2))
            case nn.MaxPool2d():
                made.append(nn.MaxPool3d((2, 2, 1)))
            case _:
                made.append(copy.deepcopy(layer))
    return nn.Sequential(*made)


def _folded(x_NCHWL: torch.Tensor) -> torch.Tensor:
    return x_NCHWL.permute(0, 4, 1, 2, 3).flatten(0, 1)


def _shuffle_bnorms(module: nn.Module) -> nn.Module:
    """Batch normalisation with weights that would show a mix-up of channels."""
    for bnorm in module.modules():
        if isinstance(bnorm, nn.BatchNorm2d):
            nn.init.normal_(bnorm.weight, mean=1.0, std=0.3)
            nn.init.normal_(bnorm.bias)
    return module


def _double(module: nn.Module) -> Any:
    return _shuffle_bnorms(module).double()


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("train", [True, False])
def test_cnn4_is_that_of_table_4(train: bool) -> None:
    torch.manual_seed(0)
    roles = {"conv1": DK, "conv2": PLAIN, "conv3": DK, "conv4": PLAIN}
    ours = _double(CNN4(**roles, filters=4, num_classes=3, in_channels=2, image_size=(9, 8)))
    ours.train(train)
    parts = (ours.layer1, ours.layer2, ours.layer3, ours.layer4)
    table_4 = nn.Sequential(*(_in_5d(part) for part in parts), nn.Flatten(), copy.deepcopy(ours.classifier))
    table_4.train(train)
    kinds = [type(layer).__name__ for part in list(table_4)[:4] for layer in part]
    assert kinds == [
        *("_KConv", "BatchNorm3d", "ReLU"),
        *("Conv3d", "BatchNorm3d", "ReLU", "_Average", "MaxPool2d"),
        *("_KConv", "BatchNorm3d", "ReLU", "MaxPool3d"),
        *("Conv3d", "BatchNorm3d", "ReLU", "_Average"),
    ]
    x_NCHW = _image(3, 2, 9, 8)
    torch.testing.assert_close(ours(x_NCHW), table_4(x_NCHW))

    ours(x_NCHW).square().sum().backward()
    table_4(x_NCHW).square().sum().backward()
    torch.testing.assert_close(ours.layer1.conv1.operator.phase.grad, table_4[0][0].operator.phase.grad)


@pytest.mark.parametrize("changes_shape", [False, True])
def test_residual_block_is_that_of_table_2(changes_shape: bool) -> None:
    torch.manual_seed(0)
    channels, stride = (6, 2) if changes_shape else (4, 1)
    first = ConvLayer(conv=PLAIN, out_channels=channels, kernel_size=3, stride=stride)
    second = ConvLayer(conv=DK, out_channels=channels, kernel_size=3)
    ours = _double(ResidualBlock([first, second], PLAIN, 4, num_latent=6))
    way2 = _in_5d(ours.residual)
    way1 = _in_5d(ours.shortcut) if changes_shape else nn.Identity()
    kinds = [type(layer).__name__ for layer in way2]
    assert kinds == ["Conv3d", "BatchNorm3d", "ReLU", "_Average", "_KConv", "BatchNorm3d"]
    x_NCHWL = _image(3, 4, 5, 6, 6)
    torch.testing.assert_close(ours(_folded(x_NCHWL)), _folded(F.relu(way1(x_NCHWL) + way2(x_NCHWL))))


def test_dense_layer_is_that_of_table_3() -> None:
    torch.manual_seed(0)
    ours = _double(DenseLayer(PLAIN, DK, 5, 3, bottleneck_width=4, num_latent=6))
    way2 = _in_5d(ours.way2)
    kinds = [type(layer).__name__ for layer in way2]
    assert kinds == ["BatchNorm3d", "ReLU", "Conv3d", "BatchNorm3d", "ReLU", "_Average", "_KConv"]
    # The ReLUs work in place, on what a batch normalisation has made: the input stays what it is.
    x_NCHWL = _image(3, 5, 4, 4, 6)
    expected_NCHWL = torch.cat([x_NCHWL, way2(x_NCHWL)], dim=1)
    torch.testing.assert_close(ours(_folded(x_NCHWL)), _folded(expected_NCHWL))
