"""``facts.yaml``."""

import pytest
import torch
from torch import nn

from convrepro import config_files, papers
from convrepro.audits import facts
from convrepro.models import build


def test_data_sets_and_networks_are_those_of_the_configs() -> None:
    known = config_files.names("dataset")
    for name, entry in facts.load()["datasets"].items():
        assert name in known
        config = config_files.load("dataset", name)
        if "num_test_images" in config:
            assert config["num_test_images"] == entry["test_images"], name
        assert config["num_classes"] == entry["num_classes"], name
    assert facts.load()["networks"].keys() <= set(config_files.names("model"))


def test_sentences_name_papers_and_their_tables() -> None:
    for entry in (
        entry for key in ("statements", "sizes_elsewhere", "factors_elsewhere") for entry in facts.load()[key]
    ):
        paper = papers.load(entry["paper"])
        assert entry.get("table", next(iter(paper.tables))) in paper.tables


@pytest.mark.parametrize("model", sorted(facts.load()["first_convolutions"]))
def test_first_convolutions_are_those_of_the_networks(model: str) -> None:
    expected = facts.load()["first_convolutions"][model]
    with torch.device("cpu" if model.startswith("regnet") else "meta"):  # its constructor reads values of tensors
        network = build(
            model=model, conv="standard", dataset={"num_classes": 10, "in_channels": 3, "image_size": [224, 224]}
        )
    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    assert first.kernel_size == (expected["kernel_size"],) * 2
    assert first.in_channels * first.out_channels == expected["num_kernels"]


def test_what_is_not_known_is_none() -> None:
    assert facts.num_test_images("my_set") is None
    assert facts.network_size("my_net", "mnist", "standard") is None
    assert facts.network_size("cnn4", "mnist", "acl") is None
    assert facts.network_size("simple_cnn", "mnist", "standard") is None  # its kernel size is not said
