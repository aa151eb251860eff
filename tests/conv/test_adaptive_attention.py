"""Against Eqs. (13) and (14) written out with both of their projections, and against the plain convolution."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from convrepro.conv import AdaptiveAttentionConv2d
from convrepro.conv.adaptive_attention import attend
from convrepro.conv.plain import NotFoldable

AS_NUMPY = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _conv(*args: Any, **kwargs: Any) -> AdaptiveAttentionConv2d:
    torch.manual_seed(0)
    return AdaptiveAttentionConv2d(*args, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _equations_13_and_14(
    x_CHW: torch.Tensor, w_c: list[float], w_n: list[float], size: int, padding_mode: str
) -> torch.Tensor:
    """Number by number; with "zeros", N has the pixels of the image only."""
    reach = size // 2
    (num_channels, height, width), margin = x_CHW.shape, 0 if padding_mode == "zeros" else reach
    image = x_CHW.numpy()
    if margin:
        image = np.pad(image, [(0, 0), (margin, margin), (margin, margin)], mode=AS_NUMPY[padding_mode])
    x_bar = torch.zeros_like(x_CHW)
    for row in range(margin, height + margin):
        for column in range(margin, width + margin):
            scores = {}
            for j in range(max(row - reach, 0), min(row + reach + 1, image.shape[1])):
                for i in range(max(column - reach, 0), min(column + reach + 1, image.shape[2])):
                    centre = sum(w_c[c] * image[c, row, column] for c in range(num_channels))
                    neighbour = sum(w_n[c] * image[c, j, i] for c in range(num_channels))
                    scores[j, i] = centre + neighbour
            total = sum(math.exp(score) for score in scores.values())
            for c in range(num_channels):
                weighted = sum(math.exp(score) / total * image[c, j, i] for (j, i), score in scores.items())
                x_bar[c, row - margin, column - margin] = weighted
    return x_bar


@pytest.mark.parametrize("w_c", [[0.0, 0.0], [3.0, -1.5]], ids=["without w_c", "with w_c"])
@pytest.mark.parametrize("padding_mode", ["zeros", *AS_NUMPY])
def test_is_equations_13_and_14_whatever_the_projection_of_the_centre(padding_mode: str, w_c: list[float]) -> None:
    """The softmax over (i, j) cancels w_c X(x, y), which is the same for all (i, j)."""
    conv = _conv(2, 3, 3, padding=1, envelope_size=5, padding_mode=padding_mode)
    x_CHW = _image(2, 5, 6)
    x_bar_CHW = _equations_13_and_14(x_CHW, w_c, conv.neighbour_weight.tolist(), 5, padding_mode)
    plain = nn.Conv2d(2, 3, 3, padding=1, padding_mode=padding_mode, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    torch.testing.assert_close(conv(x_CHW), plain(x_bar_CHW))


@pytest.mark.parametrize(
    "geometry", [{"stride": 2}, {"stride": (1, 2), "padding": "valid"}, {"stride": 2, "padding": 1}]
)
def test_a_pointwise_convolution_reads_some_of_the_averages(geometry: dict[str, Any]) -> None:
    conv = _conv(4, 6, 1, envelope_size=3, groups=2, **geometry)
    x_CHW = _image(4, 7, 8)
    x_bar_CHW = _equations_13_and_14(x_CHW, [0.0] * 4, conv.neighbour_weight.tolist(), 3, "zeros")
    plain = nn.Conv2d(4, 6, 1, groups=2, dtype=torch.float64, **geometry)
    plain.load_state_dict(conv.state_dict(), strict=False)
    torch.testing.assert_close(conv(x_CHW), plain(x_bar_CHW))


def test_a_neighbourhood_of_one_pixel_is_conv2d() -> None:
    conv = _conv(4, 6, 3, stride=2, padding=1, groups=2, envelope_size=1)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


def test_no_projection_is_the_mean_of_the_neighbours_in_the_image() -> None:
    conv = _conv(2, 2, 1, groups=2, bias=False)
    nn.init.ones_(conv.weight)
    nn.init.zeros_(conv.neighbour_weight)
    x_NCHW = _image(2, 2, 7, 8)
    mean = nn.functional.avg_pool2d(x_NCHW, 9, stride=1, padding=4, count_include_pad=False)
    torch.testing.assert_close(conv(x_NCHW), mean)


def test_a_uniform_image_stays_uniform_up_to_its_border() -> None:
    x_NCHW = torch.full((1, 2, 7, 8), 3.0, dtype=torch.float64)
    torch.testing.assert_close(attend(x_NCHW, _image(1, 1, 7, 8), 5, stride=(1, 1), padding_mode="zeros"), x_NCHW)


def test_a_constant_on_all_scores_of_an_image_changes_nothing() -> None:
    x_NCHW, scores_N1HW = _image(2, 3, 6, 6), _image(2, 1, 6, 6)
    shift_N111 = torch.tensor([1e3, -1e3], dtype=torch.float64).view(2, 1, 1, 1)
    shifted, before = (
        attend(x_NCHW, scores, 3, stride=(1, 1), padding_mode="zeros")
        for scores in (scores_N1HW + shift_N111, scores_N1HW)
    )
    torch.testing.assert_close(shifted, before)


def test_scores_far_below_the_largest_leave_numbers() -> None:
    """exp(-1000) is 0: without a floor, 0 / 0 far from the largest score."""
    x_NCHW = _image(1, 2, 4, 20).float()
    scores_N1HW = torch.full((1, 1, 4, 20), -1000.0)
    scores_N1HW[..., 0] = 0.0
    y_NCHW = attend(x_NCHW, scores_N1HW, 5, stride=(1, 1), padding_mode="zeros")
    torch.testing.assert_close(y_NCHW[..., 0], _means_of_5(x_NCHW[..., 0]))
    uniform_NCHW = nn.functional.avg_pool2d(x_NCHW, 5, stride=1, padding=2, count_include_pad=False)
    torch.testing.assert_close(y_NCHW[..., 3:], uniform_NCHW[..., 3:])


def _means_of_5(x_NCH: torch.Tensor) -> torch.Tensor:
    """Means over 5 rows, fewer at the border."""
    return nn.functional.avg_pool1d(x_NCH, 5, stride=1, padding=2, count_include_pad=False)


def test_it_cannot_be_folded() -> None:
    with pytest.raises(NotFoldable, match="weights that the image itself decides"):
        _conv(3, 4, 3).to_conv2d()


def test_number_of_parameters() -> None:
    """C more than the convolution; w_c would be C more that do nothing."""
    sizes = {name: parameter.numel() for name, parameter in AdaptiveAttentionConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16, "neighbour_weight": 3}


def test_it_starts_as_a_pointwise_convolution() -> None:
    """N(0, 2 / C). 5 deviations of n = 4,096 squares."""
    torch.manual_seed(0)
    w_n = AdaptiveAttentionConv2d(4096, 1, 1).neighbour_weight
    assert w_n.square().mean().item() * 2048 == pytest.approx(1, abs=5 * math.sqrt(2 / 4096))
