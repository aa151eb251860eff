"""Apertures kept in their range (Tek, Çam, Karlı 2021, Sec. 3.3 and Algorithm 1), whatever the optimizer."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle


def clip_after_step(
    optimizer: torch.optim.Optimizer, network: nn.Module, clip_range: Sequence[float] | None = None
) -> RemovableHandle:
    """Clips the sigma of every layer that has ``clip_sigma_`` after each step of the optimizer.

    Args:
        optimizer: of any kind; one that evaluates its closure more than once is clipped when its step is over.
        network: whose layers are clipped, those that it has now; it may have none.
        clip_range: lowest and highest sigma; None for each layer's own default.

    Returns:
        A handle with ``remove()``, which ends the clipping.

    Raises:
        ValueError: if ``clip_range`` is not two rising positive numbers.
    """
    if clip_range is not None and (len(clip_range) != 2 or not 0 < clip_range[0] <= clip_range[1]):
        raise ValueError(f"`clip_range` must be two rising positive numbers, got {clip_range}.")
    low, high = clip_range if clip_range is not None else (None, None)
    layers: list[Any] = [layer for layer in network.modules() if hasattr(layer, "clip_sigma_")]

    def clip(*_: Any) -> None:
        for layer in layers:
            layer.clip_sigma_(low, high)

    return optimizer.register_step_post_hook(clip)
