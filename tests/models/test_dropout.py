"""Dropout from a generator of its own."""

import pytest
import torch
from torch import nn

from convrepro.models import Dropout

X = torch.linspace(-1, 2, 6000).reshape(30, 200)


def test_it_is_torchs_dropout_after_the_same_seed() -> None:
    """Two layers draw from one generator as two of torch's from the global one; gradients too."""
    ours, theirs = (nn.Sequential(kind(0.3), kind(0.5)) for kind in (Dropout, nn.Dropout))
    generator = torch.Generator().manual_seed(7)
    for layer in ours:
        layer.set_generator(generator)
    x, y = (X.clone().requires_grad_() for _ in range(2))
    torch.manual_seed(7)
    expected = theirs(y)
    torch.manual_seed(8)  # of no concern to ours
    found = ours(x)
    assert torch.equal(found, expected)
    found.sum().backward()
    expected.sum().backward()
    assert torch.equal(x.grad, y.grad)


def test_without_a_generator_it_is_torchs_dropout() -> None:
    torch.manual_seed(1)
    expected = nn.Dropout(0.5)(X)
    torch.manual_seed(1)
    assert torch.equal(Dropout(0.5)(X), expected)


def test_in_evaluation_and_at_the_ends() -> None:
    assert torch.equal(Dropout(0.5).eval()(X), X)
    assert torch.equal(Dropout(0.0)(X), X)
    assert not Dropout(1.0)(X).any()


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_a_probability(p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Dropout(p)
