"""In which precision a machine computes; float32 unless it is asked for another."""

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch

Precision = Literal["float32", "tf32", "bfloat16"]


@contextlib.contextmanager
def matrix_precision(precision: Precision) -> Iterator[None]:
    """Within it, CUDA's convolutions and matrix products are float32 proper, or TF32 where that is asked for.

    PyTorch by itself lets convolutions, but not matrix products, be TF32, with 10 bits of mantissa. bfloat16 is the
    learner's: forward passes under autocast, weights and everything else in float32.
    """
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
