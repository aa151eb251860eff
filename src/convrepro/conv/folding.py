"""Whole networks with their operators replaced by plain layers."""

import copy

import torch
from torch import nn

from convrepro.conv.factory import OperatorLayer, latent_into_batch
from convrepro.conv.plain import NotFoldable

# Shapes: B batch, O output channels, H W image, L latent positions.


class LatentIntoBatch(nn.Module):
    """``(B, O, L, H, W)`` to ``(B * L, O, H, W)``, as ``OperatorLayer`` does it."""

    def forward(self, y_BOLHW: torch.Tensor) -> torch.Tensor:
        return latent_into_batch(y_BOLHW)


def fold(model: nn.Module) -> nn.Module:
    """A copy in eval mode that computes the same with ordinary layers of ``torch.nn`` in place of every operator.

    An operator is a module with a method ``to_conv2d``; ``model`` may be one itself. Generated kernels become
    weights, so that the folded network costs what its convolutions cost, and exports anywhere. A latent axis, where
    an operator creates one, is an ``nn.Unflatten`` behind its convolution, and in a network's ``OperatorLayer`` is
    moved into the batch. An operator that stands in several places stands in them as one layer again.

    Operators whose weights depend on the image (``NotFoldable``) stay what they are. Hooks on operators do not go
    into the copy. ``model`` itself is left as it is, and shares no weights with the copy.
    """
    return _folded(copy.deepcopy(model), {}).eval()


def _folded(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """The module, or what takes its place; ``done`` has what took the place of those that were met before."""
    if module not in done:
        done[module] = _replacement(module, done)
    return done[module]


def _replacement(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    if isinstance(module, OperatorLayer):
        operator = _folded(module.operator, done)
        return _chain(operator, LatentIntoBatch()) if module.has_latent_axis else operator
    if hasattr(module, "to_conv2d"):
        try:
            return _plain(module)
        except NotFoldable:
            return module
    for name, child in list(module._modules.items()):  # named_children() leaves out a child's second name
        if child is not None:
            setattr(module, name, _folded(child, done))
    return module


def _plain(operator: nn.Module) -> nn.Module:
    plain: nn.Module = operator.to_conv2d()  # type: ignore[operator]
    if not hasattr(operator, "count_latent"):
        return plain
    return _chain(plain, nn.Unflatten(-3, (operator.out_channels, operator.num_latent)))  # type: ignore[arg-type]


def _chain(*modules: nn.Module) -> nn.Sequential:
    """The modules in order, those of a chain one by one."""
    layers = [layer for module in modules for layer in (module if isinstance(module, nn.Sequential) else [module])]
    return nn.Sequential(*layers)
