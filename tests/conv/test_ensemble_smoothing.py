"""Against Eq. (11) and Fig. 3 written out, and against the plain convolution."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.conv.literal_loops import correlated, outer
from torch import nn

from convrepro.conv import EnsembleSmoothingConv2d


def _conv(*args: Any, **kwargs: Any) -> EnsembleSmoothingConv2d:
    """With other numbers than those at the start in every normalisation, running statistics included."""
    torch.manual_seed(0)
    conv = EnsembleSmoothingConv2d(*args, dtype=torch.float64, **kwargs)
    for norm in conv.norms:
        for values in (norm.weight, norm.bias, norm.running_mean):
            nn.init.normal_(values)
        nn.init.uniform_(norm.running_var, 0.5, 2.0)
    return conv


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _mixed(conv: EnsembleSmoothingConv2d, x_NCHW: torch.Tensor) -> torch.Tensor:
    """The sum that Fig. 3 draws: smoothing, batch normalisation, addition."""
    mixed = torch.zeros_like(x_NCHW)
    reach = conv.envelope_size // 2
    for scale, norm in zip(conv.scales, conv.norms, strict=True):
        g = [math.exp(-(x**2) / (2 * scale**2)) for x in range(-reach, reach + 1)]  # Eq. (9)
        g = [value / sum(g) for value in g]
        for c in range(x_NCHW.shape[1]):
            maps = [correlated(image, outer(g, g)) for image in x_NCHW[:, c].tolist()]
            values = [value for image in maps for row in image for value in row]
            mean = sum(values) / len(values) if conv.training else norm.running_mean[c].item()
            squares = sum((value - mean) ** 2 for value in values)
            variance = squares / len(values) if conv.training else norm.running_var[c].item()
            for n, image in enumerate(maps):
                for y, row in enumerate(image):
                    for x, value in enumerate(row):
                        normalised = (value - mean) / math.sqrt(variance + 1e-5)
                        mixed[n, c, y, x] += norm.weight[c].item() * normalised + norm.bias[c].item()
    return mixed


@pytest.mark.parametrize("training", [True, False])
def test_is_equation_11_as_figure_3_draws_it(training: bool) -> None:
    conv = _conv(2, 3, 3, padding=1, envelope_size=5, scales=[0.4, 1.0]).train(training)
    x_NCHW = _image(2, 2, 5, 6)
    expected_NOHW = F.conv2d(_mixed(conv, x_NCHW), conv.weight, conv.bias, padding=1)
    torch.testing.assert_close(conv(x_NCHW), expected_NOHW)


def test_no_smoothing_and_no_normalisation_is_conv2d() -> None:
    conv = EnsembleSmoothingConv2d(4, 6, 3, stride=2, padding=1, groups=2, scales=[0.0], dtype=torch.float64).eval()
    nn.init.constant_(conv.norms[0].running_var, 1 - 1e-5)
    plain = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    x_NCHW = _image(2, 4, 7, 8)
    torch.testing.assert_close(conv(x_NCHW), plain(x_NCHW))


def test_a_larger_image_value_changes_nothing_in_training() -> None:
    """Each scale is normalised by its own deviation; 1e-5 is added to a variance of 1e6."""
    conv = _conv(3, 4, 3, padding=1)
    x_NCHW = 1000 * _image(2, 3, 6, 6)
    torch.testing.assert_close(conv(3 * x_NCHW), conv(x_NCHW))


def test_scales_have_no_order() -> None:
    conv, reversed_conv = (_conv(3, 4, 3, scales=scales) for scales in ([0.3, 1.0, 2.0], [2.0, 1.0, 0.3]))
    state = {key: value for key, value in conv.state_dict().items() if not key.startswith("norms")}
    for new, old in enumerate((2, 1, 0)):
        state |= {f"norms.{new}.{key}": value for key, value in conv.norms[old].state_dict().items()}
    reversed_conv.load_state_dict(state)
    x_NCHW = _image(2, 3, 6, 6)
    torch.testing.assert_close(reversed_conv(x_NCHW), conv(x_NCHW))


def test_scales_stay_exact_when_a_network_is_turned_to_float64() -> None:
    conv = EnsembleSmoothingConv2d(2, 3, 3).double()
    torch.testing.assert_close(conv.taps(), _conv(2, 3, 3).taps(), rtol=0, atol=0)


def test_gradients_in_training() -> None:
    conv = _conv(2, 2, 2, envelope_size=3, scales=[0.4, 1.0])
    names = list(dict(conv.named_parameters()))

    def response(x_NCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_NCHW,))

    assert torch.autograd.gradcheck(response, (_image(2, 2, 3, 3).requires_grad_(), *conv.parameters()))


def test_number_of_parameters() -> None:
    """2 m C more than the convolution: 2 * 5 * 3."""
    sizes = {name: parameter.numel() for name, parameter in EnsembleSmoothingConv2d(3, 16, 3).named_parameters()}
    assert sizes.pop("weight") == 432
    assert sizes.pop("bias") == 16
    assert len(sizes) == 10
    assert sum(sizes.values()) == 30


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"scales": []}, r"`scales` must be at least one number, none negative, all finite, got \[\]"),
        ({"scales": [0.3, -1.0]}, r"`scales` must be .*, got \[0.3, -1.0\]"),
        ({"scales": [math.inf]}, r"`scales` must be .*, got \[inf\]"),
    ],
)
def test_argument_out_of_range(own: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EnsembleSmoothingConv2d(3, 4, 3, **own)


def test_printed_form_has_the_scales() -> None:
    shown = repr(EnsembleSmoothingConv2d(3, 4, 3, scales=[0.5]))
    assert "stride=(1, 1), envelope_size=9, scales=(0.5,)" in shown
