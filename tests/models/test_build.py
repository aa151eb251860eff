from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import DynamicKernelConv2d
from convrepro.models import CNN4, build, num_operator_layers, num_parameters

FASHION_MNIST = {"num_classes": 10, "in_channels": 1, "image_size": [28, 28]}
CIFAR10 = {"num_classes": 10, "in_channels": 3, "image_size": [32, 32]}
CIFAR100 = {"num_classes": 100, "in_channels": 3, "image_size": [32, 32]}
DATASETS = {"fashion_mnist": FASHION_MNIST, "cifar100": CIFAR100, "cifar10": CIFAR10}

# Parameters by dataset as in DATASETS and by conv: standard, dk, dk_first. They round to Tables 6
# and 10, but for DenseNet52 with DK-CNN(OF) on CIFAR-100, a misprint.
COUNTS = {
    "cnn4": [(143_050, 149_898, 156_554), (522_532, 528_740, 535_396), (153_802, 160_010, 166_666)],
    "resnet20": [(272_186, 267_498, 275_562), (278_324, 273_476, 281_540), (272_474, 267_626, 275_690)],
    "resnet32": [(466_618, 456_554, 469_994), (472_756, 462_532, 475_972), (466_906, 456_682, 470_122)],
    "densenet40": [(175_690, 175_570, 180_754), (188_092, 187_732, 192_916), (176_122, 175_762, 180_946)],
    "densenet52": [(264_154, 262_306, 269_218), (280_336, 278_248, 285_160), (264_586, 262_498, 269_410)],
}


@pytest.mark.parametrize(
    ("model", "dataset", "conv", "count"),
    [
        (model, dataset, conv, count)
        for model, by_dataset in COUNTS.items()
        for dataset, by_conv in zip(DATASETS, by_dataset, strict=True)
        for conv, count in zip(("standard", "dk", "dk_first"), by_conv, strict=True)
    ],
)
def test_number_of_parameters(model: str, dataset: str, conv: str, count: int) -> None:
    assert num_parameters(build(model=model, conv=conv, dataset=DATASETS[dataset])) == count


@pytest.mark.parametrize(
    ("model", "num_layers"),  # dk: the stem, and one in each of 3 x 3 blocks or 3 x 6 dense layers
    [("cnn4", {"standard": 0, "dk": 2, "dk_first": 1}), ("resnet20", {"dk": 10}), ("densenet40", {"dk": 19})],
)
def test_number_of_operator_layers(model: str, num_layers: dict[str, int]) -> None:
    for conv, expected in num_layers.items():
        assert num_operator_layers(build(model=model, conv=conv, dataset=CIFAR10)) == expected


@pytest.mark.parametrize("change", [{"padding_mode": "reflect"}, {"_target_": "convrepro.conv.DynamicKernelConv2d"}])
def test_an_operator_that_would_land_nowhere_is_refused(change: dict[str, str]) -> None:
    conv = {**config_files.load("conv", "standard"), **change}
    with pytest.raises(
        ValueError, match="must have another `placement` than none: its operator would land in no layer"
    ):
        build(model="cnn4", conv=conv, dataset=CIFAR10)


def test_roles_outside_the_placement_take_ordinary_convolutions() -> None:
    network = build(model="cnn4", conv="dk", dataset=CIFAR10)
    assert isinstance(network, CNN4)
    assert isinstance(network.layer2.conv2, nn.Conv2d)
    assert isinstance(network.layer3.conv3.operator, DynamicKernelConv2d)


def test_plain_convolution_as_operator_gives_the_function_of_the_baseline() -> None:
    torch.manual_seed(0)
    baseline = build(model="resnet20", conv="standard", dataset=CIFAR10)
    operator = build(
        model="resnet20", conv={**config_files.load("conv", "standard"), "placement": "all"}, dataset=CIFAR10
    )
    assert num_operator_layers(operator) == 19
    operator.load_state_dict(dict(zip(operator.state_dict(), baseline.state_dict().values(), strict=True)))
    images_BCHW = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(operator(images_BCHW), baseline(images_BCHW))


@pytest.mark.parametrize("model", config_files.names("model"))
def test_file_says_what_it_is(model: str) -> None:
    config = config_files.load("model", model)
    assert config["name"] == model
    assert config["about"]
    assert config["placements"].keys() >= {"none", "first"}
    assert [name for name, roles in config["placements"].items() if not roles] == ["none"]


def _config(name: str, **changes: Any) -> dict[str, Any]:
    return {**config_files.load("model" if name in COUNTS else "conv", name), **changes}


@pytest.mark.parametrize(
    ("model", "conv", "message"),
    [
        ("resnet2", "dk", r"unknown model 'resnet2'; did you mean 'resnet\d+'\?"),
        ("resnet20", "dk_frist", r"unknown conv 'dk_frist'; did you mean 'dk_first'\?"),
        (_config("resnet20", deph=20), "dk", r"model 'resnet20' takes no key 'deph', did you mean 'depth'\?"),
        (_config("resnet20", conv1=3), "dk", r"model 'resnet20' takes no key 'conv1'"),
        (_config("resnet20", depth="20"), "dk", r"`depth` of model 'resnet20' must be int, got '20'"),
        ({"name": "mine", "placements": {}}, "dk", r"model 'mine' lacks the key '_target_'"),
        (
            {"_target_": "convrepro.models.CNN4"},
            "dk",
            r"model 'convrepro.models.CNN4' lacks the key 'placements'",
        ),
        (
            "cnn4",
            _config("dk", placement="second"),
            r"model 'cnn4' knows the placements all, alternate, downsizing, first, none, got 'second'\.",
        ),
        (
            "cnn4",
            {"name": "dk", "_target_": "torch.nn.Conv2d"},
            r"model 'cnn4' knows the placements .*, got None\.",
        ),
        (
            _config("cnn4", placements={"first": ["conv0"]}),
            _config("dk_first"),
            r"unknown role in placement 'first' of model 'cnn4': 'conv0'; did you mean 'conv\d'\?",
        ),
        (
            _config("cnn4", placements={"first": []}),
            _config("dk_first"),
            r"convrepro\.conv\.DynamicKernelConv2d was placed in 0 layers of CNN4\.",
        ),
        (
            _config("cnn4", filters="${dataset.num_filters}"),
            "dk",
            r"^model config cannot be resolved: .*'dataset\.num_filters' not found\.$",
        ),
    ],
)
def test_mistake(model: Any, conv: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(model=model, conv=conv, dataset=CIFAR10)


def test_target_of_a_plugin_needs_the_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "plugged_in.py").write_text("from torch import nn\n\n\nclass Conv(nn.Conv2d):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    conv = {"name": "mine", "_target_": "plugged_in.Conv", "placement": "first"}
    with pytest.raises(ValueError, match="name your own package in `plugins`"):
        build(model="cnn4", conv=conv, dataset=CIFAR10)
    network = build(model="cnn4", conv=conv, dataset=CIFAR10, plugins=["plugged_in"])
    assert num_operator_layers(network) == 1
