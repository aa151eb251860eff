"""Against Eq. (15) written out, and against the plain convolution."""

from typing import Any

import pytest
import torch
from tests.conv.literal_loops import PADDING_MODES, responses_and_means
from torch import nn

from convrepro.conv import ProjectedConv2d


def _conv(*args: Any, **kwargs: Any) -> ProjectedConv2d:
    torch.manual_seed(0)
    conv = ProjectedConv2d(*args, dtype=torch.float64, **kwargs)
    nn.init.normal_(conv.projection_weight)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def _equation_15(conv: ProjectedConv2d, x_CHW: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
    responses_OIHW, means_CHW = responses_and_means(conv, x_CHW, padding)
    bias, w, num_in = conv.bias.tolist(), conv.projection_weight.tolist(), conv.in_channels
    return torch.stack(
        [bias[d] + sum(responses_OIHW[d]) + w[d] / num_in * sum(means_CHW) for d in range(conv.out_channels)]
    )


GEOMETRIES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({"kernel_size": 3, "padding": 1}, (1, 1)),
    ({"kernel_size": 3}, (0, 0)),
    ({"kernel_size": 1, "stride": 2}, (0, 0)),
    ({"kernel_size": (1, 3), "stride": (1, 2), "padding": (2, 0)}, (2, 0)),
    ({"kernel_size": 3, "padding": "same", "dilation": (1, 2)}, (1, 2)),
    ({"kernel_size": (5, 3), "padding": "valid", "dilation": (1, 2)}, (0, 0)),
]


@pytest.mark.parametrize("padding_mode", PADDING_MODES)
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
