"""Against Eq. (16) written out, and against the plain convolution."""

from typing import Any

import pytest
import torch
from tests.conv.literal_loops import PADDING_MODES, responses_and_means
from torch import nn

from convrepro.conv import LocalSqueezeExcitationConv2d
from convrepro.conv.plain import NotFoldable


def _conv(*args: Any, **kwargs: Any) -> LocalSqueezeExcitationConv2d:
    torch.manual_seed(0)
    conv = LocalSqueezeExcitationConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.alpha)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def _equation_16(conv: LocalSqueezeExcitationConv2d, x_CHW: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    responses_OIHW, means_CHW = responses_and_means(conv, x_CHW, padding)
    gates_CHW = [1 / (1 + torch.exp(-alpha * mean)) for alpha, mean in zip(conv.alpha, means_CHW, strict=True)]
    y = []
    for d, (bias, responses_IHW) in enumerate(zip(conv.bias, responses_OIHW, strict=True)):
        first = d // (conv.out_channels // conv.groups) * len(responses_IHW)  # channel that the kernel reads
        y.append(bias + sum(gates_CHW[first + index] * response for index, response in enumerate(responses_IHW)))
    return torch.stack(y)


GEOMETRIES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({"kernel_size": 3, "padding": 1}, (1, 1)),
    ({"kernel_size": 1, "stride": 2}, (0, 0)),
    ({"kernel_size": (1, 3), "stride": (1, 2), "padding": (2, 0), "groups": 2}, (2, 0)),
    ({"kernel_size": 3, "padding": "same", "dilation": (1, 2)}, (1, 2)),
    ({"kernel_size": (5, 3), "padding": "valid", "dilation": (1, 2)}, (0, 0)),
]


@pytest.mark.parametrize("padding_mode", PADDING_MODES)
@pytest.mark.parametrize(("geometry", "padding"), GEOMETRIES, ids=str)
def test_is_equation_16(geometry: dict[str, Any], padding: tuple[int, int], padding_mode: str) -> None:
    conv = _conv(2, 2, envelope_size=3, padding_mode=padding_mode, **geometry)
    x_CHW = _image(2, 6, 7)
    torch.testing.assert_close(conv(x_CHW), _equation_16(conv, x_CHW, padding))


def test_at_the_start_it_is_half_of_conv2d() -> None:
    """sigmoid(0) = 1/2."""
    torch.manual_seed(0)
    conv = LocalSqueezeExcitationConv2d(4, 6, 3, stride=2, padding=1, bias=False)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False)
    plain.load_state_dict({"weight": conv.weight})
    x_NCHW = _image(2, 4, 7, 8).float()
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW) / 2)


def test_what_alpha_loses_the_image_can_gain() -> None:
    """The gate depends on their product only, the rest is linear."""
    conv = _conv(3, 4, 3, padding=1, bias=False)
    x_NCHW = _image(2, 3, 6, 6)
    before = conv(x_NCHW)
    with torch.no_grad():
        conv.alpha.div_(7)
    torch.testing.assert_close(conv(7 * x_NCHW), 7 * before)


def test_it_cannot_be_folded() -> None:
    with pytest.raises(NotFoldable, match="averages of the image itself"):
        _conv(3, 4, 3).to_conv2d()


def test_number_of_parameters() -> None:
    """Sec. 2.4: C more than the convolution."""
    sizes = {name: parameter.numel() for name, parameter in LocalSqueezeExcitationConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "alpha": 3}


def test_kernel_without_a_central_pixel() -> None:
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd where `dilation` is, got \(2, 2\)"):
        LocalSqueezeExcitationConv2d(3, 4, 2)
