"""Against the paper's equations, written out, and against the plain convolution."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.conv.literal_loops import Image, convolved, correlated, outer
from torch import nn

from convrepro.conv import DisentangledConv2d
from convrepro.models import num_macs


def _conv(*args: Any, **kwargs: Any) -> DisentangledConv2d:
    """A different sigma in each channel, between 0.5 and 1.5 pixels."""
    torch.manual_seed(0)
    conv = DisentangledConv2d(*args, dtype=torch.float64, **kwargs)
    if conv.sigma_raw is not None:
        _set_sigma(conv, torch.linspace(0.5, 1.5, len(conv.sigma_raw), dtype=torch.float64))
    return conv


def _set_sigma(conv: DisentangledConv2d, sigma: torch.Tensor) -> None:
    assert conv.sigma_raw is not None
    with torch.no_grad():
        conv.sigma_raw.copy_(sigma.square().expm1().log())


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _envelope(sigma: float, radius: int) -> list[float]:
    """Eq. (9)."""
    exponentials = [math.exp(-(x**2) / (2 * sigma**2)) for x in range(-radius, radius + 1)]
    return [value / sum(exponentials) for value in exponentials]


def _smoothed(image: Image, sigma: float, radius: int) -> Image:
    """Eq. (3) or (6), in two dimensions."""
    return correlated(image, outer(_envelope(sigma, radius), _envelope(sigma, radius)))


def test_envelope_before_the_convolution_is_equations_3_and_4() -> None:
    conv = _conv(2, 3, 3, envelope_size=5, bias=False)
    x_CHW = _image(2, 5, 6)
    smoothed = [_smoothed(x_HW, sigma, 2) for x_HW, sigma in zip(x_CHW.tolist(), conv.sigma().tolist(), strict=True)]
    expected = torch.tensor([convolved(smoothed, kernel) for kernel in conv.weight.tolist()], dtype=torch.float64)
    torch.testing.assert_close(conv(x_CHW), expected)


def test_envelope_after_the_convolution_is_equations_5_and_6() -> None:
    conv = _conv(2, 3, 3, envelope_size=5, order="conv_env", bias=False)
    x_CHW = _image(2, 5, 6)
    filtered = [convolved(x_CHW.tolist(), kernel) for kernel in conv.weight.tolist()]
    smoothed = [_smoothed(y_HW, sigma, 2) for y_HW, sigma in zip(filtered, conv.sigma().tolist(), strict=True)]
    torch.testing.assert_close(conv(x_CHW), torch.tensor(smoothed, dtype=torch.float64))


def test_gradient_of_the_image_is_the_smoothed_gradient() -> None:
    """Eq. (7)."""
    conv = _conv(2, 2, 1, envelope_size=5, groups=2, bias=False)
    nn.init.ones_(conv.weight)
    x_CHW, upstream_CHW = _image(2, 5, 6).requires_grad_(), torch.flip(_image(2, 5, 6), [0, 1, 2])
    conv(x_CHW).backward(upstream_CHW)
    sigmas = conv.sigma().tolist()
    expected = [_smoothed(u_HW, sigma, 2) for u_HW, sigma in zip(upstream_CHW.tolist(), sigmas, strict=True)]
    assert x_CHW.grad is not None
    torch.testing.assert_close(x_CHW.grad, torch.tensor(expected, dtype=torch.float64))


def test_gradient_of_sigma_is_the_loss_weighted_by_the_response_of_the_derived_envelope() -> None:
    """Eq. (8), with dg/dsigma by differences, and d sigma / d sigma_raw = sigmoid(sigma_raw) / (2 sigma)."""
    conv = _conv(2, 2, 1, envelope_size=5, groups=2, bias=False)
    assert conv.sigma_raw is not None
    nn.init.ones_(conv.weight)
    x_CHW, upstream_CHW = _image(2, 5, 6), torch.flip(_image(2, 5, 6), [0, 1, 2])
    conv(x_CHW).backward(upstream_CHW)
    assert conv.sigma_raw.grad is not None
    for c, (sigma, raw) in enumerate(zip(conv.sigma().tolist(), conv.sigma_raw.tolist(), strict=True)):
        wider, narrower = (
            torch.tensor(_smoothed(x_CHW[c].tolist(), sigma + step, 2), dtype=torch.float64) for step in (1e-5, -1e-5)
        )
        by_sigma = ((wider - narrower) / 2e-5 * upstream_CHW[c]).sum().item()
        expected = by_sigma / (1 + math.exp(-raw)) / (2 * sigma)
        assert conv.sigma_raw.grad[c].item() == pytest.approx(expected, rel=1e-6)  # the differences' own error


@pytest.mark.parametrize("own", [{"order": "conv_env"}, {"shared_sigma": True}, {"fixed_sigma": 0.7}], ids=str)
def test_gradients(own: dict[str, Any]) -> None:
    conv = _conv(2, 3, 2, envelope_size=3, **own)
    names = list(dict(conv.named_parameters()))

    def response(x_NCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_NCHW,))

    assert torch.autograd.gradcheck(response, (_image(1, 2, 3, 4).requires_grad_(), *conv.parameters()))


def _plain(conv: DisentangledConv2d, **geometry: Any) -> nn.Conv2d:
    """The filter alone."""
    size: Any = conv.kernel_size
    plain = nn.Conv2d(
        conv.in_channels, conv.out_channels, size, bias=conv.bias is not None, dtype=torch.float64, **geometry
    )
    plain.load_state_dict({name: value for name, value in conv.state_dict().items() if name != "sigma_raw"})
    return plain


GEOMETRIES: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)},
    {"padding": "same", "groups": 2},
    {"padding": "valid", "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "replicate"},
    {"padding": 1, "padding_mode": "circular", "stride": 2},
]


@pytest.mark.parametrize("order", ["env_conv", "conv_env"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_fixed_sigma_zero_is_the_plain_convolution_to_the_bit(geometry: dict[str, Any], order: Any) -> None:
    """Table 1h: the error for sigma = 0 is that of the original network."""
    conv = _conv(4, 6, 3, order=order, fixed_sigma=0, **geometry)
    x_NCHW = _image(2, 4, 8, 9)
    assert torch.equal(conv(x_NCHW), _plain(conv, **geometry)(x_NCHW))
    assert type(conv.to_conv2d()) is nn.Conv2d


@pytest.mark.parametrize("order", ["env_conv", "conv_env"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_sigma_towards_zero_is_the_plain_convolution(geometry: dict[str, Any], order: Any) -> None:
    conv = _conv(4, 6, 3, order=order, envelope_size=5, **geometry)
    assert conv.sigma_raw is not None
    nn.init.constant_(conv.sigma_raw, -200)
    x_NCHW = _image(2, 4, 8, 9)
    torch.testing.assert_close(conv(x_NCHW), _plain(conv, **geometry)(x_NCHW))


def test_sigma_towards_zero_keeps_its_gradient_finite() -> None:
    conv = DisentangledConv2d(2, 3, 3)
    assert conv.sigma_raw is not None
    nn.init.constant_(conv.sigma_raw, -200)
    conv(torch.ones(1, 2, 5, 5)).sum().backward()
    assert conv.sigma_raw.grad is not None
    assert conv.sigma_raw.grad.tolist() == [0, 0]


@pytest.mark.parametrize("order", ["env_conv", "conv_env"])
def test_constant_image_stays_constant_where_the_border_is_continued(order: Any) -> None:
    """The envelope sums to 1, so that only the filter acts."""
    conv = _conv(2, 3, 3, order=order, padding=1, padding_mode="replicate")
    x_NCHW = torch.full((1, 2, 6, 6), 3.0, dtype=torch.float64)
    torch.testing.assert_close(conv(x_NCHW), _plain(conv, padding=1, padding_mode="replicate")(x_NCHW))


def test_smoothing_first_or_last_is_the_same_without_borders() -> None:
    """Convolutions commute, Eqs. (2) and (6), here on a circular image with one sigma for all channels."""
    own: dict[str, Any] = {"shared_sigma": True, "padding": 1, "padding_mode": "circular"}
    first, last = _conv(2, 3, 3, **own), _conv(2, 3, 3, order="conv_env", **own)
    last.load_state_dict(first.state_dict())
    x_NCHW = _image(1, 2, 7, 8)
    torch.testing.assert_close(first(x_NCHW), last(x_NCHW))


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("stride", [1, 2, (1, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_strided_pointwise_convolution_is_the_unstrided_one_sampled(
    groups: int, stride: Any, padding_mode: str
) -> None:
    conv = _conv(4, 6, 1, stride=stride, padding_mode=padding_mode, groups=groups)
    everywhere = _conv(4, 6, 1, padding_mode=padding_mode, groups=groups)
    everywhere.load_state_dict(conv.state_dict())
    x_NCHW = _image(2, 4, 7, 8)
    rows, columns = conv.stride
    torch.testing.assert_close(conv(x_NCHW), everywhere(x_NCHW)[:, :, ::rows, ::columns])
    torch.testing.assert_close(conv.to_conv2d()(x_NCHW), conv(x_NCHW))


def test_padded_pointwise_convolution_is_smoothed_everywhere() -> None:
    """Its first sample lies in the padding, so that the second is not on the stride's grid."""
    conv = _conv(2, 3, 1, stride=2, padding=1)
    smoothed = conv.to_conv2d()[:2](_image(2, 2, 7, 8))  # type: ignore[index]
    torch.testing.assert_close(conv(_image(2, 2, 7, 8)), F.conv2d(smoothed, conv.weight, conv.bias, 2, 1))


@pytest.mark.parametrize("order", ["env_conv", "conv_env"])
def test_in_eval_mode_it_is_one_built_with_the_envelope_of_inference(order: Any) -> None:
    """Table 1e: 9 x 9 in training, 3 x 3 at inference, with the learned sigma."""
    conv = _conv(3, 4, 3, order=order, padding=1, inference_size=3)
    small, large = (_conv(3, 4, 3, order=order, padding=1, envelope_size=size) for size in (3, 9))
    small.load_state_dict(conv.state_dict())
    large.load_state_dict(conv.state_dict())
    x_NCHW = _image(2, 3, 7, 8)
    assert torch.equal(conv(x_NCHW), large(x_NCHW))
    assert torch.equal(conv.eval()(x_NCHW), small(x_NCHW))
    assert not torch.allclose(small(x_NCHW), large(x_NCHW))


def test_folded_it_is_the_function_of_eval_mode_whatever_its_mode() -> None:
    conv = _conv(3, 4, 3, padding=1, inference_size=3)
    x_NCHW = _image(2, 3, 7, 8)
    torch.testing.assert_close(conv.train().to_conv2d()(x_NCHW), conv.eval()(x_NCHW))
    assert [layer.kernel_size for layer in conv.to_conv2d()] == [(1, 3), (3, 1), (3, 3)]  # type: ignore[union-attr]


def test_a_small_envelope_at_inference_costs_little_where_sigma_is_small() -> None:
    """Sec. 3.1: at sigma = 0.3 all but 2 exp(-2^2 / (2 * 0.3^2)) = 4.5e-10 of the envelope lies in 3 taps."""
    conv = _conv(3, 4, 3, padding=1, inference_size=3)
    _set_sigma(conv, torch.full((3,), 0.3, dtype=torch.float64))
    x_NCHW = _image(2, 3, 7, 8)
    training = conv(x_NCHW)
    torch.testing.assert_close(conv.eval()(x_NCHW), training, rtol=0, atol=1e-8)


def test_bias_is_added_after_the_smoothing() -> None:
    conv = _conv(2, 3, 3, order="conv_env", padding=1)
    assert conv.bias is not None
    without = _conv(2, 3, 3, order="conv_env", padding=1, bias=False)
    without.load_state_dict({name: value for name, value in conv.state_dict().items() if name != "bias"})
    x_NCHW = _image(2, 2, 5, 6)
    torch.testing.assert_close(conv(x_NCHW), without(x_NCHW) + conv.bias[:, None, None])


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_with_the_envelope_last_to_conv2d_is_the_same_function(geometry: dict[str, Any]) -> None:
    conv = _conv(4, 6, 3, order="conv_env", envelope_size=5, **geometry)
    x_NCHW = _image(2, 4, 8, 9)
    torch.testing.assert_close(conv.to_conv2d()(x_NCHW), conv(x_NCHW))


@pytest.mark.parametrize(
    ("own", "extra"),
    [
        ({}, 3),  # one per input channel, Sec. 2.4
        ({"order": "conv_env"}, 8),  # one per output channel, Sec. 3.1
        ({"shared_sigma": True}, 1),
        ({"shared_sigma": True, "order": "conv_env"}, 1),
        ({"fixed_sigma": 0.7}, 0),
    ],
    ids=str,
)
def test_number_of_extra_parameters(own: dict[str, Any], extra: int) -> None:
    conv = DisentangledConv2d(3, 8, 3, **own)
    assert sum(parameter.numel() for parameter in conv.parameters()) == 8 * 3 * 9 + 8 + extra


@pytest.mark.parametrize(
    ("own", "expected"),
    [({}, math.sqrt(math.log(2))), ({"shared_sigma": True}, math.sqrt(math.log(2))), ({"fixed_sigma": 0.7}, 0.7)],
    ids=str,
)
def test_sigma_at_the_start(own: dict[str, Any], expected: float) -> None:
    """softplus(0) = log 2."""
    conv = DisentangledConv2d(3, 8, 3, dtype=torch.float64, **own)
    torch.testing.assert_close(conv.sigma(), torch.full((3,), expected, dtype=torch.float64))


def test_weight_starts_as_the_plain_convolutions_of_the_project() -> None:
    """Var = 2 / (k^2 I); 5 standard deviations of the variance of n = 128 * 64 * 9 values."""
    torch.manual_seed(0)
    conv = DisentangledConv2d(64, 128, 3)
    deviations = 5 * math.sqrt(2 / conv.weight.numel())
    assert conv.weight.square().mean().item() * 9 * 64 / 2 == pytest.approx(1, abs=deviations)


@pytest.mark.parametrize(
    ("kernel_size", "stride", "extra"),
    [
        (3, 2, 2 * 9 * 4 * 8 * 8),  # 2 K C H W
        (1, 1, 2 * 9 * 4 * 8 * 8),
        (1, 2, 9 * 4 * 8 * 8 * (1 / 2 + 1 / 4)),  # every second column, then of these every second row
    ],
)
def test_multiply_accumulates_of_the_smoothing(kernel_size: int, stride: int, extra: int) -> None:
    geometry: dict[str, Any] = {"stride": stride, "padding": kernel_size // 2}
    conv = _conv(4, 6, kernel_size, **geometry)
    assert num_macs(conv, (4, 8, 8)) - num_macs(_plain(conv, **geometry), (4, 8, 8)) == extra


def test_printed_form_tells_its_own_arguments() -> None:
    assert repr(DisentangledConv2d(3, 4, 3, padding=1)) == (
        "DisentangledConv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), envelope_size=9, order='env_conv')"
    )
    assert repr(DisentangledConv2d(3, 4, 1, fixed_sigma=0.7)).endswith("order='env_conv', fixed_sigma=0.7)")
    assert repr(DisentangledConv2d(3, 4, 1, inference_size=3)).endswith("order='env_conv', inference_size=3)")
    assert repr(DisentangledConv2d(3, 4, 1, shared_sigma=True)).endswith("order='env_conv', shared_sigma=True)")


@pytest.mark.parametrize("inference_size", [8, 0, -1, 7])
def test_envelope_of_inference_without_a_centre_or_too_large(inference_size: int) -> None:
    message = rf"`inference_size` must be odd and lie in 1 \.\. 5, the `envelope_size`, got {inference_size}\."
    with pytest.raises(ValueError, match=message):
        DisentangledConv2d(3, 4, 3, envelope_size=5, inference_size=inference_size)


def test_order_unknown() -> None:
    with pytest.raises(ValueError, match=r"`order` must be 'env_conv' or 'conv_env', got 'env'\."):
        DisentangledConv2d(3, 4, 3, order="env")  # type: ignore[arg-type]


@pytest.mark.parametrize("fixed_sigma", [-0.1, math.nan, math.inf])
def test_fixed_sigma_that_is_no_width(fixed_sigma: float) -> None:
    with pytest.raises(ValueError, match=rf"`fixed_sigma` must be at least 0 and finite, got {fixed_sigma}\."):
        DisentangledConv2d(3, 4, 3, fixed_sigma=fixed_sigma)


def test_a_fixed_sigma_is_not_shared() -> None:
    with pytest.raises(ValueError, match=r"`shared_sigma` must be False where `fixed_sigma` is given"):
        DisentangledConv2d(3, 4, 3, fixed_sigma=0.7, shared_sigma=True)
