"""Against the smoothing written out, the CBS authors' golden values, and the plain convolution."""

import math
from typing import Any

import pytest
import torch
from tests.conv.literal_loops import Image, convolved, correlated, outer
from torch import nn

from convrepro.conv import CurriculumSmoothingConv2d


def _conv(*args: Any, **kwargs: Any) -> CurriculumSmoothingConv2d:
    torch.manual_seed(0)
    return CurriculumSmoothingConv2d(*args, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _convolved_and_smoothed(conv: CurriculumSmoothingConv2d, x_CHW: list[Image], sigma: float) -> torch.Tensor:
    """Eqs. (5) and (6) with one sigma, number by number, without padding of the convolution, zeros for the Gaussian."""
    reach = conv.envelope_size // 2
    exponentials = [math.exp(-(x**2) / (2 * sigma**2)) for x in range(-reach, reach + 1)]
    g = [value / sum(exponentials) for value in exponentials]
    responses = [convolved(x_CHW, kernels) for kernels in conv.weight.tolist()]
    smoothed_OHW = torch.tensor([correlated(image, outer(g, g)) for image in responses], dtype=torch.float64)
    return smoothed_OHW if conv.bias is None else smoothed_OHW + conv.bias.detach()[:, None, None]


@pytest.mark.parametrize(("epoch", "sigma"), [(0, 1.0), (7, 0.9), (60, 0.9**12)])
def test_is_the_convolution_and_then_the_gaussian_of_the_epoch(epoch: int, sigma: float) -> None:
    conv = _conv(2, 3, 3)
    conv.set_epoch(epoch)
    x_CHW = _image(2, 6, 7)
    torch.testing.assert_close(conv(x_CHW), _convolved_and_smoothed(conv, x_CHW.tolist(), sigma))


@pytest.mark.parametrize(
    ("sigma", "corner", "edge", "centre"),
    [
        (0.5, 0.0113437, 0.0838195, 0.6193470),
        (1.0, 0.0751136, 0.1238414, 0.2041800),
        (2.0, 0.1018681, 0.1154316, 0.1308012),
    ],
)
def test_golden_values_of_the_cbs_authors_filter(sigma: float, corner: float, edge: float, centre: float) -> None:
    """Printed by ``get_gaussian_filter`` of their ``utils.py`` for 3 x 3."""
    taps_K = _conv(1, 1, 3, initial_sigma=sigma).taps()[0]
    expected = [[corner, edge, corner], [edge, centre, edge], [corner, edge, corner]]
    assert torch.outer(taps_K, taps_K).tolist() == [pytest.approx(row, abs=5e-8) for row in expected]


def test_no_sigma_is_conv2d() -> None:
    conv = _conv(4, 6, 3, stride=2, padding=1, groups=2, initial_sigma=0)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


@pytest.mark.parametrize(("epoch", "decays"), [(0, 0), (4, 0), (4.99, 0), (5, 1), (9, 1), (10, 2), (199, 39)])
def test_sigma_falls_by_a_tenth_every_5_epochs(epoch: float, decays: int) -> None:
    conv = _conv(1, 1, 3)
    conv.set_epoch(epoch)
    assert conv.sigma.item() == pytest.approx(0.9**decays, rel=1e-12)


def test_sigma_depends_on_the_epoch_only() -> None:
    """Told in any order, as often as one likes: a resumed run needs no state."""
    conv, other = _conv(1, 1, 3), _conv(1, 1, 3)
    for epoch in (90, 3, 3, 17):
        conv.set_epoch(epoch)
    other.set_epoch(17)
    assert torch.equal(conv.sigma, other.sigma)


def test_sigma_travels_with_the_weights() -> None:
    conv, other = _conv(2, 3, 3), _conv(2, 3, 3)
    conv.set_epoch(30)
    other.load_state_dict(conv.state_dict())
    x_CHW = _image(2, 5, 5)
    assert torch.equal(other(x_CHW), conv(x_CHW))


def test_the_bias_is_the_same_up_to_the_border() -> None:
    conv = _conv(2, 3, 3, padding=1)
    nn.init.zeros_(conv.weight)
    torch.testing.assert_close(conv(_image(2, 5, 5)), conv.bias[:, None, None].expand(-1, 5, 5))


def test_the_smoothing_is_dropped_only_where_it_does_nothing() -> None:
    """exp(-1 / (2 sigma^2)) is 0 in float32 below 0.07: 1 * 0.9^25 = 0.0718, 0.9^26 = 0.0646."""
    conv = CurriculumSmoothingConv2d(4, 6, (3, 2), stride=(1, 2), padding=(2, 1), groups=2, padding_mode="reflect")
    conv.set_epoch(25 * 5)
    assert len(conv.to_conv2d()) == 3
    conv.set_epoch(26 * 5)
    plain, x_NCHW = conv.to_conv2d(), _image(2, 4, 7, 8).float()
    assert type(plain) is nn.Conv2d
    torch.testing.assert_close(plain(x_NCHW), conv(x_NCHW))


def test_number_of_parameters() -> None:
    """None of its own: sigma is set, not learned."""
    sizes = {name: parameter.numel() for name, parameter in CurriculumSmoothingConv2d(3, 16, 3).named_parameters()}
    assert sizes == {"weight": 432, "bias": 16}


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"initial_sigma": -1.0}, "`initial_sigma` must be at least 0 and finite, got -1.0"),
        ({"initial_sigma": math.nan}, "`initial_sigma` must be at least 0 and finite, got nan"),
        ({"decay_factor": 0.0}, r"`decay_factor` must lie in \(0, 1\], got 0.0"),
        ({"decay_factor": 1.1}, r"`decay_factor` must lie in \(0, 1\], got 1.1"),
        ({"decay_epochs": 0}, "`decay_epochs` must be above 0 and finite, got 0"),
    ],
)
def test_argument_out_of_range(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CurriculumSmoothingConv2d(3, 4, 3, **own)


def test_printed_form_has_the_curriculum() -> None:
    shown = "envelope_size=3, initial_sigma=1.0, decay_factor=0.9, decay_epochs=5)"
    assert repr(CurriculumSmoothingConv2d(3, 4, 3)).endswith(shown)
