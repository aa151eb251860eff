"""Folded networks: the same function, made of ordinary layers, exportable."""

import copy
import operator
import warnings
from typing import Any

import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from tests.conv.test_contract import CONVS, DATASET, network_cases
from torch import nn

from convrepro import config_files
from convrepro.conv import DynamicKernelConv2d, OperatorLayer, fold, operator_conv
from convrepro.conv.plain import NotFoldable
from convrepro.models import build, num_operator_layers

BATCH = torch.export.Dim("batch")


def _images(num_images: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(num_images, 2, 8, 8, generator=torch.Generator().manual_seed(seed))


def _trained(conv: str, model: str, placement: str | None = None) -> nn.Module:
    """A narrow network after a few steps: no parameter and no running statistic is where it started."""
    torch.manual_seed(0)
    config, sizes = config_files.load("conv", conv), config_files.load("model", model)
    sizes |= {"widths": [4 * 2**stage for stage in range(len(sizes["widths"]))]} if "widths" in sizes else {}
    network = build(model=sizes, conv={**config, "placement": placement or config["placement"]}, dataset=DATASET)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    for step in range(3):
        logits = network(1.0 + 2.0 * _images(6, seed=step))
        classes = torch.arange(6) % 3
        targets = classes if logits.ndim == 2 else classes[:, None, None].expand(6, *logits.shape[2:])
        loss = F.cross_entropy(logits, targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


def _operators(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, OperatorLayer) or hasattr(module, "to_conv2d")]


def _is_foldable(operator: nn.Module) -> bool:
    try:
        operator.to_conv2d()
    except NotFoldable:
        return False
    return True


@pytest.mark.parametrize(("conv", "model", "placement"), network_cases())
def test_a_folded_network_is_the_same_function_of_ordinary_layers(conv: str, model: str, placement: str) -> None:
    network = _trained(conv, model, placement)
    state = copy.deepcopy(network.state_dict())
    folded = fold(network)
    assert network.training
    torch.testing.assert_close(network.state_dict(), state, rtol=0.0, atol=0.0)
    assert not {p.data_ptr() for p in network.parameters()} & {p.data_ptr() for p in folded.parameters()}

    assert not any(module.training for module in folded.modules())
    assert num_operator_layers(folded) == 0
    assert not [left for left in _operators(folded) if _is_foldable(left)]

    x_BCHW = _images(5)
    network.eval()
    torch.testing.assert_close(folded(x_BCHW), network(x_BCHW), rtol=0.0, atol=1e-5)
    torch.testing.assert_close(fold(folded).state_dict(), folded.state_dict(), rtol=0.0, atol=0.0)
    assert str(fold(folded)) == str(folded)
    network.double()
    torch.testing.assert_close(fold(network)(x_BCHW.double()), network(x_BCHW.double()), rtol=0.0, atol=1e-10)


def _of_each_kind() -> dict[str, nn.Module]:
    """A network of each set of layers that folding leaves, by its first operator: most leave ordinary ones."""
    found: dict[frozenset[type[nn.Module]], tuple[str, nn.Module]] = {}
    for conv in CONVS:
        network = _trained(conv, "cnn4").eval()
        found.setdefault(frozenset(map(type, fold(network).modules())), (conv, network))
    return dict(found.values())


def test_folded_networks_export_with_standard_operators_only() -> None:
    networks = _of_each_kind()
    assert len(networks) >= 3
    for conv, network in networks.items():
        _check_export(conv, network)


def _check_export(conv: str, network: nn.Module) -> None:
    with warnings.catch_warnings():
        # copyreg's, about torch's own trees
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
        exported = torch.export.export(fold(network), (_images(2),), dynamic_shapes=({0: BATCH},))
        program = torch.onnx.export(exported, dynamo=True, input_names=["images"], verbose=False)
    for node in exported.graph.nodes:
        if node.op == "call_function" and node.target is not operator.getitem:
            assert node.target.namespace == "aten", (conv, node.target)
    assert program is not None, conv
    model = program.model_proto
    assert {node.domain for node in model.graph.node} | {used.domain for used in model.opset_import} == {""}
    assert not model.functions, conv

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for num_images in (1, 2, 5):
        x_BCHW = _images(num_images)
        expected = network(x_BCHW).detach()
        torch.testing.assert_close(exported.module()(x_BCHW), expected, rtol=1e-4, atol=1e-5)
        (logits_BK,) = session.run(None, {"images": x_BCHW.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits_BK), expected, rtol=1e-4, atol=1e-5)


def _dk(**changes: Any) -> DynamicKernelConv2d:
    torch.manual_seed(0)
    return DynamicKernelConv2d(2, 3, 3, padding=1, bias=True, **changes)


@pytest.mark.parametrize("points", [3, 1])
def test_an_operator_by_itself_is_folded_with_its_latent_axis(points: int) -> None:
    dk = _dk(points=points)
    folded = fold(dk)
    assert [type(layer) for layer in folded] == [nn.Conv2d, nn.Unflatten]
    torch.testing.assert_close(folded(_images(2)), dk(_images(2)))
    torch.testing.assert_close(folded(_images(2)[0]), dk(_images(2)[0]))


def test_the_layer_of_a_network_stays_channels_last() -> None:
    layer = operator_conv(config_files.load("conv", "dk"))(2, 3, 3, padding=1)
    x_BCHW = _images(2).to(memory_format=torch.channels_last)
    y_XOHW = fold(layer).to(memory_format=torch.channels_last)(x_BCHW)
    assert y_XOHW.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y_XOHW, layer(x_BCHW))


class _Twice(nn.Module):
    """The same operator under two names, and in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.first = self.second = operator_conv(config_files.load("conv", "dk"))(2, 2, 3, padding=1)
        self.all = nn.ModuleList([self.first, nn.ReLU()])
        self.missing = None
        self.register_module("left_out", None)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x_BCHW))


def test_an_operator_that_is_used_twice_stays_one_layer() -> None:
    model = _Twice()
    folded = fold(model)
    assert folded.first is folded.second is folded.all[0]
    assert isinstance(folded.first, nn.Sequential)
    torch.testing.assert_close(folded(_images(2)), model(_images(2)))


class _OfTheImage(nn.Conv2d):
    def to_conv2d(self) -> nn.Conv2d:
        raise NotFoldable("its weights depend on the image.")


def test_an_operator_that_depends_on_the_image_stays() -> None:
    model = nn.Sequential(_OfTheImage(2, 2, 3), _dk())
    folded = fold(model)
    assert [type(layer) for layer in folded] == [_OfTheImage, nn.Sequential]
    torch.testing.assert_close(folded(_images(2)), model(_images(2)))
    assert isinstance(fold(_OfTheImage(2, 2, 3)), _OfTheImage)


def test_ordinary_layers_stay_what_they_are() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    assert [type(layer) for layer in fold(model)] == [nn.Conv2d, nn.BatchNorm2d, nn.Dropout]
    assert model.training
