"""The settings of the ACL paper (Cui et al. 2024), number by number, as its Section 4.1 prints them."""

import pytest
import torch
from torch import nn

from convrepro import papers
from convrepro.conv import OperatorLayer
from convrepro.models import facts_of, num_operator_layers
from convrepro.protocols import grid
from convrepro.protocols.grid import PlannedTable
from convrepro.protocols.network import build_network


@pytest.fixture(scope="module")
def planned() -> PlannedTable:
    return grid.plan("acl_compactness")


def test_the_grid_has_the_printed_cells_in_their_order(planned: PlannedTable) -> None:
    printed = [
        number.labels for number in papers.load("analytic_conv_layer").numbers if number.table == "acl_compactness"
    ]
    assert [cell.labels for cell in planned.table.cells] == printed
    assert (planned.table.metric, planned.table.num_seeds, planned.table.margin) == ("compact_factor", 1, 0.0)


def test_the_first_convolution_of_resnet34_becomes_an_acl(planned: PlannedTable) -> None:
    """Sec. 4.1: "3 and 64, respectively, and kernel dimensions of 7 x 7"; 102 classes."""
    config = next(iter(planned.configs.values()))
    with torch.device("meta"):
        network = build_network(config)
    assert num_operator_layers(network) == 1
    (operator,) = (layer.operator for layer in network.modules() if isinstance(layer, OperatorLayer))
    assert isinstance(operator, nn.Conv2d)
    assert (operator.in_channels, operator.out_channels, operator.kernel_size) == (3, 64, (7, 7))
    assert (config.protocol.task, config.dataset.num_classes) == ("count", 102)
    assert (config.dataset.num_train_images, config.dataset.num_test_images) == (1020, 6149)


# Eq. (25) by hand, for the printed cells in their order: parameters that are left of 64 x 3 x 7 x 7 = 9,408.
LEFT = [
    9408,  # 192 x 49
    4956,  # 30 x 4 + 15 + 15 + 30 x 3 + 6 x 2 + 96 x 49
    4962,  # 30 x 4 + 15 + 15 + 36 x 3 + 96 x 49
    2766,  # 72 x 4 + 30 + 15 + 27 x 3 + 48 x 49
    498,  # 60 x 4 + 24 + 27 + 45 x 3 + 36 x 2
    606,  # 120 x 4 + 30 + 15 + 27 x 3
    0,
    *(4962, 4962),
    4842,  # exp3 without 30 x 4
    4947,  # exp3 without 15
    4947,  # exp3 without 15
    4854,  # exp3 without 36 x 3
    258,  # exp3 without 96 x 49
    4704,  # 96 x 49
    768,  # 192 x 4
    *(192, 192),
    576,  # 192 x 3
]


def test_compact_factor_of_every_arrangement(planned: PlannedTable) -> None:
    factors = []
    for cell in planned.table.cells:
        with torch.device("meta"):
            factors.append(facts_of(build_network(planned.configs[cell.run_id]))["compact_factor"])
    assert factors == pytest.approx([1 - left / 9408 for left in LEFT], abs=1e-12)
