"""What networks know of convolutions: how to make one, and how many latent positions it creates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from convrepro import targets
from convrepro.conv import arguments

# Shapes: B batch, C input channels, O output channels, H W image, L latent positions.

NOT_ARGUMENTS = (
    "about",
    "name",
    "placement",
    "_target_",
)  # keys of a conv config that the operator never sees
_GIVEN_BY_CODE = (
    "in_channels",
    "out_channels",
    "kernel_size",
    "stride",
    "padding",
    "bias",
    "device",
    "dtype",
)


class ConvFactory(Protocol):
    """Makes the convolutions of one role in a network, without bias unless asked: batch normalisation follows."""

    @property
    def num_latent(self) -> int:
        """Latent positions that its convolutions create out of one; 1 for ordinary operators."""

    def __call__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> nn.Module:
        """A convolution ``(B, C, H, W)`` to ``(B * num_latent, O, H', W')``."""


def plain_conv() -> ConvFactory:
    """Ordinary convolutions, initialised by N(0, 2 / (k^2 I)), I the input channels of a group (He et al. 2015; DK-CNN,
    Sec. 3.8). A bias starts at 0.
    """
    return _PlainConv()


def operator_conv(conv_config: Mapping[str, Any], plugins: Sequence[str] = ()) -> ConvFactory:
    """Convolutions by the operator that a conv config names.

    An operator takes the arguments of ``nn.Conv2d`` and its own by keyword, and initialises itself. One that
    creates latent positions returns ``(B, O, L, H', W')`` and has a static method ``count_latent``, which
    computes L from the operator's keyword arguments, defaults included.

    Args:
        conv_config: ``_target_`` and the operator's keyword arguments; ``about``, ``name`` and ``placement``
            are not the operator's.
        plugins: names of packages outside this one from which ``_target_`` may come.

    Raises:
        ValueError: if the target may not or cannot be imported, or does not take the arguments.
    """
    owner = f"conv {conv_config.get('name', conv_config.get('_target_'))!r}"
    if "_target_" not in conv_config:
        raise ValueError(f"{owner} lacks the key '_target_'.")
    operator = targets.resolve(conv_config["_target_"], plugins, targets.OPERATOR)
    own = {key: value for key, value in conv_config.items() if key not in NOT_ARGUMENTS}
    arguments.check(own, operator, given_by_code=_GIVEN_BY_CODE, owner=owner)
    return _OperatorConv(operator=operator, arguments=own)


class OperatorLayer(nn.Module):
    """A convolution by an operator under study; its latent positions, if any, become images of the batch.

    Shape:
        ``(B, C, H, W)`` to ``(B * L, O, H', W')``; the L positions of one image stand together.
    """

    def __init__(self, operator: nn.Module, *, has_latent_axis: bool) -> None:
        super().__init__()
        self.operator = operator
        self.has_latent_axis = has_latent_axis

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.operator(x_BCHW)
        return latent_into_batch(y) if self.has_latent_axis else y


def latent_into_batch(y_BOLHW: torch.Tensor) -> torch.Tensor:
    """``(B, O, L, H, W)`` to ``(B * L, O, H, W)`` in the same memory format; in NCHW a view."""
    y_BLHWO = y_BOLHW.permute(0, 2, 3, 4, 1)
    return y_BLHWO.flatten(0, 1).permute(0, 3, 1, 2)


@dataclass(frozen=True)
class _PlainConv:
    num_latent: int = 1

    def __call__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> nn.Module:
        conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=bias)
        nn.init.kaiming_normal_(conv.weight, mode="fan_in", nonlinearity="relu")
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        return conv


@dataclass(frozen=True, kw_only=True)
class _OperatorConv:
    operator: Callable[..., nn.Module]
    arguments: Mapping[str, Any]

    @property
    def num_latent(self) -> int:
        if not hasattr(self.operator, "count_latent"):
            return 1
        known = arguments.parameters(self.operator).items()
        defaults = {name: found.default for name, found in known if found.default is not found.empty}
        num_latent: int = self.operator.count_latent(**{**defaults, **self.arguments})
        return num_latent

    def __call__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        groups: int = 1,
        bias: bool = False,
    ) -> nn.Module:
        own = dict(self.arguments)
        if groups != 1 and own.setdefault("groups", groups) != groups:
            raise ValueError(f"`groups` must be left to the network, which has {groups} here, got {own['groups']}.")
        operator = self.operator(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=bias, **own
        )
        return OperatorLayer(operator, has_latent_axis=hasattr(self.operator, "count_latent"))
