"""Against the paper's two algorithms, written out, and against plain convolutions."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import DynamicKernelConv2d


def _conv(*args: Any, **kwargs: Any) -> DynamicKernelConv2d:
    torch.manual_seed(0)
    return DynamicKernelConv2d(*args, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def _algorithm_1(conv: DynamicKernelConv2d, x_CHW: list[Any]) -> torch.Tensor:
    """Number by number, without padding; every sum is a loop."""
    pieces, num_out, hidden, _ = conv.amplitude.shape
    kh, kw = conv.kernel_size
    w_hat, g, b, d = (p.tolist() for p in (conv.w_hat, conv.amplitude, conv.phase, conv.offset))
    angles = [-math.pi + (2 * m - 1) * math.pi / conv.points for m in range(1, conv.points + 1)]
    height, width = len(x_CHW[0]) - kh + 1, len(x_CHW[0][0]) - kw + 1
    y = torch.zeros(num_out, pieces * len(angles), height, width, dtype=torch.float64)
    for o in range(num_out):
        for piece in range(pieces):
            for m, a in enumerate(angles):
                for row in range(height):
                    for column in range(width):
                        total = 0.0
                        for c in range(len(x_CHW)):
                            for j in range(kh * kw):
                                squares = sum(g[piece][o][i][j] ** 2 + d[piece][o][i][j] ** 2 for i in range(hidden))
                                weight = 0.0
                                for i in range(hidden):
                                    g_hat = g[piece][o][i][j] / math.sqrt(squares)  # Eq. (14)
                                    d_hat = d[piece][o][i][j] / math.sqrt(squares)
                                    sine = math.sin(a + b[piece][o][i][j])
                                    weight += w_hat[o][c][i] * (math.sqrt(2) * g_hat * sine + d_hat)  # Eq. (13)
                                total += weight * x_CHW[c][row + j // kw][column + j % kw]
                        y[o, piece * len(angles) + m, row, column] = total
    return y


def _algorithm_2(conv: DynamicKernelConv2d, x_NCHW: torch.Tensor) -> torch.Tensor:
    """Three convolutions for each piece and output channel, mixed at each angle."""
    size = (1, conv.in_channels, *conv.kernel_size)
    y = []
    for o in range(conv.out_channels):
        for piece in range(conv.pieces):
            g, b, d = (p[piece, o] for p in (conv.amplitude, conv.phase, conv.offset))
            norm = torch.linalg.vector_norm(torch.cat([g, d]), dim=0)
            g, d = math.sqrt(2) * g / norm, d / norm
            w_hat = conv.w_hat[o]
            y_cos, y_sin, y_cons = (
                F.conv2d(x_NCHW, (w_hat @ matrix).reshape(size), padding=conv.padding)
                for matrix in (g * b.cos(), g * b.sin(), d)
            )
            for m in range(1, conv.points + 1):
                a = -math.pi + (2 * m - 1) * math.pi / conv.points
                y.append(y_cos * math.sin(a) + y_sin * math.cos(a) + y_cons)
    return torch.cat(y, dim=1).unflatten(1, (conv.out_channels, -1))


@pytest.mark.parametrize("kernel_size", [3, (1, 3)])
def test_is_algorithm_1(kernel_size: int | tuple[int, int]) -> None:
    conv = _conv(2, 2, kernel_size, hidden=3, pieces=2, points=3)
    x_NCHW = _image(1, 2, 5, 5)
    torch.testing.assert_close(conv(x_NCHW)[0], _algorithm_1(conv, x_NCHW[0].tolist()))


def test_is_algorithm_2() -> None:
    conv = _conv(3, 4, 3, padding=1, hidden=4, pieces=3, points=5)
    x_NCHW = _image(2, 3, 6, 7)
    torch.testing.assert_close(conv(x_NCHW), _algorithm_2(conv, x_NCHW))


@pytest.mark.parametrize(
    ("points", "angles"),
    [
        (1, [0.0]),
        (3, [-2 * math.pi / 3, 0.0, 2 * math.pi / 3]),  # Sec. 3.4
        (8, [math.pi * eighths / 8 for eighths in (-7, -5, -3, -1, 1, 3, 5, 7)]),  # Fig. 2
    ],
)
def test_points_are_those_of_the_paper(points: int, angles: list[float]) -> None:
    """With h = 1, no offset and phase 0 the kernel is sqrt(2) sin(a): Eqs. (13) and (14)."""
    conv = _conv(1, 1, 1, hidden=1, pieces=1, points=points)
    with torch.no_grad():
        for parameter, value in ((conv.w_hat, 1), (conv.amplitude, 5), (conv.phase, 0), (conv.offset, 0)):
            parameter.fill_(value)
    expected = math.sqrt(2) * torch.tensor(angles, dtype=torch.float64).sin()
    torch.testing.assert_close(conv.kernels().flatten(), expected)


def test_points_stay_exact_when_a_network_is_turned_to_float64() -> None:
    conv, double = DynamicKernelConv2d(2, 3, 3).double(), _conv(2, 3, 3)
    double.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv.kernels(), double.kernels(), rtol=0, atol=0)


def test_the_points_of_the_first_piece_come_first() -> None:
    conv = _conv(2, 3, 3, pieces=2, points=3)
    before = conv.kernels()
    with torch.no_grad():
        conv.phase[1] += 1.0
    changed = (conv.kernels() != before).flatten(2).any(dim=2)
    assert changed.tolist() == [[False] * 3 + [True] * 3] * 3


def test_amplitude_zero_is_a_plain_convolution_at_every_latent_position() -> None:
    conv = _conv(3, 4, 3, pieces=1, points=3)
    nn.init.zeros_(conv.amplitude)
    d_hat_OhK = conv.offset[0] / torch.linalg.vector_norm(conv.offset[0], dim=1, keepdim=True)
    x_NCHW = _image(2, 3, 6, 6)
    plain_NOHW = F.conv2d(x_NCHW, (conv.w_hat @ d_hat_OhK).unflatten(-1, (3, 3)))
    torch.testing.assert_close(conv(x_NCHW), plain_NOHW.unsqueeze(2).expand(-1, -1, 3, -1, -1))


def test_folded_the_bias_of_a_channel_is_that_of_all_its_latent_positions() -> None:
    conv = _conv(3, 4, 3, pieces=2, points=2, bias=True)
    nn.init.normal_(conv.bias)
    x_NCHW = _image(2, 3, 7, 8)
    torch.testing.assert_close(conv.to_conv2d()(x_NCHW).unflatten(1, (4, 4)), conv(x_NCHW))


def test_number_of_parameters() -> None:
    """w_hat has O C h = 16 * 3 * 4 of them, each of G, B, D has P O h k^2 = 2 * 16 * 4 * 9."""
    conv = DynamicKernelConv2d(3, 16, 3)
    sizes = {name: parameter.numel() for name, parameter in conv.named_parameters()}
    assert sizes == {"w_hat": 192, "amplitude": 1152, "phase": 1152, "offset": 1152}


@pytest.mark.parametrize(
    ("init_mode", "fan"),
    [("fan_in", 9 * 64), ("fan_out", 9 * 512 * 6)],  # k^2 C and k^2 O L
)
def test_kernels_start_with_the_variance_of_the_paper_at_every_angle(init_mode: Any, fan: int) -> None:
    """Sec. 3.8: Var[w(a)] = 2 / fan.

    Relative variance of the estimate: 2 / (512 * 64) from w_hat (not divided by 9, as kernel positions share
    it) and 0.075 / (512 * 9) from the curves: at a given angle and h = 4, the squared norm of a column has
    mean 1 and variance sum_i 4 E[g_i^4] Var[sin^2] = 4 * 4 * 3/80 / 8. That is a deviation of 0.9 %.
    """
    torch.manual_seed(0)
    conv = DynamicKernelConv2d(64, 512, 3, hidden=4, pieces=2, points=3, init_mode=init_mode)
    variances_L = conv.kernels().detach().square().mean(dim=(0, 2, 3, 4))
    torch.testing.assert_close(variances_L * fan / 2, torch.ones(6), rtol=0.045, atol=0)  # 5 deviations


def test_curves_start_as_in_the_paper() -> None:
    """Sec. 3.8: G and D have variance 1 / (h k^2), B is uniform. 5 deviations of n = 36,864 values."""
    torch.manual_seed(0)
    conv = DynamicKernelConv2d(1, 512, 3)
    deviations = 5 * math.sqrt(2 / 36_864)
    for parameter in (conv.amplitude, conv.offset):
        assert parameter.square().mean().item() * 36 == pytest.approx(1, abs=deviations)
    assert conv.phase.abs().max() <= math.pi
    assert conv.phase.square().mean().item() == pytest.approx(math.pi**2 / 3, rel=deviations)


def test_count_latent_tells_the_number_before_an_operator_is_built() -> None:
    assert DynamicKernelConv2d.count_latent(pieces=3, points=5) == _conv(1, 1, 1, pieces=3, points=5).num_latent


def test_printed_form_tells_what_differs_from_the_defaults_of_conv2d() -> None:
    conv = DynamicKernelConv2d(3, 4, 3, dilation=2, padding="same", padding_mode="reflect", points=5)
    assert repr(conv) == (
        "DynamicKernelConv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding='same', dilation=(2, 2), "
        "bias=False, padding_mode='reflect', hidden=4, pieces=2, points=5, init_mode='fan_in')"
    )


@pytest.mark.parametrize("name", ["hidden", "pieces", "points"])
def test_count_below_one(name: str) -> None:
    with pytest.raises(ValueError, match=rf"`{name}` must be at least 1, got 0"):
        DynamicKernelConv2d(3, 4, 3, **{name: 0})


def test_groups_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`groups` must be 1, got 2: .* all input channels"):
        DynamicKernelConv2d(4, 4, 3, groups=2)


def test_init_mode_unknown() -> None:
    with pytest.raises(ValueError, match=r"`init_mode` must be 'fan_in' or 'fan_out', got 'fan_avg'"):
        DynamicKernelConv2d(3, 4, 3, init_mode="fan_avg")  # type: ignore[arg-type]
