from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import AnalyticConv2d, OperatorLayer, fold, operator_conv, plain_conv
from convrepro.models import TorchvisionNetwork, build, num_operator_layers, num_parameters

CIFAR10 = {"num_classes": 10, "in_channels": 3, "image_size": [32, 32]}
IMAGENET = {"num_classes": 1000, "in_channels": 3, "image_size": [224, 224]}
# Parameters with 1000 classes as torchvision publishes them (`num_params` of its weights).
PUBLISHED = {
    "efficientnet_b0": 5_288_548,
    "efficientnet_v2_l": 118_515_272,
    "googlenet": 6_624_904,
    "mobilenet_v2": 3_504_872,
    "regnet_x_400mf": 5_495_976,
    "shufflenet_v2_x1_0": 2_278_604,
    "vgg16": 138_357_544,
}
LARGE = ("efficientnet_v2_l", "vgg16")  # above 100 million parameters
SMALL = sorted(PUBLISHED.keys() - set(LARGE))
ACL_FIRST = {**config_files.load("conv", "acl"), "placement": "first"}


def _network(**changes: Any) -> TorchvisionNetwork:
    own = {"architecture": "shufflenet_v2_x1_0", "head": "torchvision", "num_classes": 3, "in_channels": 3}
    return TorchvisionNetwork(**{"first_conv": plain_conv(), **own, **changes})


def _reference(architecture: str, **kwargs: Any) -> nn.Module:
    from torchvision import models  # convrepro makes it importable beside a torch for CPUs

    own = {"aux_logits": False, "init_weights": True} if architecture == "googlenet" else {}
    network: nn.Module = models.get_model(architecture, weights=None, **own, **kwargs)
    return network


def _built(model: str, conv: Any = "standard", dataset: dict[str, Any] = IMAGENET) -> nn.Module:
    """On the meta device, sizes only, where the network is large. RegNet computes its sizes with tensors."""
    with torch.device("meta" if model in LARGE else "cpu"):
        return build(model=model, conv=conv, dataset=dataset)


@pytest.mark.parametrize("model", PUBLISHED)
def test_parameters_are_those_of_torchvision(model: str) -> None:
    assert num_parameters(_built(model)) == PUBLISHED[model]


@pytest.mark.parametrize("model", PUBLISHED)
def test_published_numbers_are_those_of_the_weights(model: str) -> None:
    from torchvision import models

    published = models.get_model_weights(model).DEFAULT.meta["num_params"]
    assert published == PUBLISHED[model]


@pytest.mark.parametrize("model", [*SMALL, "densenet121"])
def test_the_same_weights_give_the_output_of_torchvision(model: str) -> None:
    torch.manual_seed(0)
    theirs = _reference(model, num_classes=3).eval()
    ours = _network(architecture=model).eval()
    ours.load_state_dict({f"body.{name}": values for name, values in theirs.state_dict().items()})
    images_BCHW = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(images_BCHW), theirs(images_BCHW), rtol=0, atol=0)


@pytest.mark.parametrize("model", [*SMALL, "densenet121_fastai"])
def test_images_of_cifar10_in_both_modes(model: str) -> None:
    """32 x 32 pixels leave one in the last feature map; two images are enough for batch normalisation."""
    torch.manual_seed(0)
    network = build(model=model, conv=ACL_FIRST, dataset=CIFAR10)
    for mode in (True, False):
        assert network.train(mode)(torch.randn(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("model", LARGE)
def test_images_of_cifar10_in_large_networks(model: str) -> None:
    """Shapes only: what their layers compute is torchvision's."""
    network = _built(model, dataset=CIFAR10)
    for mode in (True, False):
        assert network.train(mode)(torch.randn(2, 3, 32, 32, device="meta")).shape == (2, 10)


@pytest.mark.parametrize("model", [*PUBLISHED, "densenet121_fastai"])
def test_the_first_convolution_is_the_factorys(model: str) -> None:
    """It is the only one with three input channels; kernel, stride, padding and bias are those of torchvision's."""
    network = _built(model, ACL_FIRST)
    assert isinstance(network, TorchvisionNetwork)
    assert num_operator_layers(network) == 1
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    plain = next(
        layer
        for layer in _reference(network.architecture).modules()
        if isinstance(layer, nn.Conv2d) and layer.in_channels == 3
    )
    assert isinstance(first, AnalyticConv2d)
    for name in ("in_channels", "out_channels", "kernel_size", "stride", "padding", "groups"):
        assert getattr(first, name) == getattr(plain, name), name
    assert (first.bias is None) == (plain.bias is None)


@pytest.mark.parametrize("conv", sorted(set(config_files.names("conv")) - {"standard"}))
def test_any_operator_trains_and_folds(conv: str) -> None:
    torch.manual_seed(0)
    config = {**config_files.load("conv", conv), "placement": "first"}
    network = build(model="shufflenet_v2_x1_0", conv=config, dataset={**CIFAR10, "num_classes": 3})
    images_BCHW = torch.randn(2, 3, 32, 32)
    network(images_BCHW).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    folded, network = fold(network), network.eval()
    assert num_operator_layers(folded) == 0
    expected = network(images_BCHW)
    torch.testing.assert_close(folded(images_BCHW), expected, rtol=0.0, atol=1e-5)


def test_only_the_first_convolution_of_vgg_has_a_bias() -> None:
    assert _network(architecture="mobilenet_v2").body.features[0][0].bias is None  # type: ignore[index, union-attr]
    with torch.device("meta"):
        assert _network(architecture="vgg16").body.features[0].bias.shape == (64,)  # type: ignore[index, union-attr]


def test_channels_of_the_images() -> None:
    assert _network(in_channels=1)(torch.randn(2, 1, 28, 28)).shape == (2, 3)


def test_densenet121_with_the_head_of_fastai() -> None:
    """Without torchvision's classifier, 1024 x 1000 + 1000, and with a head for 2 x 1024 features and 101 classes."""
    head = 2 * 2048 + 2048 * 512 + 2 * 512 + 512 * 101
    network = build(model="densenet121_fastai", conv="standard", dataset={**IMAGENET, "num_classes": 101})
    assert num_parameters(network) == 7_978_856 - 1_025_000 + head


def test_fastai_leaves_out_the_relu_behind_densenets_last_batch_normalisation() -> None:
    torch.manual_seed(0)
    network = _network(architecture="densenet121", head="fastai").eval()
    features = []
    network.head.pools.register_forward_pre_hook(lambda layer, inputs: features.append(inputs[0]))
    network(torch.randn(2, 3, 32, 32))
    assert (features[0] < 0).any()


@pytest.mark.parametrize(("architecture", "head"), [("shufflenet_v2_x1_0", "torchvision"), ("densenet121", "fastai")])
def test_latent_positions_end_in_the_network(architecture: str, head: str) -> None:
    dk = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    assert _network(architecture=architecture, head=head, first_conv=dk)(torch.randn(2, 3, 32, 32)).shape == (2, 3)


def test_latent_positions_are_averaged_in_the_logits() -> None:
    torch.manual_seed(0)
    dk = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})
    network = _network(first_conv=dk).eval()
    images_BCHW = torch.randn(2, 3, 16, 16)
    logits_XK = network.body(images_BCHW)
    torch.testing.assert_close(network(images_BCHW), logits_XK.view(2, 6, 3).mean(1))


@pytest.mark.parametrize(("architecture", "least"), [("densenet121", 29), ("vgg16", 32), ("shufflenet_v2_x1_0", 1)])
def test_least_size_of_the_images(architecture: str, least: int) -> None:
    with torch.device("meta"):
        network = _network(architecture=architecture).eval()
        assert network(torch.randn(1, 3, least, least + 1)).shape == (1, 3)
        if least > 1:
            with pytest.raises(RuntimeError, match="Output size is too small"):
                network.body(torch.randn(1, 3, least - 1, least))
            message = f"images of {architecture} must be {least} x {least} or more, got {least - 1} x {least}"
            with pytest.raises(ValueError, match=message):
                network(torch.randn(1, 3, least - 1, least))


def test_a_head_that_the_network_cannot_have() -> None:
    with pytest.raises(ValueError, match="`head` must be 'torchvision' where `architecture` is not densenet121"):
        _network(head="fastai")


def test_an_architecture_outside_the_list() -> None:
    model = {**config_files.load("model", "vgg16"), "architecture": "vgg11"}
    with pytest.raises(ValueError, match=r"`architecture` of model 'vgg16' must be 'densenet121' or .*, got 'vgg11'"):
        build(model=model, conv="standard", dataset=CIFAR10)


def test_plain_first_convolution_is_no_operator_layer() -> None:
    assert not any(isinstance(layer, OperatorLayer) for layer in _network().modules())
