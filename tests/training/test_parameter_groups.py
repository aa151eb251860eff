"""Groups of parameters for an optimizer."""

import torch
from torch import nn

from convrepro.conv import AdaptiveConv2d
from convrepro.training import parameter_groups


def _network() -> nn.Module:
    return nn.Sequential(AdaptiveConv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def test_nothing_asked_is_the_parameters_as_they_are() -> None:
    network = _network()
    assert [id(found) for found in parameter_groups(network)] == [id(own) for own in network.parameters()]


def test_apertures_have_a_rate_of_their_own() -> None:
    network = _network()
    optimizer = torch.optim.SGD(parameter_groups(network, sigma_learning_rate=0.1), lr=0.5, weight_decay=0.01)
    others, apertures = optimizer.param_groups
    assert [parameter is network[0].sigma for parameter in apertures["params"]] == [True]
    assert (others["lr"], apertures["lr"], apertures["weight_decay"]) == (0.5, 0.1, 0.01)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))


def test_only_the_weights_of_convolutions_and_linear_layers_decay() -> None:
    """Tek et al. 2021's code: Keras' l2 of kernels, not of the apertures; fastai: neither norms nor biases."""
    network = _network()
    groups = parameter_groups(network, sigma_learning_rate=0.1, only_kernels_decay=True)
    optimizer = torch.optim.SGD(groups, lr=0.5, weight_decay=0.01)
    decay = {id(one): group["weight_decay"] for group in optimizer.param_groups for one in group["params"]}
    decayed = {name for name, one in network.named_parameters() if decay[id(one)]}
    assert decayed == {"0.weight", "3.weight"}
    assert len(decay) == len(list(network.parameters()))


def test_a_network_without_apertures_has_no_group_of_them() -> None:
    network = nn.Linear(2, 2)
    assert [len(group["params"]) for group in parameter_groups(network, sigma_learning_rate=0.1)] == [2]
