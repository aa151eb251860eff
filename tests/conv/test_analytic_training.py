"""What an analytic layer learns, and that it stays finite while it does."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import AnalyticConv2d

WITH_PARAMETERS = ["G", "Lg", "Lt", "Tf", "Ts"]
ALL_KINDS = "G0.2 Lg0.1 Lt0.1 Tf0.2 Ts0.1 M0.1 P0.2"


@pytest.mark.parametrize("symbol", [*WITH_PARAMETERS, "P"])
def test_a_known_filter_is_learned(symbol: str) -> None:
    """From responses alone, starting 2 % away, each kind finds the parameters that made them.

    No farther: where the angle of ``Tf`` passes a point of the grid, that point's sign jumps, and no gradient tells.
    """
    torch.manual_seed(0)
    truth = AnalyticConv2d(1, 6, 7, arrangement=f"{symbol}6", bias=False, dtype=torch.float64)
    ours, x_BCHW = copy.deepcopy(truth), torch.randn(8, 1, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        for values_NP in ours.kernels.values():
            values_NP.mul_(1 + 0.02 * torch.randn_like(values_NP))
        y_BOHW = truth(x_BCHW)
    optimizer = torch.optim.LBFGS(ours.parameters(), max_iter=200, line_search_fn="strong_wolfe", tolerance_change=0)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        error = (ours(x_BCHW) - y_BOHW).square().mean()
        error.backward()
        return error

    optimizer.step(loss)
    # The optimizer stops at a gradient of 1e-7.
    torch.testing.assert_close(ours.kernels[symbol], truth.kernels[symbol], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arrangement", "kernel_size"),
    [*((f"{symbol}1.0", 3) for symbol in WITH_PARAMETERS), (ALL_KINDS, 3), (ALL_KINDS, 1)],
)
def test_training_stays_finite_without_constraints(arrangement: str, kernel_size: int) -> None:
    """200 steps of SGD with learning rate 0.1 and momentum 0.9, batch normalisation behind the layer."""
    torch.manual_seed(0)
    conv = AnalyticConv2d(2, 8, kernel_size, bias=False, arrangement=arrangement)
    network = nn.Sequential(conv, nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    labels_B, x_BCHW = torch.randint(3, (16,)), torch.randn(16, 2, 7, 7)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(200):
        optimizer.zero_grad()
        F.cross_entropy(network(x_BCHW), labels_B).backward()
        optimizer.step()
    assert all(parameter.isfinite().all() for parameter in network.parameters())
    assert network(x_BCHW).isfinite().all()
