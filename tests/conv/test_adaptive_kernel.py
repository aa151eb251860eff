"""Against the paper's equations, written out, its Theorem 3.1, and plain convolutions."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import AdaptiveConv2d, clip_after_step


def _conv(*args: Any, **kwargs: Any) -> AdaptiveConv2d:
    torch.manual_seed(0)
    return AdaptiveConv2d(*args, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("side", "sigma", "centre", "edge_middle", "corner"),  # from the authors' code, one input channel
    [
        (3, 0.1, 3.000000, 1.118e-05, 4.166e-11),
        (3, 0.3, 2.668201, 0.665322, 0.165899),
        (5, 0.3, 2.355095, 0.587248, 0.146432),
        (7, 0.25, 2.634532, 0.356545, 0.0482531),
        (7, 0.5, 1.455968, 0.883089, 0.535621),
        (9, 0.3, 2.130920, 0.531350, 0.132493),
    ],
)
def test_envelope_is_that_of_the_authors_code(
    side: int, sigma: float, centre: float, edge_middle: float, corner: float
) -> None:
    (envelope_kk,) = _conv(1, 1, side, sigma_init=sigma).envelope().detach()
    found = envelope_kk[side // 2, side // 2], envelope_kk[side // 2, 0], envelope_kk[0, -1]
    # Printed to four digits or more; the code's 1e-8 beside 2 sigma^2 moves the smallest by 6e-6.
    assert torch.stack(found).tolist() == pytest.approx([centre, edge_middle, corner], rel=1e-4)


def _loop(conv: AdaptiveConv2d, x_CHW: list[Any]) -> torch.Tensor:
    """Eqs. (3), (11) and (21), number by number, without padding; every sum is a loop."""
    kh, kw = conv.kernel_size
    num_in = conv.in_channels // conv.groups
    sigma, weight = conv.sigma.tolist(), conv.weight.tolist()
    sh, sw = conv.stride
    dh, dw = conv.dilation
    height = (len(x_CHW[0]) - dh * (kh - 1) - 1) // sh + 1
    width = (len(x_CHW[0][0]) - dw * (kw - 1) - 1) // sw + 1
    y = torch.zeros(conv.out_channels, height, width, dtype=torch.float64)
    for o in range(conv.out_channels):
        u = [[[0.0] * kw for _ in range(kh)] for _ in range(num_in)]
        norm2 = 0.0
        for i in range(num_in):
            for k in range(kh):
                for j in range(kw):
                    g = (k / (kh - 1) if kh > 1 else 0.5, j / (kw - 1) if kw > 1 else 0.5)
                    u[i][k][j] = math.exp(-((g[0] - 0.5) ** 2 + (g[1] - 0.5) ** 2) / (2 * sigma[o] ** 2))
                    norm2 += u[i][k][j] ** 2
        s = math.sqrt(num_in * kh * kw / norm2) if conv.normalized else 1.0
        first = o // (conv.out_channels // conv.groups) * num_in
        for row in range(height):
            for column in range(width):
                for i in range(num_in):
                    for k in range(kh):
                        for j in range(kw):
                            x = x_CHW[first + i][row * sh + k * dh][column * sw + j * dw]
                            y[o, row, column] += x * weight[o][i][k][j] * s * u[i][k][j]
    return y


@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize(
    "own",
    [
        {"kernel_size": 3},
        {"kernel_size": (2, 3), "stride": (2, 1)},
        {"kernel_size": (1, 3), "dilation": 2},
        {"kernel_size": 2, "groups": 2, "stride": 2},
        {"kernel_size": 1},
    ],
    ids=str,
)
def test_is_the_literal_loop(own: dict[str, Any], normalized: bool) -> None:
    conv = _conv(4, 2, bias=False, normalized=normalized, **own)
    x_NCHW = _image(1, 4, 5, 5)
    torch.testing.assert_close(conv(x_NCHW)[0], _loop(conv, x_NCHW[0].tolist()))


@pytest.mark.parametrize("normalized", [True, False])
def test_a_wide_envelope_leaves_the_plain_convolution(normalized: bool) -> None:
    """sigma to infinity: U is 1 up to d^2 / (2 sigma^2) < 1e-16."""
    conv, plain = _conv(3, 4, 5, sigma_init=1e8, normalized=normalized), nn.Conv2d(3, 4, 5, dtype=torch.float64)
    plain.load_state_dict(conv.state_dict(), strict=False)
    torch.testing.assert_close(conv(_image(2, 3, 7, 7)), plain(_image(2, 3, 7, 7)))


def test_a_narrow_envelope_leaves_the_middle_times_n() -> None:
    """sigma to 0: one of the n^2 squares has the whole sum n^2."""
    conv, middle = _conv(3, 4, 5, sigma_init=1e-3), nn.Conv2d(3, 4, 1, dtype=torch.float64)
    with torch.no_grad():
        middle.weight.copy_(5 * conv.weight[:, :, 2:3, 2:3])
        middle.bias.copy_(conv.bias)  # type: ignore[union-attr, arg-type]
    x_NCHW = _image(2, 3, 7, 7)
    torch.testing.assert_close(conv(x_NCHW), middle(x_NCHW[:, :, 2:-2, 2:-2]))


@pytest.mark.parametrize("kernel_size", [4, (2, 5), 3])
def test_no_aperture_is_too_small_for_the_normalisation(kernel_size: int | tuple[int, int]) -> None:
    """Without the subtraction every position of an even kernel would be exp(-d^2 / (2 sigma^2)) = 0."""
    conv = AdaptiveConv2d(2, 3, kernel_size, sigma_init=1e-4)
    conv(torch.ones(1, 2, 6, 6)).sum().backward()
    torch.testing.assert_close(conv.envelope().square().mean(dim=(1, 2)), torch.ones(3))
    assert conv.sigma.grad is not None
    assert conv.sigma.grad.isfinite().all()


def test_a_1x1_convolution_is_the_plain_one() -> None:
    conv = _conv(3, 4, 1, padding=2)
    assert torch.equal(conv.effective_weight(), conv.weight)


@pytest.mark.parametrize(("kernel_size", "groups"), [(3, 1), (7, 2), ((3, 5), 1), (4, 1)])
def test_norm_of_the_repeated_envelope(kernel_size: int | tuple[int, int], groups: int) -> None:
    """Below Eq. (20), over positions and input channels: |U|^2 = I n^2."""
    conv = _conv(4, 6, kernel_size, groups=groups)
    repeated_OIkk = conv.envelope().unsqueeze(1).expand_as(conv.weight)
    expected = torch.full((6,), conv.weight[0].numel(), dtype=torch.float64)
    torch.testing.assert_close(repeated_OIkk.square().sum(dim=(1, 2, 3)), expected)


def _mean_variance(kernels_OIkk: torch.Tensor) -> float:
    """Eq. (13), sample variance along the channels and filters."""
    return kernels_OIkk.flatten(0, 1).var(dim=0).mean().item()


@pytest.mark.parametrize("sigma", [0.1, 0.2, 0.5, (0.1, 0.5), 2.0])
@pytest.mark.parametrize("side", [3, 9])
def test_theorem_3_1(side: int, sigma: float | tuple[float, float]) -> None:
    """MVar[W o U] = MVar[W].

    Their difference is a sum over positions of (mean_o U_ok^2 - 1) / n^2 times the sample variance of W there, which
    has the relative deviation sqrt((1.8 - 1) / m) for m uniform numbers. Five deviations are allowed.
    """
    conv = _conv(64, 64, side, sigma_init=sigma)
    with torch.no_grad():
        ratio = _mean_variance(conv.effective_weight()) / _mean_variance(conv.weight)
        share_kk = conv.envelope().square().mean(dim=0) / side**2
        deviation = math.sqrt(0.8 / 64**2) * (share_kk - 1 / side**2).norm().item()
    assert ratio == pytest.approx(1.0, abs=5 * deviation + 1e-12)


def test_unnormalised_the_variance_rises_with_the_aperture() -> None:
    """Fig. 3: up to MVar[W]."""
    convs = [_conv(16, 16, 5, sigma_init=sigma, normalized=False) for sigma in (0.1, 0.2, 0.5, 1.0, 100.0)]
    ratios = [_mean_variance(conv.effective_weight()) / _mean_variance(conv.weight) for conv in convs]
    assert ratios == sorted(ratios)
    assert ratios[0] < 0.1
    assert ratios[-1] == pytest.approx(1.0, abs=1e-4)


def test_gradient_of_sigma_is_that_of_the_paper_without_the_scale() -> None:
    """Eq. (12), with s = 1: dU/dsigma = d^2 / sigma^3 exp(-d^2 / (2 sigma^2)); it is printed with 2 sigma^3."""
    conv = _conv(1, 1, 3, sigma_init=0.4, normalized=False)
    (gradient,) = torch.autograd.grad(conv.envelope()[0, 0, 0], conv.sigma)  # the corner: d^2 = 0.5
    assert gradient.item() == pytest.approx(0.5 / 0.4**3 * math.exp(-0.5 / (2 * 0.4**2)))


def test_weights_start_he_uniform() -> None:
    """Within sqrt(6 / (I n^2)); a maximum of 27,648 uniform numbers misses the limit by 1e-3 with probability 1e-12."""
    conv = _conv(32, 96, 3)
    limit = math.sqrt(6 / (32 * 9))
    assert 0.999 * limit < conv.weight.abs().max() <= limit
    assert conv.weight.var().item() == pytest.approx(limit**2 / 3, rel=5 * math.sqrt(0.8 / 27_648))


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, [0.1, 0.2, 0.3, 0.4, 0.5]),  # Sec. 4.2
        ({"sigma_init": [0.3, 0.1]}, [0.3, 0.25, 0.2, 0.15, 0.1]),
        ({"sigma_init": 0.25}, [0.25] * 5),
    ],
)
def test_apertures_start_spaced_evenly(own: dict[str, Any], expected: list[float]) -> None:
    assert _conv(3, 5, 3, **own).sigma.tolist() == pytest.approx(expected)


def test_the_grid_stays_exact_when_a_network_is_turned_to_float64() -> None:
    conv, double = AdaptiveConv2d(2, 3, (7, 4)).double(), _conv(2, 3, (7, 4))
    double.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv.envelope(), double.envelope(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("own", "bounds", "expected"),
    [
        ({"kernel_size": 3}, {}, (1 / 3, 3)),  # Sec. 3.3: [1/n, n]
        ({"kernel_size": (3, 5)}, {}, (1 / 5, 5)),
        ({"kernel_size": 3}, {"low": 0.1, "high": 2.0}, (0.1, 2.0)),
        ({"kernel_size": 3}, {"high": 2.0}, (1 / 3, 2.0)),
    ],
)
def test_clipping(own: dict[str, Any], bounds: dict[str, float], expected: tuple[float, float]) -> None:
    conv = _conv(2, 4, **own)
    with torch.no_grad():
        conv.sigma.copy_(torch.tensor([-1.0, 0.01, 1.0, 100.0]))
    conv.clip_sigma_(**bounds)
    assert conv.sigma.tolist() == pytest.approx([expected[0], expected[0], 1.0, expected[1]])


def test_one_parameter_more_per_filter() -> None:
    """16 filters of 3 x 9 weights; the paper's adaptive networks have one sigma more per filter (Sec. 3.2)."""
    sizes = {name: parameter.numel() for name, parameter in AdaptiveConv2d(3, 16, 3, bias=False).named_parameters()}
    assert sizes == {"weight": 432, "sigma": 16}
    assert AdaptiveConv2d(3, 16, 3).state_dict().keys() == {"weight", "bias", "sigma"}


def _learn(student: AdaptiveConv2d, teacher: AdaptiveConv2d, *, num_steps: int) -> None:
    """Algorithm 1 of the paper on data that the teacher makes: gradient descent, sigma clipped after each step."""
    x_NCHW = _image(4, student.in_channels, 10, 10)
    y_NOHW = teacher(x_NCHW).detach()
    optimizer = torch.optim.SGD([p for p in student.parameters() if p.requires_grad], lr=0.02, momentum=0.9)
    clip_after_step(optimizer, student)
    for _ in range(num_steps):
        optimizer.zero_grad()
        (student(x_NCHW) - y_NOHW).square().mean().backward()
        optimizer.step()


def test_learns_the_apertures_that_made_the_data() -> None:
    teacher, student = _conv(2, 4, 5, sigma_init=(0.25, 0.7)), _conv(2, 4, 5, sigma_init=0.4)
    student.weight.requires_grad_(False)
    _learn(student, teacher, num_steps=300)
    torch.testing.assert_close(student.sigma, teacher.sigma, rtol=0, atol=1e-5)  # where 300 steps end


def test_learns_the_kernels_that_made_the_data() -> None:
    """W and sigma together. Data show their product only, which other W give with other apertures."""
    teacher, student = _conv(2, 3, 3, sigma_init=(0.4, 0.6)), _conv(2, 3, 3, sigma_init=0.5)
    nn.init.normal_(student.weight, std=0.1)
    _learn(student, teacher, num_steps=500)
    torch.testing.assert_close(student.effective_weight(), teacher.effective_weight(), rtol=0, atol=1e-5)  # likewise


@pytest.mark.parametrize("sigma_init", [0.0, -0.1, (0.1, 0.0), (0.1, math.inf), math.nan, (0.1, 0.2, 0.3), ()])
def test_sigma_init_out_of_range(sigma_init: Any) -> None:
    with pytest.raises(ValueError, match="`sigma_init` must be one or two positive numbers, got"):
        AdaptiveConv2d(3, 4, 3, sigma_init=sigma_init)


def test_printed_form() -> None:
    assert repr(AdaptiveConv2d(3, 4, 3, sigma_init=0.2)) == (
        "AdaptiveConv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), sigma_init=(0.2, 0.2), normalized=True)"
    )
