"""Clipped gradients against torch-free arithmetic."""

import math

import pytest
import torch
from torch import nn

from convrepro.training import clip_gradients


def _parameters() -> list[nn.Parameter]:
    parameters = [nn.Parameter(torch.zeros(2, dtype=torch.float64)), nn.Parameter(torch.zeros(1, dtype=torch.float64))]
    parameters[0].grad = torch.tensor([3.0, -0.5], dtype=torch.float64)
    parameters[1].grad = torch.tensor([-4.0], dtype=torch.float64)
    return parameters


def _clipped(value: float | None, norm: float | None) -> list[float]:
    parameters = _parameters()
    clip_gradients(value, norm)(parameters)
    return [element for parameter in parameters for element in parameter.grad.tolist()]


@pytest.mark.parametrize(
    ("value", "norm", "expected"),
    [
        (None, None, [3.0, -0.5, -4.0]),
        (1.0, None, [1.0, -0.5, -1.0]),
        (None, 100.0, [3.0, -0.5, -4.0]),
        (None, 1.0, [element / math.sqrt(25.25) for element in (3.0, -0.5, -4.0)]),
        (1.0, 1.0, [element / math.sqrt(2.25) for element in (1.0, -0.5, -1.0)]),
    ],
)
def test_elements_first_then_the_norm(value: float | None, norm: float | None, expected: list[float]) -> None:
    assert _clipped(value, norm) == pytest.approx(expected, rel=1e-5)  # torch adds 1e-6 to the norm
