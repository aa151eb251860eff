import math

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.benchmarks import comparisons, operators
from convrepro.benchmarks.settings import Settings
from convrepro.conv import DynamicKernelConv2d

ALL = list(comparisons(batch_size=1))


def test_every_operator_has_its_training_step_measured() -> None:
    measured = {comparison.conv for comparison in ALL if comparison.what == "training step"}
    assert measured == set(config_files.names("conv")) - {"standard", "dk_first"}


@pytest.mark.parametrize("name", ["aconv", "acl"])
def test_kernel_generating_operators_are_measured_at_every_size(name: str) -> None:
    sizes = {(c.kernel_size, c.channels) for c in ALL if c.conv == name and c.what == "training step" and c.goal}
    assert sizes == {(kernel_size, channels) for kernel_size in (3, 5, 7, 9) for channels in (32, 64, 128)}


def test_every_operator_with_a_goal_is_there() -> None:
    assert {c.conv for c in ALL if c.goal and c.what == "training step"} == set(operators.AT_MOST)


@pytest.mark.parametrize(
    "comparison", [c for c in ALL if c.kernel_size == 3 and c.channels == 64], ids=lambda c: f"{c.conv}, {c.what}"
)
def test_a_comparison_runs(comparison: operators.Comparison) -> None:
    threads = torch.get_num_threads()
    ratio = comparison.measure(2)
    assert 0.0 < ratio.spread.median < math.inf
    assert torch.get_num_threads() == threads


def test_the_plain_convolution_makes_as_many_maps_as_the_operator() -> None:
    dk = DynamicKernelConv2d(4, 4, 3, padding=1)
    x_BCHW = torch.randn(2, 4, 5, 5)
    plain = operators._plain_with_same_output(dk, 3, 4)
    assert plain(x_BCHW).numel() == dk(x_BCHW).numel()


def test_a_folded_operator_is_compared_with_a_convolution_of_its_own_size() -> None:
    folded = nn.Conv2d(4, 24, 9, padding=4, bias=False)
    plain = operators._plain_with_same_output(folded, 3, 4)
    assert (plain.kernel_size, plain.out_channels, plain.padding) == ((9, 9), 24, (4, 4))


def test_the_short_benchmark_has_operators_with_their_goals(settings: Settings) -> None:
    told: list[float] = []
    rows = operators.rows(settings, told.append)
    assert len(rows) == len(told) == 2
    assert all(row.goal is not None and row.goal.most in (1.05, 1.10, 2.5) for row in rows)
    assert all(len(row.values) == len(row.samples["ours"]) == 2 for row in rows)
