import copy

import pytest
import torch
from torch import nn

from convrepro.conv import CurriculumSmoothingConv2d
from convrepro.models import build, freeze_features, num_parameters
from convrepro.models.frozen import classifier_of

DATASET = {"num_classes": 3, "in_channels": 2, "image_size": [8, 8]}


def _frozen(conv: str = "standard") -> nn.Module:
    torch.manual_seed(0)
    network = build(model="resnet20", conv=conv, dataset=DATASET)
    network(torch.randn(4, 2, 8, 8))  # so that running statistics are not those of the start
    freeze_features(network)
    return network


def test_only_the_last_linear_layer_is_trained() -> None:
    network = _frozen()
    classifier = network.get_submodule(classifier_of(network))
    assert isinstance(classifier, nn.Linear)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert list(map(id, trained)) == list(map(id, classifier.parameters()))
    assert num_parameters(network) == 64 * 3 + 3


def test_of_two_linear_layers_the_last_is_trained() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    freeze_features(network)
    assert classifier_of(network) == "3"
    assert [name for name, one in network.named_parameters() if one.requires_grad] == ["3.weight", "3.bias"]


@pytest.mark.parametrize("copied", [False, True])
def test_features_are_those_of_eval_mode_also_in_training(copied: bool) -> None:
    network = _frozen()
    network = copy.deepcopy(network) if copied else network
    images_BCHW = torch.randn(4, 2, 8, 8)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    in_eval_mode = network.eval()(images_BCHW)
    in_training = network.train()(images_BCHW)
    assert torch.equal(in_training, in_eval_mode)
    assert network.training
    torch.testing.assert_close(dict(network.state_dict()), before, rtol=0, atol=0)  # running statistics too


def test_a_step_changes_the_classifier_and_nothing_else() -> None:
    network = _frozen().train()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=0.1)
    network(torch.randn(4, 2, 8, 8)).square().sum().backward()
    optimizer.step()
    changed = {name for name, values in network.state_dict().items() if not torch.equal(values, before[name])}
    assert changed == {f"{classifier_of(network)}.{kind}" for kind in ("weight", "bias")}


def test_names_in_the_state_dict_stay() -> None:
    plain = build(model="resnet20", conv="standard", dataset=DATASET)
    assert _frozen().state_dict().keys() == plain.state_dict().keys()


def test_smoothing_that_decays_with_the_epochs_stays_where_it_is() -> None:
    network = _frozen("cbs")
    layers = [layer for layer in network.modules() if isinstance(layer, CurriculumSmoothingConv2d)]
    assert layers
    for layer in layers:
        sigma = layer.sigma.clone()
        layer.set_epoch(50)
        assert torch.equal(layer.sigma, sigma)


def test_a_network_without_a_linear_layer() -> None:
    with pytest.raises(ValueError, match="Sequential has no linear layer that could be its classifier"):
        freeze_features(nn.Sequential(nn.Conv2d(1, 1, 1)))
