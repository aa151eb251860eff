"""Against plain convolutions, Eq. (5) written out, and the compact factors that the paper prints."""

import copy
import doctest
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import AnalyticConv2d, analytic, kernel_functions
from convrepro.conv.kernel_functions import Grid

ALL_KINDS = "G0.2 Lg0.1 Lt0.1 Tf0.2 Ts0.1 M0.1 P0.2"
WITH_PARAMETERS = ["G", "Lg", "Lt", "Tf", "Ts"]


def _conv(*args: Any, arrangement: str = ALL_KINDS, **kwargs: Any) -> AnalyticConv2d:
    torch.manual_seed(0)
    return AnalyticConv2d(*args, arrangement=arrangement, dtype=torch.float64, **kwargs)


def _image(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_plain_kernels_alone_are_conv2d() -> None:
    """Sec. 4.1: a layer of plain kernels is tantamount to a traditional convolutional layer."""
    plain = nn.Conv2d(3, 4, (3, 5), stride=2, padding=1, dtype=torch.float64)
    ours = AnalyticConv2d.from_conv2d(plain, arrangement="P12")
    x_BCHW = _image(2, 3, 8, 9)
    torch.testing.assert_close(ours(x_BCHW), plain(x_BCHW), rtol=0, atol=0)
    assert ours.compact_factor() == 0


def test_is_equation_5() -> None:
    """Number by number: F'_q = b_q + sum_p W^pq * F_p, kernel k = q C_i + p, 1 G, 2 P, 1 Lg and 2 Tf in this order."""
    conv = _conv(2, 3, (3, 3), arrangement="G1 P2 Lg1 Tf2")
    assert conv.bias is not None
    parameters = {symbol: values.tolist() for symbol, values in conv.kernels.items()}
    grid = Grid.of_size((3, 3), dtype=torch.float64)

    def kernel(symbol: str, number: int) -> list[list[float]]:
        values = parameters[symbol][number]
        if symbol == "P":
            return [values[3 * row : 3 * row + 3] for row in range(3)]  # Eq. (4): (i - 1) w + j
        parameters_1P = torch.tensor([values], dtype=torch.float64)
        sampled: list[list[float]] = kernel_functions.find(symbol)(parameters_1P, grid).view(3, 3).tolist()
        return sampled

    kernels = [kernel(*one) for one in (("G", 0), ("P", 0), ("P", 1), ("Lg", 0), ("Tf", 0), ("Tf", 1))]
    image = _image(1, 2, 5, 5)
    f, bias = image[0].tolist(), conv.bias.tolist()
    expected = [
        [
            [
                bias[q]
                + sum(
                    kernels[2 * q + p][i][j] * f[p][row + i][column + j]
                    for p in range(2)
                    for i in range(3)
                    for j in range(3)
                )
                for column in range(3)
            ]
            for row in range(3)
        ]
        for q in range(3)
    ]
    torch.testing.assert_close(conv(image), torch.tensor([expected], dtype=torch.float64))


def test_a_kind_that_comes_twice_goes_on_with_its_next_kernels() -> None:
    conv = _conv(1, 5, 3, arrangement="Lg2 M1 Lg2")
    laplacians = kernel_functions.find("Lg")(conv.kernels["Lg"], Grid.of_size((3, 3), dtype=torch.float64))
    weight_Ohw = conv.effective_weight()[:, 0]
    torch.testing.assert_close(weight_Ohw[[0, 1, 3, 4]], laplacians.unflatten(1, (3, 3)))
    torch.testing.assert_close(weight_Ohw[2], torch.full((3, 3), 1 / 3, dtype=torch.float64))


def test_kernels_of_a_group_are_those_of_its_input_channels() -> None:
    conv = _conv(4, 6, 3, groups=2, arrangement="G4 P8", bias=False)
    x_BCHW = _image(2, 4, 6, 6)
    halves = [F.conv2d(x, w) for x, w in zip(x_BCHW.chunk(2, 1), conv.effective_weight().chunk(2), strict=True)]
    torch.testing.assert_close(conv(x_BCHW), torch.cat(halves, dim=1))


# Tables 1 to 3, for 64 x 3 kernels of 7 x 7; what Eq. (25) gives where the paper has a misprint.
@pytest.mark.parametrize(
    ("arrangement", "factor"),
    [
        ("P192", 0),
        ("G30Lg15Lt15Tf30Ts6P96", 0.4732),
        ("G30Lg15Lt15Tf36P96", 0.4726),
        ("G72Lg30Lt15Tf27P48", 0.706),
        ("G60Lg24Lt27Tf45Ts36", 0.9471),
        ("G120Lg30Lt15Tf27", 0.9356),
        ("M192", 1),
        ("Lg15G30Lt15Tf36P96", 0.4726),
        ("Lg15G30P96Lt15Tf36", 0.4726),
        ("M30Lg15Lt15Tf36P96", 0.4853),
        ("G30M15Lt15Tf36P96", 0.4742),  # printed 0.4743
        ("G30Lg15M15Tf36P96", 0.4742),  # printed 0.4347
        ("G30Lg15Lt15M36P96", 0.4841),
        ("G30Lg15Lt15Tf36M96", 0.9726),  # printed 0.0274
        ("M96P96", 0.5),
        ("G192", 0.9184),
        ("Lg192", 0.9796),
        ("Lt192", 0.9796),
        ("Tf192", 0.9388),
    ],
)
def test_compact_factor_is_that_of_the_tables(arrangement: str, factor: float) -> None:
    conv = AnalyticConv2d(3, 64, 7, arrangement=arrangement, device="meta")
    assert round(conv.compact_factor(), 4) == factor


def test_number_of_parameters() -> None:
    """exp3 of Table 1: 30 * 4 + 15 * 1 + 15 * 1 + 36 * 3 + 96 * 49 = 4962, and 64 of the bias."""
    conv = AnalyticConv2d(3, 64, 7, arrangement="G30 Lg15 Lt15 Tf36 P96")
    shapes = {name: tuple(parameter.shape) for name, parameter in conv.named_parameters()}
    kernels = {"G": (30, 4), "Lg": (15, 1), "Lt": (15, 1), "Tf": (36, 3), "P": (96, 49)}
    assert shapes == {"bias": (64,)} | {f"kernels.{symbol}": shape for symbol, shape in kernels.items()}
    assert list(conv.state_dict()) == list(shapes)
    assert conv.num_kernel_parameters() == 4962
    assert sum(parameter.numel() for parameter in conv.parameters()) == 4962 + 64


def test_kinds_without_kernels_have_no_parameters() -> None:
    assert set(AnalyticConv2d(1, 2, 3, arrangement="G0.1 P0.9").kernels) == {"P"}


def test_plain_kernels_start_as_those_of_the_baseline() -> None:
    """Var = 2 / (k^2 I); 5 standard deviations of the variance of n = 64 * 32 * 9 values."""
    torch.manual_seed(0)
    plain_NP = AnalyticConv2d(64, 64, 3, groups=2, arrangement="P1.0").kernels["P"]
    assert plain_NP.square().mean().item() * 9 * 32 / 2 == pytest.approx(1, abs=5 * math.sqrt(2 / plain_NP.numel()))


@pytest.mark.parametrize("symbol", WITH_PARAMETERS)
def test_parameters_start_all_over_their_ranges(symbol: str) -> None:
    """Of 1024 uniform values each tenth of the range has some: an empty one has a chance of 0.9^1024."""
    torch.manual_seed(0)
    values_NP = AnalyticConv2d(32, 32, 7, arrangement=f"{symbol}1.0").kernels[symbol]
    low, high = torch.tensor(kernel_functions.find(symbol).initial_ranges((7, 7))).unbind(1)
    tenths_NP = ((values_NP - low) / (high - low) * 10).floor().long()
    assert [sorted(set(column.tolist())) for column in tenths_NP.unbind(1)] == [list(range(10))] * len(low)


def test_bias_starts_as_that_of_conv2d() -> None:
    torch.manual_seed(0)
    bias_O = AnalyticConv2d(4, 1000, 3, groups=2).bias
    assert bias_O is not None
    assert bias_O.abs().max().item() == pytest.approx(1 / math.sqrt(2 * 9), rel=0.01)


@pytest.mark.parametrize("arrangement", ["G2 P3 Lg1 P2", "P8", "M8"])
def test_plain_kernels_and_bias_come_from_a_given_convolution(arrangement: str) -> None:
    plain = nn.Conv2d(4, 4, 3, 2, padding=1, groups=2, padding_mode="circular", dtype=torch.float64)
    ours = AnalyticConv2d.from_conv2d(plain, arrangement=arrangement)
    is_plain = [symbol == "P" for symbol, count in ours.arrangement.counts(8) for _ in range(count)]
    ours_Khw, given_Khw = (weight.flatten(0, 1) for weight in (ours.effective_weight(), plain.weight))
    assert [torch.equal(own, given) for own, given in zip(ours_Khw, given_Khw, strict=True)] == is_plain
    assert torch.equal(ours.bias, plain.bias)
    x_BCHW = _image(1, 4, 6, 6)
    torch.testing.assert_close(ours(x_BCHW), plain._conv_forward(x_BCHW, ours.effective_weight(), plain.bias))


def test_copies_of_a_given_convolution_are_its_own() -> None:
    plain = nn.Conv2d(1, 1, 3, padding="same", bias=False)
    ours = AnalyticConv2d.from_conv2d(plain, arrangement="P1")
    nn.init.zeros_(plain.weight)
    assert ours.effective_weight().any()
    assert ours.bias is None
    assert ours.padding == "same"


@pytest.mark.parametrize("padding_mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    "geometry",
    [
        {},
        {"stride": 2, "padding": 1, "groups": 2},
        {"stride": (1, 2), "padding": (2, 1), "dilation": (2, 1)},
        {"padding": "same", "dilation": 2, "bias": False},
        {"padding": "valid"},
    ],
    ids=str,
)
def test_to_conv2d_is_the_same_function(geometry: dict[str, Any], padding_mode: str) -> None:
    conv = _conv(4, 6, (3, 2), padding_mode=padding_mode, **geometry)
    plain, x_BCHW = conv.to_conv2d(), _image(2, 4, 7, 8)
    assert type(plain) is nn.Conv2d
    torch.testing.assert_close(plain(x_BCHW), conv(x_BCHW), rtol=0, atol=1e-10)


def test_one_image_needs_no_batch_axis() -> None:
    conv, x_CHW = _conv(3, 4, 3, padding=1), _image(3, 6, 6)
    torch.testing.assert_close(conv(x_CHW), conv(x_CHW.unsqueeze(0))[0])


@pytest.mark.parametrize("kernel_size", [3, 2], ids=str)
def test_gradients(kernel_size: int) -> None:
    conv = _conv(2, 5, kernel_size)
    names = list(dict(conv.named_parameters()))

    def response(x_BCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(conv, dict(zip(names, values, strict=True)), (x_BCHW,))

    assert torch.autograd.gradcheck(response, (_image(1, 2, 4, 4).requires_grad_(), *conv.parameters()))


def test_kernels_of_1_x_1_are_the_functions_at_the_origin() -> None:
    conv = _conv(1, 7, 1, arrangement="G1 Lg1 Lt1 Tf1 Ts1 M1 P1")
    psi, sigma, plain = conv.kernels["G"][0, 2], conv.kernels["Lg"][0, 0], conv.kernels["P"][0, 0]
    expected = [psi.cos().item(), -1 / (math.pi * sigma.item() ** 4), 0, 0, 0, 1, plain.item()]
    assert conv.effective_weight().flatten().tolist() == pytest.approx(expected)
    conv.effective_weight().sum().backward()
    assert all(parameters.grad.isfinite().all() for parameters in conv.kernels.values())


def test_grid_stays_exact_when_a_network_is_turned_to_float64() -> None:
    conv, double = AnalyticConv2d(2, 3, (4, 3), arrangement=ALL_KINDS).double(), _conv(2, 3, (4, 3))
    double.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv.effective_weight(), double.effective_weight(), rtol=0, atol=0)


def test_a_layer_made_on_the_meta_device_gets_its_values_by_reset_parameters() -> None:
    conv = AnalyticConv2d(2, 3, 3, device="meta").to_empty(device="cpu")
    torch.manual_seed(0)
    conv.reset_parameters()
    torch.manual_seed(0)
    torch.testing.assert_close(conv.effective_weight(), AnalyticConv2d(2, 3, 3).effective_weight())


def test_kernels_are_sampled_in_full_precision_under_autocast() -> None:
    conv = AnalyticConv2d(2, 8, 7, arrangement="G0.5 Tf0.5")
    expected = conv.effective_weight()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(conv.effective_weight(), expected, rtol=0, atol=0)
        assert conv(torch.randn(1, 2, 7, 7)).dtype is torch.bfloat16


def test_deepcopy_is_independent() -> None:
    conv = _conv(1, 4, 3, arrangement="P4")
    twin = copy.deepcopy(conv)
    nn.init.zeros_(conv.kernels["P"])
    assert twin.effective_weight().any()


def test_exported_program_is_the_same_function() -> None:
    conv, x_BCHW = _conv(2, 7, 3).eval(), _image(2, 2, 6, 6)
    program = torch.export.export(conv, (x_BCHW,), strict=False)
    torch.testing.assert_close(program.module()(x_BCHW), conv(x_BCHW))


def test_there_is_no_weight_of_which_some_plays_no_role() -> None:
    assert not hasattr(_conv(1, 2, 3), "weight")


def test_printed_form_tells_the_arrangement() -> None:
    conv = AnalyticConv2d(3, 4, 3, arrangement="G6P6")
    assert repr(conv).splitlines()[1].strip() == "3, 4, kernel_size=(3, 3), stride=(1, 1), arrangement='G6 P6'"


def test_arrangement_of_another_size() -> None:
    with pytest.raises(ValueError, match=r"'G30 P96' has 126 kernels, the layer has 192: output channels times input"):
        AnalyticConv2d(3, 64, 7, arrangement="G30P96")


def test_geometry_that_conv2d_refuses() -> None:
    with pytest.raises(ValueError, match="padding='same' is not supported for strided convolutions"):
        AnalyticConv2d(3, 4, 3, stride=2, padding="same")


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(analytic)
    assert (failed, attempted) == (0, 3)


def test_asking_for_a_weight_says_where_the_kernels_are() -> None:
    conv = AnalyticConv2d(1, 2, 3)
    assert not hasattr(conv, "weight")
    with pytest.raises(AttributeError, match=r"no `weight`: its parameters are `kernels`; effective_weight\(\)"):
        conv.weight  # noqa: B018
