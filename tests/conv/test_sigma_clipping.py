"""Apertures stay in their range under every optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import AdaptiveConv2d, clip_after_step

Optimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]

OPTIMIZERS: list[Optimizer] = [
    lambda parameters: torch.optim.SGD(parameters, lr=0.5, momentum=0.9),
    lambda parameters: torch.optim.Adam(parameters, lr=0.5),
    lambda parameters: torch.optim.LBFGS(parameters, lr=0.5, max_iter=5),
]
NAMES = ["SGD", "Adam", "LBFGS with a closure"]


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(AdaptiveConv2d(2, 3, 3), nn.ReLU(), AdaptiveConv2d(3, 4, 5), nn.Conv2d(4, 2, 1))


def _step(optimizer: torch.optim.Optimizer, network: nn.Sequential) -> None:
    """One step that pushes every sigma far down: the loss is their weighted sum."""

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss: Any = 10 * (network[0].sigma.sum() + network[2].sigma.sum())
        loss.backward()
        return loss

    optimizer.step(closure)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", OPTIMIZERS, ids=NAMES)
@pytest.mark.parametrize(("clip_range", "lowest"), [(None, (1 / 3, 1 / 5)), ([0.05, 2.0], (0.05, 0.05))])
def test_every_step_ends_in_the_range(
    make: Optimizer, clip_range: list[float] | None, lowest: tuple[float, float]
) -> None:
    network = _network()
    optimizer = make(network.parameters())
    clip_after_step(optimizer, network, clip_range)
    _step(optimizer, network)
    assert network[0].sigma.tolist() == pytest.approx([lowest[0]] * 3)
    assert network[2].sigma.tolist() == pytest.approx([lowest[1]] * 4)


def test_the_upper_end_too() -> None:
    network = _network()
    optimizer = torch.optim.SGD(network.parameters(), lr=10.0, maximize=True)
    clip_after_step(optimizer, network)
    _step(optimizer, network)
    assert network[0].sigma.tolist() == [3.0] * 3
    assert network[2].sigma.tolist() == [5.0] * 4


def test_removing_the_handle_ends_it() -> None:
    network = _network()
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    clip_after_step(optimizer, network).remove()
    _step(optimizer, network)
    assert (network[0].sigma < 0).all()


def test_a_network_without_apertures_is_left_alone() -> None:
    network = nn.Sequential(nn.Conv2d(2, 3, 3))
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    clip_after_step(optimizer, network)
    before = network[0].weight.clone()
    network[0].weight.grad = torch.ones_like(before)
    optimizer.step()
    torch.testing.assert_close(network[0].weight, before - 1)


@pytest.mark.parametrize("clip_range", [(3.0, 1.0), (-3.0, 1.0), (0.0, 1.0), (1.0,), (1.0, 2.0, 3.0)])
def test_a_range_that_is_none_is_refused(clip_range: tuple[float, ...]) -> None:
    conv = AdaptiveConv2d(1, 2, 3)
    optimizer = torch.optim.SGD(conv.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"`clip_range` must be two rising positive numbers, got \("):
        clip_after_step(optimizer, conv, clip_range)
