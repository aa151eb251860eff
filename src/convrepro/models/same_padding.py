"""The padding that Keras and TensorFlow call 'same': ``ceil(size / stride)`` positions, the odd pixel at the end."""

import torch
import torch.nn.functional as F
from torch import nn


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Pixels before and after ``size`` of them, so that ``ceil(size / stride)`` windows fit.

    The rule is TensorFlow's: in all ``max((ceil(size / stride) - 1) stride + kernel_size - size, 0)``, of which the
    smaller half stands before. With a stride of 2 an even size gets (0, 1) for a side of 3, (2, 3) for 7.
    """
    num_windows = -(-size // stride)
    total = max((num_windows - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


class SamePadding(nn.Module):
    """Pads images for the convolution or pooling without padding of its own that follows.

    Args:
        kernel_size: side of the windows that follow.
        stride: their distance.
        value: of the padding; ``-math.inf`` before a max-pool.

    Shape:
        ``(B, C, H, W)`` to ``(B, C, H + pad, W + pad)``, the padding as ``same_padding`` has it for each side.
    """

    def __init__(self, kernel_size: int, stride: int = 1, *, value: float = 0.0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.value = kernel_size, stride, value

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        top, bottom = same_padding(x_BCHW.shape[2], self.kernel_size, self.stride)
        left, right = same_padding(x_BCHW.shape[3], self.kernel_size, self.stride)
        return F.pad(x_BCHW, (left, right, top, bottom), value=self.value)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, value={self.value}"
