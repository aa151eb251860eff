"""Against Eq. (15) written out, and against the plain convolution."""

import doctest
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convrepro.conv import ProjectedConv2d, projected

MARGIN = 12
AS_NUMPY = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _conv(*args: Any, **kwargs: Any) -> ProjectedConv2d:
    torch.manual_seed(0)
    conv = ProjectedConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.projection_weight)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _equation_15(conv: ProjectedConv2d, x_CHW: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    """Number by number, for an image continued by numpy; without groups."""
    image = np.pad(x_CHW.numpy(), [(0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)], mode=AS_NUMPY[conv.padding_mode])
    weight, w, bias = conv.weight.tolist(), conv.projection_weight.tolist(), conv.bias.tolist()
    (kh, kw), (sy, sx), (dy, dx), r = conv.kernel_size, conv.stride, conv.dilation, conv.envelope_size // 2
    height = (x_CHW.shape[1] + 2 * padding[0] - (kh - 1) * dy - 1) // sy + 1
    width = (x_CHW.shape[2] + 2 * padding[1] - (kw - 1) * dx - 1) // sx + 1
    y = torch.zeros(len(weight), height, width, dtype=torch.float64)
    for d in range(len(weight)):
        for row in range(height):
            for column in range(width):
                top, left = MARGIN - padding[0] + row * sy, MARGIN - padding[1] + column * sx
                middle, centre = top + (kh - 1) * dy // 2, left + (kw - 1) * dx // 2
                total = bias[d]
                for c in range(len(image)):
                    for j in range(kh):
                        for i in range(kw):
                            total += weight[d][c][j][i] * image[c][top + j * dy][left + i * dx]
                    window = image[c][middle - r : middle + r + 1, centre - r : centre + r + 1]
                    assert window.size == conv.envelope_size**2
                    total += w[d] / len(image) * sum(window.flatten().tolist()) / conv.envelope_size**2
                y[d, row, column] = total
    return y


GEOMETRIES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({"kernel_size": 3, "padding": 1}, (1, 1)),
    ({"kernel_size": 3}, (0, 0)),
    ({"kernel_size": 1, "stride": 2}, (0, 0)),
    ({"kernel_size": (1, 3), "stride": (1, 2), "padding": (2, 0)}, (2, 0)),
    ({"kernel_size": 3, "padding": "same", "dilation": (1, 2)}, (1, 2)),
    ({"kernel_size": (5, 3), "padding": "valid", "dilation": (1, 2)}, (0, 0)),
]


@pytest.mark.parametrize("padding_mode", AS_NUMPY)
@pytest.mark.parametrize(("geometry", "padding"), GEOMETRIES, ids=str)
@pytest.mark.parametrize("envelope_size", [1, 5])  # within the larger kernels, and beyond the smaller
def test_is_equation_15(
    geometry: dict[str, Any], padding: tuple[int, int], padding_mode: str, envelope_size: int
) -> None:
    conv = _conv(2, 2, envelope_size=envelope_size, padding_mode=padding_mode, **geometry)
    x_CHW = _image(2, 6, 7)
    expected = _equation_15(conv, x_CHW, padding)
    torch.testing.assert_close(conv(x_CHW), expected)
    torch.testing.assert_close(conv.to_conv2d()(x_CHW), expected)


def test_at_the_start_it_is_conv2d() -> None:
    torch.manual_seed(0)
    conv = ProjectedConv2d(4, 6, 3, stride=2, padding=1, groups=2)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8).float()
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


def test_what_is_added_does_not_depend_on_the_order_of_the_channels() -> None:
    conv = _conv(4, 3, 3, padding=1, bias=False)
    nn.init.zeros_(conv.weight)
    x_NCHW = _image(2, 4, 6, 6)
    torch.testing.assert_close(conv(x_NCHW), conv(x_NCHW.flip(1)))


def test_with_groups_the_average_is_still_over_all_channels() -> None:
    conv = _conv(4, 2, 3, padding=1, groups=2, bias=False, envelope_size=5)
    plain = nn.Conv2d(4, 2, 3, padding=1, groups=2, bias=False, dtype=torch.float64)
    plain.load_state_dict({"weight": conv.weight})
    x_NCHW = _image(2, 4, 6, 6)
    mean_N1HW = nn.functional.avg_pool2d(x_NCHW, 5, stride=1, padding=2).mean(dim=1, keepdim=True)
    added = conv.projection_weight[:, None, None] * mean_N1HW
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW) + added)
    torch.testing.assert_close(conv.to_conv2d()(x_NCHW), conv(x_NCHW))


def test_to_conv2d_has_the_side_of_the_larger_of_kernel_and_window() -> None:
    folded = _conv(4, 6, (11, 3), stride=2, padding=(5, 1), groups=2).to_conv2d()
    assert folded.kernel_size == (11, 9)
    assert folded.padding == (5, 4)
    assert (folded.stride, folded.groups) == ((2, 2), 1)


def test_gradients() -> None:
    conv = _conv(2, 2, 3, padding=1, envelope_size=3)
    names = list(dict(conv.named_parameters()))

    def response(x_NCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_NCHW,))

    assert torch.autograd.gradcheck(response, (_image(1, 2, 3, 3).requires_grad_(), *conv.parameters()))


def test_number_of_parameters() -> None:
    """Sec. 2.4: D more than the convolution."""
    sizes = {name: parameter.numel() for name, parameter in ProjectedConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "projection_weight": 16}


@pytest.mark.parametrize("own", [{"kernel_size": 2}, {"kernel_size": (3, 4)}, {"kernel_size": 2, "dilation": (2, 1)}])
def test_kernel_without_a_central_pixel(own: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"`kernel_size` must be odd where `dilation` is, got .* window around"):
        ProjectedConv2d(3, 4, **own)


def test_even_kernel_whose_taps_stand_around_a_pixel() -> None:
    assert ProjectedConv2d(3, 4, 2, dilation=2)(torch.zeros(1, 3, 5, 5)).shape == (1, 4, 3, 3)


def test_envelope_size_without_a_centre() -> None:
    with pytest.raises(ValueError, match="`envelope_size` must be odd and at least 1, got 4"):
        ProjectedConv2d(3, 4, 3, envelope_size=4)


def test_printed_form_has_the_size_of_the_window() -> None:
    assert repr(ProjectedConv2d(3, 4, 3)).endswith("stride=(1, 1), envelope_size=9)")


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(projected)
    assert (failed, attempted) == (0, 3)
