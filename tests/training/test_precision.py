"""Float32 is float32."""

import pytest
import torch

from convrepro.training.precision import Precision, matrix_precision


@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("tf32", True), ("bfloat16", False)])
def test_tf32_only_where_it_is_asked_for(precision: Precision, allowed: bool) -> None:
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with matrix_precision(precision):
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (allowed, allowed)
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before
