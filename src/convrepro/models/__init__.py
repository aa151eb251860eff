"""Networks that take their convolutions from outside, and what they cost."""

from convrepro.models.acl_cnn4 import AclCNN4
from convrepro.models.build import build
from convrepro.models.cnn4 import CNN4
from convrepro.models.cost import num_macs, num_operator_layers, num_parameters
from convrepro.models.densenet_bc import DenseNetBC
from convrepro.models.dropout import Dropout
from convrepro.models.facts import facts_of
from convrepro.models.filter_bank import FilterBank
from convrepro.models.frozen import freeze_features
from convrepro.models.initialisation import initialise
from convrepro.models.lenet import LeNet
from convrepro.models.pretrained import load_pretrained, load_weights, published_file
from convrepro.models.resnet_cifar import ResNetCifar
from convrepro.models.resnet_concatenating import ResNetConcatenating
from convrepro.models.resnet_imagenet import ResNetImageNet
from convrepro.models.simple_cnn import SimpleCNN
from convrepro.models.torchvision_network import TorchvisionNetwork
from convrepro.models.unet import UNet

__all__ = [
    "CNN4",
    "AclCNN4",
    "DenseNetBC",
    "Dropout",
    "FilterBank",
    "LeNet",
    "ResNetCifar",
    "ResNetConcatenating",
    "ResNetImageNet",
    "SimpleCNN",
    "TorchvisionNetwork",
    "UNet",
    "build",
    "facts_of",
    "freeze_features",
    "initialise",
    "load_pretrained",
    "load_weights",
    "num_macs",
    "num_operator_layers",
    "num_parameters",
    "published_file",
]
