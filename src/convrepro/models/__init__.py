"""Networks that take their convolutions from outside, and what they cost."""

from convrepro.models.build import build
from convrepro.models.cnn4 import CNN4
from convrepro.models.cost import num_macs, num_operator_layers, num_parameters
from convrepro.models.densenet_bc import DenseNetBC
from convrepro.models.dropout import Dropout
from convrepro.models.facts import facts_of
from convrepro.models.resnet_cifar import ResNetCifar
from convrepro.models.resnet_imagenet import ResNetImageNet
from convrepro.models.simple_cnn import SimpleCNN

__all__ = [
    "CNN4",
    "DenseNetBC",
    "Dropout",
    "ResNetCifar",
    "ResNetImageNet",
    "SimpleCNN",
    "build",
    "facts_of",
    "num_macs",
    "num_operator_layers",
    "num_parameters",
]
