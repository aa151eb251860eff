"""Gradients kept within bounds before each step of the optimizer."""

from collections.abc import Callable, Sequence

from torch import nn


def clip_gradients(value: float | None, norm: float | None) -> Callable[[Sequence[nn.Parameter]], None]:
    """Clips each element to [-value, value], then the 2-norm of all gradients together to ``norm``; None does neither.

    Reads nothing back from the device: a norm that is not finite makes the gradients so.
    """

    def clip(parameters: Sequence[nn.Parameter]) -> None:
        if value is not None:
            nn.utils.clip_grad_value_(parameters, value)
        if norm is not None:
            nn.utils.clip_grad_norm_(parameters, norm)

    return clip
