"""Each parametric family finds its own parameters again from data that it made, from its usual start."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from convrepro.conv import (
    AdaptiveAttentionConv2d,
    DepthwiseFilteredConv2d,
    DisentangledConv2d,
    LocalSqueezeExcitationConv2d,
    MultiplicativeEnvelopeConv2d,
    ParametricAttentionConv2d,
    ProjectedConv2d,
)

# What the data decide of a layer's own parameters.
FAMILIES: dict[type[nn.Conv2d], Callable[[Any], torch.Tensor]] = {
    AdaptiveAttentionConv2d: lambda conv: conv.neighbour_weight,
    DepthwiseFilteredConv2d: lambda conv: conv.column_weight.unsqueeze(2) * conv.row_weight.unsqueeze(1),
    DisentangledConv2d: lambda conv: conv.sigma_raw,
    LocalSqueezeExcitationConv2d: lambda conv: conv.alpha,
    MultiplicativeEnvelopeConv2d: lambda conv: conv.sigma_raw,
    ParametricAttentionConv2d: lambda conv: conv.attention_logits - conv.attention_logits.mean(),
    ProjectedConv2d: lambda conv: conv.projection_weight,
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_own_parameters_are_recovered_from_the_data_that_they_made(family: type[nn.Conv2d]) -> None:
    """The kernels are given; least squares by L-BFGS."""
    torch.manual_seed(0)
    own = {} if family is MultiplicativeEnvelopeConv2d else {"envelope_size": 5}
    teacher, student = (family(3, 4, 3, padding=1, dtype=torch.float64, **own) for _ in range(2))
    kernels = {"weight", "bias"}
    student.load_state_dict({key: teacher.state_dict()[key] for key in kernels}, strict=False)
    learned = [parameter for key, parameter in student.named_parameters() if key not in kernels]
    with torch.no_grad():
        for key, parameter in teacher.named_parameters():
            if key not in kernels:
                parameter.add_(torch.randn_like(parameter))
    x_NCHW = torch.randn(4, 3, 12, 12, dtype=torch.float64)
    y_NOHW = teacher(x_NCHW).detach()
    optimizer = torch.optim.LBFGS(
        learned, max_iter=300, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=1e-16
    )

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        loss: torch.Tensor = (student(x_NCHW) - y_NOHW).square().sum()
        loss.backward()
        return loss

    started = FAMILIES[family](student).detach().clone()
    optimizer.step(loss)
    found, made = FAMILIES[family](student), FAMILIES[family](teacher)
    assert (started - made).abs().max() > 0.1
    torch.testing.assert_close(found, made, rtol=0, atol=1e-5)
