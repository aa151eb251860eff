"""What a network costs: parameters, multiply-accumulates, and how many layers the operator has."""

from collections.abc import Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convrepro.conv import OperatorLayer


def num_parameters(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def num_macs(module: nn.Module, input_size_CHW: Sequence[int]) -> int:
    """Multiply-accumulates of the convolutions and matrix products that one image needs, as executed.

    They are what a second image adds to a forward pass. Kernels that are generated from other parameters cost
    the same for any number of images, and nothing once they are fixed: they are not counted. Neither are
    pooling, normalisation and other element-wise work, nor custom operators unknown to torch's counter.
    """
    one, two = (_flops_of_batch(module, (num_images, *input_size_CHW)) for num_images in (1, 2))
    return (two - one) // 2  # a multiply-accumulate is two operations


def num_operator_layers(module: nn.Module) -> int:
    """Layers that took the operator under study."""
    return sum(isinstance(layer, OperatorLayer) for layer in module.modules())


def _flops_of_batch(module: nn.Module, size_BCHW: Sequence[int]) -> int:
    some_parameter = next(module.parameters())
    images_BCHW = torch.zeros(*size_BCHW, dtype=some_parameter.dtype, device=some_parameter.device)
    was_training = {layer: layer.training for layer in module.modules()}
    try:
        module.eval()  # running statistics stay what they are
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(images_BCHW)
    finally:
        for layer, training in was_training.items():
            layer.training = training
    return int(counter.get_total_flops())
