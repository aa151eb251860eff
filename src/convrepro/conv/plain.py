"""Plain convolutions with given weights: what operators become when they are folded."""

from typing import Any, cast

import torch
from torch import nn

# Shapes: C channels, K taps, O output channels, I = input channels / groups.


class NotFoldable(ValueError):
    """No fixed convolution computes the layer: its weights depend on the image."""


def conv2d_like(layer: nn.Conv2d, weight_OIKK: torch.Tensor, bias_O: torch.Tensor | None) -> nn.Conv2d:
    """An ``nn.Conv2d`` with the geometry of ``layer`` and copies of the given weights."""
    geometry: dict[str, Any] = {
        name: getattr(layer, name) for name in ("stride", "padding", "dilation", "groups", "padding_mode")
    }
    return conv2d_with(layer.in_channels, weight_OIKK, bias_O, **geometry)


def depthwise_conv2d(
    weight_CKK: torch.Tensor, *, stride: tuple[int, int] = (1, 1), padding_mode: str, bias_C: torch.Tensor | None = None
) -> nn.Conv2d:
    """One kernel of odd sides per channel, centred: ``(N, C, H, W)`` to ``(N, C, ceil(H / s), ceil(W / s))``."""
    num_channels, height, width = weight_CKK.shape
    return conv2d_with(
        num_channels,
        weight_CKK.unsqueeze(1),
        bias_C,
        stride=stride,
        padding=(height // 2, width // 2),
        groups=num_channels,
        padding_mode=padding_mode,
    )


@torch.no_grad()
def conv2d_with(in_channels: int, weight_OIKK: torch.Tensor, bias_O: torch.Tensor | None, **geometry: Any) -> nn.Conv2d:
    """An ``nn.Conv2d`` with copies of the given weights; ``geometry`` are its other arguments."""
    out_channels, kernel_size = weight_OIKK.shape[0], cast(tuple[int, int], tuple(weight_OIKK.shape[2:]))
    made: dict[str, Any] = geometry | {"device": weight_OIKK.device, "dtype": weight_OIKK.dtype}
    plain = nn.utils.skip_init(nn.Conv2d, in_channels, out_channels, kernel_size, bias=bias_O is not None, **made)  # type: ignore[no-untyped-call]
    assert isinstance(plain, nn.Conv2d)
    plain.weight.copy_(weight_OIKK)
    if plain.bias is not None:
        plain.bias.copy_(cast(torch.Tensor, bias_O))
    return plain
