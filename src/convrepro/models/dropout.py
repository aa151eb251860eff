"""Dropout with random numbers of its own, so that seeds trained together draw what each draws alone."""

import torch
from torch import nn


class Dropout(nn.Dropout):
    """``nn.Dropout`` that draws from a generator which training gives it; without one, from torch's global one.

    Training reseeds that generator at the start of each epoch by seed and epoch. On a CPU the numbers are those that
    ``nn.Dropout`` draws from the global generator after the same seed.

    Args:
        p: probability of an element to become zero, in [0, 1].

    Shape:
        any to the same.

    Raises:
        ValueError: if ``p`` lies outside [0, 1].
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)
        self._generator: torch.Generator | None = None

    def set_generator(self, generator: torch.Generator) -> None:
        """Draws from ``generator``, on the device of what it will be called with, from now on."""
        self._generator = generator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return x
        if self.p == 1.0:
            return x * 0.0
        kept = torch.empty_like(x).bernoulli_(1.0 - self.p, generator=self._generator)
        return x * kept.div_(1.0 - self.p)
