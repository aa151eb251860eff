"""Networks, recipes and tables of ACONV's Secs. 4.1, 4.3, 4.4 and 4.5 and of ACL's Secs. 4.2 and 6.2, as printed."""

import pytest

from convrepro import config_files
from convrepro.protocols import grid


@pytest.mark.parametrize(("name", "num_blocks"), [("aconv_resnet8", 1), ("aconv_resnet14", 2), ("aconv_resnet20", 3)])
def test_residual_networks_are_those_of_table_1(name: str, num_blocks: int) -> None:
    """Depth 6 n + 2; a dropout only on MNIST, which a table asks for."""
    config = config_files.load("model", name)
    assert name == f"aconv_resnet{6 * num_blocks + 2}"
    assert (config["num_blocks"], config["widths"], config["dropout"]) == (num_blocks, [16, 32, 64], 0.0)
    assert config["placements"]["all"] == ["stem_conv", "conv1", "downsizing_conv", "conv2"]


def test_only_the_first_layer_of_the_u_net_is_adaptive() -> None:
    """Sec. 4.4, "We took the first, ordinary convolution layer"."""
    placements = config_files.load("model", "unet")["placements"]
    assert {role for roles in placements.values() for role in roles} == {"stem_conv"}


def test_networks_of_acl_replace_all_their_convolutions() -> None:
    """Sec. 4.2, "its two convolutional layers" and "its four traditional convolutional layers"."""
    assert config_files.load("model", "lenet")["placements"]["all"] == ["conv1", "conv2"]
    assert len(config_files.load("model", "acl_cnn4")["placements"]["all"]) == 4


@pytest.mark.parametrize("name", ["aconv_resnet8", "unet", "lenet", "acl_cnn4", "filter_bank"])
def test_every_placement_of_the_operators_is_known(name: str) -> None:
    assert set(config_files.load("model", name)["placements"]) == {"none", "all", "alternate", "first", "downsizing"}


def test_filters_are_learned_as_in_section_4_1() -> None:
    """Nine 9x9 kernels, SGD 0.1 with momentum 0.9, 500 iterations, apertures clipped to [1/9, 9]."""
    configs = list(grid.plan("aconv_section4_1").configs.values())
    assert {config.conv["name"] for config in configs} == {"standard", "aconv"}
    for config in configs:
        optimizer = config.recipe.optimizer
        assert (optimizer["lr"], optimizer["momentum"], config.recipe.epochs) == (0.1, 0.9, 500)
        assert (config.model["kernel_size"], config.model["num_filters"], config.dataset.num_classes) == (9, 9, 9)
        assert (config.recipe.sigma_clip, config.protocol.task) == (None, "filters")
        assert config.recipe.clip_gradient_value == 1.0  # Algorithm 1
        assert (config.dataset.mean, config.dataset.std) == ([0.0], [1.0])
    assert [config.conv["sigma_init"] for config in configs if config.conv["name"] == "aconv"] == [0.25]


def test_the_image_is_checked_as_mnist_is() -> None:
    image, mnist = (config_files.load("dataset", name) for name in ("image_filters", "mnist"))
    assert (image["files"], image["downloads"]) == (mnist["files"], mnist["downloads"])


def test_steps_are_timed_as_in_section_4_5() -> None:
    """Batches of 128 on MNIST's shape, the simple network, four sizes of kernels with and without envelope."""
    planned = grid.plan("aconv_section4_5")
    assert len(planned.configs) == 8
    for config in planned.configs.values():
        assert (config.recipe.batch_size, config.dataset.image_size) == (128, [28, 28])
        assert config.protocol.task in ("timing", "step_timing")
