"""What every operator of ``configs/conv`` must do to take the place of ``nn.Conv2d``, in any network."""

import copy
import doctest
import sys
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import ConvFactory, DynamicKernelConv2d, operator_conv
from convrepro.conv.arguments import parameters
from convrepro.conv.factory import NOT_ARGUMENTS
from convrepro.conv.plain import NotFoldable
from convrepro.models import build
from convrepro.targets import resolve

DATASET = {"num_classes": 3, "in_channels": 2, "image_size": [8, 8]}


@cache
def _smallest_networks() -> list[str]:
    """One name for each network of ``configs/model``, the smallest: resnet20 of resnet20 .. resnet110.

    Networks of torchvision, which cannot be made small, have tests of their own.
    """
    by_target: dict[str, str] = {}
    for name in sorted(config_files.names("model"), key=lambda name: (len(name), name)):
        by_target.setdefault(config_files.load("model", name)["_target_"], name)
    by_target.pop("convrepro.models.TorchvisionNetwork")
    return list(by_target.values())


CONVS = config_files.names("conv")


def network_cases() -> list[tuple[str, str, str]]:
    """Every operator in every network in its own placement, and each placement of a network with one of them."""
    models = {model: list(config_files.load("model", model)["placements"]) for model in _smallest_networks()}
    own = {conv: config_files.load("conv", conv)["placement"] for conv in CONVS}
    operators = [conv for conv, placement in own.items() if placement != "none"]
    cases = [(conv, model, placement) for conv, placement in own.items() for model in models]
    for turn, (model, placements) in enumerate(models.items()):
        others = [placement for placement in placements if placement != "none"]
        cases += [(operators[(turn + step) % len(operators)], model, other) for step, other in enumerate(others)]
    # A shortcut without parameters has no latent positions to add to.
    return [
        case
        for case in dict.fromkeys(cases)
        if case not in {(dk, "aconv_resnet8", "downsizing") for dk in ("dk", "dk_first")}
    ]


@pytest.mark.parametrize("name", CONVS)
def test_file_says_what_it_is(name: str) -> None:
    config = config_files.load("conv", name)
    assert config["name"] == name
    assert config["about"]
    assert config["placement"]


@pytest.fixture(params=CONVS)
def conv(request: pytest.FixtureRequest) -> ConvFactory:
    return operator_conv(config_files.load("conv", request.param))


def _layer(conv: ConvFactory, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return conv(4, 6, 3, stride=2, padding=1)


def _images() -> torch.Tensor:
    return torch.randn(2, 4, 8, 7, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2)])
def test_shape_is_that_of_conv2d(conv: ConvFactory, kernel_size: int, stride: int, padding: int) -> None:
    plain_XCHW = nn.Conv2d(4, 6, kernel_size, stride, padding)(_images())
    ours_XCHW = conv(4, 6, kernel_size, stride=stride, padding=padding)(_images())
    assert ours_XCHW.shape == (2 * conv.num_latent, *plain_XCHW.shape[1:])


def test_no_bias(conv: ConvFactory) -> None:
    """Batch normalisation follows and would undo it."""
    assert not _layer(conv)(torch.zeros(2, 4, 8, 8)).any()


def test_state_survives_saving_and_loading(conv: ConvFactory) -> None:
    ours, other = _layer(conv, seed=0).eval(), _layer(conv, seed=1).eval()
    other.load_state_dict(ours.state_dict())
    assert torch.equal(other(_images()), ours(_images()))


def test_seed_decides_every_value(conv: ConvFactory) -> None:
    assert torch.equal(_layer(conv)(_images()), _layer(conv)(_images()))


def test_gradient_reaches_every_parameter(conv: ConvFactory) -> None:
    layer = _layer(conv)
    layer(_images()).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_float64(conv: ConvFactory) -> None:
    layer = _layer(conv).eval()
    single_XCHW = layer(_images())
    double_XCHW = layer.double()(_images().double())
    assert double_XCHW.dtype is torch.float64
    torch.testing.assert_close(double_XCHW.float(), single_XCHW)


def test_deepcopy(conv: ConvFactory) -> None:
    layer = _layer(conv).eval()
    twin = copy.deepcopy(layer)
    before = twin(_images())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert torch.equal(twin(_images()), before)


pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # by Conv2d too

# -- drop-in for nn.Conv2d ------------------------------------------------------------------------------------------

GEOMETRIES: list[dict[str, Any]] = [
    {},
    {"stride": 2},
    {"stride": 2, "padding": 1},
    {"stride": (1, 2), "padding": (2, 1)},
    {"padding": "same"},
    {"padding": "valid", "bias": False},
    {"dilation": 2, "padding": 2},
    {"padding": "same", "dilation": (1, 2)},
    {"groups": 2},
    {"stride": 2, "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "reflect"},
    {"padding": 1, "padding_mode": "replicate", "stride": 2},
    {"padding": 1, "padding_mode": "circular"},
]
KERNEL_SIZES = [1, 2, 3, (3, 1)]


def _own_arguments(name: str) -> dict[str, Any]:
    return {key: value for key, value in config_files.load("conv", name).items() if key not in NOT_ARGUMENTS}


def _class(name: str) -> type[nn.Module]:
    operator_class: type[nn.Module] = resolve(config_files.load("conv", name)["_target_"])
    return operator_class


def _operator(name: str, *args: Any, **kwargs: Any) -> nn.Module:
    torch.manual_seed(0)
    return _class(name)(*args, **{**_own_arguments(name), **kwargs})


@torch.no_grad()
def _moved(operator: nn.Module) -> nn.Module:
    """No number that it learns or tracks is where it started; those that start at 0 would hide what they do."""
    generator = torch.Generator().manual_seed(3)
    for values in operator.state_dict().values():
        if values.is_floating_point():
            values += 0.02 + 0.1 * torch.rand(values.shape, generator=generator)
    return operator


def _operator_or_skip(name: str, kernel_size: Any, geometry: dict[str, Any], **kwargs: Any) -> nn.Module:
    """The operator, if it takes this geometry; one that does not must say which argument and why."""
    try:
        return _operator(name, 4, 6, kernel_size, **geometry, **kwargs)
    except ValueError as refusal:
        reason = str(refusal)
    assert any(f"`{argument}`" in reason for argument in ("kernel_size", "dilation", *geometry)), reason
    assert "\n" not in reason
    return pytest.skip(f"refused: {reason}")


def _over_images(y: torch.Tensor) -> torch.Tensor:
    """Without the latent axis, so that shapes can be compared."""
    return y[:, :, 0] if y.ndim == 5 else y


@pytest.mark.parametrize("name", CONVS)
def test_arguments_and_defaults_are_those_of_conv2d(name: str) -> None:
    ours, plain = parameters(_class(name)), parameters(nn.Conv2d)
    differing = {key for key in plain if ours[key].default != plain[key].default}
    assert differing <= ({"bias"} if name.startswith("dk") else set())  # the paper's operator has no bias
    own = [ours[key] for key in ours.keys() - plain.keys()]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in own)


@pytest.mark.parametrize("name", CONVS)
@pytest.mark.parametrize("kernel_size", KERNEL_SIZES, ids=str)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_it_takes_the_place_of_conv2d(name: str, kernel_size: Any, geometry: dict[str, Any]) -> None:
    operator = _moved(_operator_or_skip(name, kernel_size, geometry)).eval()
    x_BCHW = _images()
    expected = nn.Conv2d(4, 6, kernel_size, **geometry)(x_BCHW)
    y_BOHW = operator(x_BCHW)
    assert _over_images(y_BOHW).shape == expected.shape
    torch.testing.assert_close(operator(x_BCHW[0]), y_BOHW[0])  # one image needs no batch axis
    channels_last = operator(x_BCHW.to(memory_format=torch.channels_last))
    torch.testing.assert_close(channels_last, y_BOHW)


@pytest.mark.parametrize("name", CONVS)
@pytest.mark.parametrize("kernel_size", KERNEL_SIZES, ids=str)
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_folded_it_is_the_same_function(name: str, kernel_size: Any, geometry: dict[str, Any]) -> None:
    operator = _moved(_operator_or_skip(name, kernel_size, geometry, dtype=torch.float64)).eval()
    if type(operator) is nn.Conv2d:
        pytest.skip("is the plain convolution")
    try:
        folded = operator.to_conv2d()  # type: ignore[operator]
    except NotFoldable:
        pytest.skip("its weights depend on the image")
    x_BCHW = _images().double()
    y = operator(x_BCHW)
    if isinstance(operator, DynamicKernelConv2d):
        y = y.flatten(1, 2)
    torch.testing.assert_close(folded(x_BCHW), y, rtol=0, atol=1e-10 * y.abs().max().item())
    torch.testing.assert_close(folded.float()(x_BCHW.float()), y.float(), rtol=0, atol=1e-5 * y.abs().max().item())
    assert {type(layer) for layer in folded.modules()} <= {nn.Conv2d, nn.Sequential}
    ours = {parameter.data_ptr() for parameter in operator.parameters()}
    assert not ours & {parameter.data_ptr() for parameter in folded.parameters()}


@pytest.mark.parametrize("name", CONVS)
def test_positional_arguments_mean_what_they_mean_in_conv2d(name: str) -> None:
    """in, out, kernel, stride, padding, dilation, groups, bias, padding_mode, device, dtype."""
    arguments = (4, 6, 3, 2, 2, 2, 1, False, "circular", "cpu", torch.float64)
    x_BCHW = _images().double()
    ours = _operator(name, *arguments).eval()(x_BCHW)
    assert _over_images(ours).shape == nn.Conv2d(*arguments)(x_BCHW).shape
    assert ours.dtype is torch.float64


@pytest.mark.parametrize("name", CONVS)
def test_gradients_are_those_of_the_function(name: str) -> None:
    operator = _moved(_operator(name, 2, 2, 3, padding=1, dtype=torch.float64)).eval()
    names = list(dict(operator.named_parameters()))
    x_BCHW = torch.randn(1, 2, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def response(x_BCHW: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(operator, dict(zip(names, values, strict=True)), (x_BCHW,))

    assert torch.autograd.gradcheck(response, (x_BCHW.requires_grad_(), *operator.parameters()))


@pytest.mark.parametrize("has_memory", [True, False])
@pytest.mark.parametrize("name", CONVS)
def test_resetting_is_starting_anew_with_the_same_draws(name: str, has_memory: bool) -> None:
    start = _operator(name, 4, 6, 3).eval()
    if has_memory:
        operator = _moved(_operator(name, 4, 6, 3))
    else:
        operator = _operator(name, 4, 6, 3, device="meta").to_empty(device="cpu")
    torch.manual_seed(0)
    operator.reset_parameters()  # type: ignore[operator]
    torch.testing.assert_close(operator.state_dict(), start.state_dict(), rtol=0.0, atol=0.0)
    assert torch.equal(operator.eval()(_images()), start(_images()))


@pytest.mark.parametrize("name", CONVS)
def test_printed_form_has_every_argument_of_its_own_that_is_in_use(name: str) -> None:
    shown = repr(_operator(name, 4, 6, 3))
    for key, value in _own_arguments(name).items():
        assert (f", {key}=" in shown) or value in (None, False), key


@pytest.mark.parametrize("name", CONVS)
def test_geometry_that_conv2d_refuses(name: str) -> None:
    with pytest.raises(ValueError, match="padding='same' is not supported for strided convolutions"):
        _operator(name, 4, 6, 3, stride=2, padding="same")


@pytest.mark.parametrize("envelope_size", [4, 0, -1])
@pytest.mark.parametrize("name", [name for name in CONVS if "envelope_size" in _own_arguments(name)])
def test_envelope_size_without_a_centre(name: str, envelope_size: int) -> None:
    with pytest.raises(ValueError, match=rf"`envelope_size` must be odd and at least 1, got {envelope_size}\."):
        _operator(name, 4, 6, 3, envelope_size=envelope_size)


@pytest.mark.parametrize("module", sorted({_class(name).__module__ for name in CONVS} - {nn.Conv2d.__module__}))
def test_docstring_example(module: str) -> None:
    failed, attempted = doctest.testmod(sys.modules[module])
    assert failed == 0 < attempted


@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("name", CONVS)
def test_a_layer_made_without_memory_is_whole_once_its_state_is_loaded(name: str, assign: bool) -> None:
    ours, empty = _operator(name, 4, 6, 3).eval(), _operator(name, 4, 6, 3, device="meta").eval()
    if not assign:
        empty = empty.to_empty(device="cpu")
    empty.load_state_dict(ours.state_dict(), assign=assign)
    assert torch.equal(empty(_images()), ours(_images()))


# -- in networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("conv_name", "model", "placement"), network_cases())
def test_network_forward_and_backward_are_finite(conv_name: str, model: str, placement: str) -> None:
    torch.manual_seed(0)
    conv, model_config = config_files.load("conv", conv_name), dict(config_files.load("model", model))
    if "widths" in model_config:
        model_config["widths"] = [4 * 2**stage for stage, _ in enumerate(model_config["widths"])]
    network = build(model=model_config, conv={**conv, "placement": placement}, dataset=DATASET)
    logits = network(torch.randn(2, 2, 8, 8))  # of the images, or of their pixels
    logits.square().sum().backward()
    assert logits.shape in ((2, 3), (2, model_config.get("num_filters", 3), 8, 8))
    assert logits.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
