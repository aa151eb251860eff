"""The settings of the disentangled convolution's Table 1f (Kobayashi 2023), and its counts by hand."""

import pytest
import torch

from convrepro.models import num_macs, num_operator_layers, num_parameters
from convrepro.protocols import grid
from convrepro.protocols.grid import PlannedTable
from convrepro.protocols.network import build_network
from convrepro.protocols.schema import Config

Cell = tuple[str, int | None]  # model, envelope size or None for the plain network

BASELINES = {"resnet50": 4_089_184_256, "resnet50_stride1x1": 3_857_973_248}
# Channels and side of what is smoothed before a convolution that reads all of it, and before one that is 1x1 with a
# stride of 2: along the rows every second column is computed, then along the columns every second row.
EVERYWHERE = {"resnet50": [(3, 224), (128, 56), (256, 28), (512, 14)], "resnet50_stride1x1": [(3, 224)]}
SAMPLED = {
    "resnet50": [(256, 56), (512, 28), (1024, 14)],
    "resnet50_stride1x1": 2 * [(256, 56), (512, 28), (1024, 14)],
}


@pytest.fixture(scope="module")
def planned() -> PlannedTable:
    return grid.plan("disentangled_table1f")


@pytest.fixture(scope="module")
def configs(planned: PlannedTable) -> dict[Cell, Config]:
    def key(config: Config) -> Cell:
        return config.model["name"], config.conv.get("envelope_size")

    return {key(config): config for config in planned.configs.values()}


def test_the_grid(planned: PlannedTable, configs: dict[Cell, Config]) -> None:
    assert set(configs) == {(model, taps) for model in BASELINES for taps in (None, 9, 3)}
    assert (planned.table.metric, planned.table.num_seeds, planned.table.baseline) == ("num_macs", 3, "standard")
    for config in configs.values():
        assert (config.dataset.name, config.dataset.image_size) == ("imagenet", [224, 224])
        if config.conv["name"] == "disentangled":  # Sec. 3.1: env -> conv, one learned sigma per channel
            assert (config.conv["placement"], config.conv["order"]) == ("downsizing", "env_conv")
            assert (config.conv["shared_sigma"], config.conv["fixed_sigma"]) == (False, None)


@pytest.mark.parametrize("model", BASELINES)
@pytest.mark.parametrize("taps", [None, 9, 3])
def test_macs_by_hand(configs: dict[Cell, Config], model: str, taps: int | None) -> None:
    with torch.device("meta"):
        network = build_network(configs[model, taps])
    everywhere = sum(2 * channels * side**2 for channels, side in EVERYWHERE[model])
    sampled = sum((1 / 2 + 1 / 4) * channels * side**2 for channels, side in SAMPLED[model])
    assert num_macs(network, (3, 224, 224)) == BASELINES[model] + (taps or 0) * (everywhere + sampled)
    assert num_operator_layers(network) == (7 if taps else 0)


@pytest.mark.parametrize("model", BASELINES)
def test_one_sigma_per_smoothed_channel(configs: dict[Cell, Config], model: str) -> None:
    """Sec. 2.2: C additional parameters a layer."""
    with torch.device("meta"):
        plain, smoothed = (num_parameters(build_network(configs[model, taps])) for taps in (None, 9))
    assert smoothed - plain == sum(channels for channels, _ in EVERYWHERE[model] + SAMPLED[model])
