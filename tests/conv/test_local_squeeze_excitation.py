"""Against Eq. (16) written out, and against the plain convolution."""

import doctest
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convrepro.conv import LocalSqueezeExcitationConv2d, local_squeeze_excitation
from convrepro.conv.plain import NotFoldable

MARGIN = 12
AS_NUMPY = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _conv(*args: Any, **kwargs: Any) -> LocalSqueezeExcitationConv2d:
    torch.manual_seed(0)
    conv = LocalSqueezeExcitationConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.alpha)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _equation_16(conv: LocalSqueezeExcitationConv2d, x_CHW: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    """Number by number, for an image continued by numpy."""
    image = np.pad(x_CHW.numpy(), [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)], mode=AS_NUMPY[conv.padding_mode])
    weight, alpha, bias = conv.weight.tolist(), conv.alpha.tolist(), conv.bias.tolist()
    (kh, kw), (sy, sx), (dy, dx), r = conv.kernel_size, conv.stride, conv.dilation, conv.envelope_size // 2
    height = (x_CHW.shape[1] + 2 * padding[0] - (kh - 1) * dy - 1) // sy + 1
    width = (x_CHW.shape[2] + 2 * padding[1] - (kw - 1) * dx - 1) // sx + 1
    num_read, num_made = len(weight[0]), len(weight) // conv.groups  # channels of a group
    y = torch.zeros(len(weight), height, width, dtype=torch.float64)
    for d in range(len(weight)):
        for row in range(height):
            for column in range(width):
                top, left = MARGIN - padding[0] + row * sy, MARGIN - padding[1] + column * sx
                middle, centre = top + (kh - 1) * dy // 2, left + (kw - 1) * dx // 2
                total = bias[d]
                for index in range(num_read):
                    c = d // num_made * num_read + index
                    window = image[c][middle - r : middle + r + 1, centre - r : centre + r + 1]
                    assert window.size == conv.envelope_size**2
                    average = sum(window.flatten().tolist()) / conv.envelope_size**2
                    response = 0.0
                    for j in range(kh):
                        for i in range(kw):
                            response += weight[d][index][j][i] * image[c][top + j * dy][left + i * dx]
                    total += response / (1 + math.exp(-alpha[c] * average))
                y[d, row, column] = total
    return y


GEOMETRIES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({"kernel_size": 3, "padding": 1}, (1, 1)),
    ({"kernel_size": 1, "stride": 2}, (0, 0)),
    ({"kernel_size": (1, 3), "stride": (1, 2), "padding": (2, 0), "groups": 2}, (2, 0)),
    ({"kernel_size": 3, "padding": "same", "dilation": (1, 2)}, (1, 2)),
    ({"kernel_size": (5, 3), "padding": "valid", "dilation": (1, 2)}, (0, 0)),
]


@pytest.mark.parametrize("padding_mode", AS_NUMPY)
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


def test_one_image_needs_no_batch_axis() -> None:
    conv = _conv(3, 4, 3, padding=1, padding_mode="reflect")
    x_CHW = _image(3, 6, 6)
    torch.testing.assert_close(conv(x_CHW), conv(x_CHW.unsqueeze(0))[0])


def test_it_cannot_be_folded() -> None:
    with pytest.raises(NotFoldable, match="averages of the image itself"):
        _conv(3, 4, 3).to_conv2d()


def test_gradients() -> None:
    conv = _conv(2, 2, 3, padding=1, stride=2, envelope_size=3)
    names = list(dict(conv.named_parameters()))

    def response(x_NCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_NCHW,))

    assert torch.autograd.gradcheck(response, (_image(1, 2, 4, 4).requires_grad_(), *conv.parameters()))


def test_number_of_parameters() -> None:
    """Sec. 2.4: C more than the convolution."""
    sizes = {name: parameter.numel() for name, parameter in LocalSqueezeExcitationConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "alpha": 3}


def test_kernel_without_a_central_pixel() -> None:
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd where `dilation` is, got \(2, 2\)"):
        LocalSqueezeExcitationConv2d(3, 4, 2)


def test_envelope_size_without_a_centre() -> None:
    with pytest.raises(ValueError, match="`envelope_size` must be odd and at least 1, got 4"):
        LocalSqueezeExcitationConv2d(3, 4, 3, envelope_size=4)


def test_printed_form_has_the_size_of_the_window() -> None:
    assert repr(LocalSqueezeExcitationConv2d(3, 4, 3)).endswith("stride=(1, 1), envelope_size=9)")


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(local_squeeze_excitation)
    assert (failed, attempted) == (0, 3)
