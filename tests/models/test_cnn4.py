import pytest
import torch

from convrepro.conv import operator_conv, plain_conv
from convrepro.models import CNN4

PLAIN = plain_conv()
DK = operator_conv({"_target_": "convrepro.conv.DynamicKernelConv2d"})


def _cnn4(*convs: object, image_size: tuple[int, int] = (8, 8)) -> CNN4:
    roles = dict(zip(("conv1", "conv2", "conv3", "conv4"), convs or [PLAIN] * 4, strict=True))
    return CNN4(**roles, filters=4, num_classes=3, in_channels=2, image_size=image_size)  # type: ignore[arg-type]


@pytest.mark.parametrize("image_size", [(4, 4), (9, 6), (28, 28)])
def test_any_image_that_survives_the_poolings(image_size: tuple[int, int]) -> None:
    assert _cnn4(image_size=image_size)(torch.randn(2, 2, *image_size)).shape == (2, 3)


def test_image_too_small() -> None:
    with pytest.raises(ValueError, match=r"`image_size` must be at least 4 x 4, got 8 x 3"):
        _cnn4(image_size=(8, 3))


@pytest.mark.parametrize(
    ("convs", "averaged"),  # layers that end with an average
    [
        ((PLAIN, PLAIN, PLAIN, PLAIN), []),
        ((DK, PLAIN, DK, PLAIN), ["layer2", "layer4"]),  # Table 4
        ((DK, PLAIN, PLAIN, PLAIN), ["layer4"]),  # Sec. 4.2, DK-CNN(OF): once
        ((DK, DK, DK, DK), ["layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_where_latent_positions_are_averaged(convs: tuple[object, ...], averaged: list[str]) -> None:
    network = _cnn4(*convs)
    layers = [name for name, layer in network.named_children() if hasattr(layer, "latent_average")]
    assert layers == averaged
    assert network(torch.randn(2, 2, 8, 8)).shape == (2, 3)


def test_average_comes_before_max_pool() -> None:
    """Table 4."""
    names = [name for name, _ in _cnn4(DK, PLAIN, DK, PLAIN).layer2.named_children()]
    assert names == ["conv2", "bnorm2", "relu", "latent_average", "maxpool"]
