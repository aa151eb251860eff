"""One learner trained by several processes, each with a share of every batch: its steps are those of one process.

Torch's ``DistributedDataParallel`` averages the gradients; batch normalisation uses the statistics of whole batches.
Where no processes are joined, every function is that of a world of one. All processes must call those that join values,
as often and in the same order.
"""

# Shapes: B batch of this process, C channels, X the other axes of an image.

import contextlib
import datetime
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from convrepro import interruption
from convrepro.data.loader import Batch, EpochBatches

_SECONDS_BETWEEN_LOOKS = 0.05


@contextlib.contextmanager
def initialised(
    rank: int,
    world_size: int,
    store_path: Path,
    *,
    device: torch.device = torch.device("cpu"),  # noqa: B008
    timeout_seconds: float = 1800.0,
    while_waiting: Callable[[], None] = interruption.check,
) -> Iterator[None]:
    """Within it, this process is one of those that train a learner together; make the learner within it, too.

    Args:
        rank: number of this process, from 0; that of number 0 alone writes files.
        world_size: how many processes there are.
        store_path: a file that does not exist, the same for all of them and for nothing else, by which they meet.
        device: of this process's learner; with its index if it is a GPU, which no other process may have.
        timeout_seconds: that the others are waited for, such as for a checkpoint.
        while_waiting: called now and then until all are there; what it raises ends the waiting.
    """
    store = dist.FileStore(str(store_path), world_size)  # type: ignore[attr-defined]
    store.set(f"here {rank}", "")
    while not store.check([f"here {other}" for other in range(world_size)]):
        while_waiting()
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=rank,
        world_size=world_size,
        timeout=datetime.timedelta(seconds=timeout_seconds),
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """How many processes train a learner together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process among them, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def check(num_learners: int, backend: str, num_images: int, batch_size: int) -> None:
    """Raises ValueError if several processes cannot train learners in this way."""
    num_ranks, num_last = world_size(), num_images % batch_size or batch_size
    if num_ranks == 1:
        return
    if num_learners > 1 or backend != "loop":
        raise ValueError(f"{num_ranks} devices train one seed at a time by the back-end loop; take one, or one device.")
    if num_last < num_ranks:
        raise ValueError(
            f"`recipe.batch_size` {batch_size} leaves {num_last} of {num_images} training images to the last batch, "
            f"too few for {num_ranks} devices; take another."
        )


def forward_of(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    """What a learner calls: ``network``, or a module around it that averages gradients over all processes.

    Its batch normalisation is changed in place; the names of its parameters stay, and its weights become those of the
    first process.
    """
    if world_size() == 1:
        return network
    normalise_whole_batches(network)
    device = next(network.parameters()).device
    # Evaluations are of unequal length: buffers, which are equal, must not be sent in them. Torch 2.13 renamed this.
    known = inspect.signature(DistributedDataParallel).parameters
    keywords: Any = {"forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False}
    return DistributedDataParallel(network, device_ids=[device] if device.type == "cuda" else None, **keywords)


def normalise_whole_batches(network: nn.Module) -> None:
    """Makes batch normalisation that of the batches of all processes, in place."""
    for layer in network.modules():
        if type(layer) in _OF_WHOLE_BATCHES:
            layer.__class__ = _OF_WHOLE_BATCHES[type(layer)]  # adds no state: as in ``models.freeze_features``


def own_share(batches: EpochBatches, start: int, stop: int) -> tuple[Batch, float]:
    """This process's part of images ``start`` to ``stop``, and what makes its mean loss one of the whole batch.

    The mean over all processes of their losses times these factors is the mean over all images.
    """
    num_ranks, stop = world_size(), min(stop, batches.loader.num_images)
    if num_ranks == 1:
        return batches.images(start, stop), 1.0
    first, end = (start + (stop - start) * number // num_ranks for number in (rank(), rank() + 1))
    factor = (end - first) * num_ranks / (stop - start)
    if batches.loader.split.stays_in is None:
        return batches.images(first, end), factor
    x_BCHW, targets = batches.images(start, stop)  # a file is read ahead by whole batches
    return (x_BCHW[first - start : end - start], targets[first - start : end - start]), factor


def own_batches(batches: Iterable[Batch]) -> Iterator[Batch]:
    """This process's part of an evaluation's batches; raises ``Interrupted`` between them if any process is to stop."""
    num_ranks, own = world_size(), rank()
    for number, batch in enumerate(batches):
        if number % num_ranks == 0:
            check_interruption()
        if number % num_ranks == own:
            yield batch


def check_interruption() -> None:
    """Raises ``Interrupted`` in all processes if any of them is to stop."""
    try:
        interruption.check()
        number = 0
    except interruption.Interrupted as asked:
        number = asked.number
    if number := int(largest([number])[0]):
        raise interruption.Interrupted(number)


def total(values: torch.Tensor) -> torch.Tensor:
    """Their sums over all processes."""
    return _joined(values, dist.ReduceOp.SUM)


def least(values: torch.Tensor) -> torch.Tensor:
    """The least in any process."""
    return _joined(values, dist.ReduceOp.MIN)


def largest(values: Sequence[float]) -> list[float]:
    """The largest in any process."""
    if world_size() == 1:
        return list(values)
    found: list[float] = _joined(torch.tensor(values, dtype=torch.float64), dist.ReduceOp.MAX).tolist()
    return found


def of_all(values: torch.Tensor) -> list[torch.Tensor]:
    """Those of each process, by its number, on the CPU; all are of one shape."""
    if world_size() == 1:
        return [values]
    own = values.to(_device())
    found = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(found, own)
    return [tensor.cpu() for tensor in found]


def _joined(values: torch.Tensor, operation: dist.ReduceOp.RedOpType) -> torch.Tensor:
    if world_size() == 1:
        return values
    joined = values.to(_device(), copy=True)
    dist.all_reduce(joined, operation)
    return joined.to(values.device)


def _device() -> torch.device:
    """Where the processes' values meet."""
    return torch.device("cuda", torch.cuda.current_device()) if dist.get_backend() == "nccl" else torch.device("cpu")


class _Total(torch.autograd.Function):
    """``total``; what any process does with it counts in the gradient of each."""

    @staticmethod
    def forward(_ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return total(values)

    @staticmethod
    def backward(_ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return total(gradient)


def _differentiable_total(values: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = _Total.apply(values)  # type: ignore[no-untyped-call]
    return found


class _OfWholeBatches(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation by the mean and variance over the batches of all processes, in training."""

    def forward(self, x_BCX: torch.Tensor) -> torch.Tensor:
        if not self.training and self.running_mean is not None:
            return super().forward(x_BCX)
        self._check_input_dim(x_BCX)  # type: ignore[no-untyped-call]
        exact_BCX = x_BCX.to(torch.promote_types(x_BCX.dtype, torch.float32))
        axes = [axis for axis in range(x_BCX.ndim) if axis != 1]
        by_channel = (-1, *[1] * (x_BCX.ndim - 2))
        num_values = total(torch.tensor([x_BCX.numel() / x_BCX.shape[1]], dtype=torch.float64)).item()
        mean_C = _differentiable_total(exact_BCX.sum(axes)) / num_values
        centred_BCX = exact_BCX - mean_C.view(by_channel)
        variance_C = _differentiable_total(centred_BCX.square().sum(axes)) / num_values
        self._note(mean_C.detach(), variance_C.detach() * (num_values / max(1.0, num_values - 1.0)))
        factor_C, shift_C = torch.rsqrt(variance_C + self.eps), torch.zeros_like(mean_C)
        if self.affine:
            factor_C, shift_C = factor_C * self.weight, self.bias
        normalised_BCX: torch.Tensor = centred_BCX * factor_C.view(by_channel) + shift_C.view(by_channel)
        return normalised_BCX.to(x_BCX.dtype)

    @torch.no_grad()
    def _note(self, mean_C: torch.Tensor, variance_C: torch.Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        momentum = 1.0 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean_C.to(self.running_mean), momentum)
        self.running_var.lerp_(variance_C.to(self.running_var), momentum)


class _OfWholeBatches1d(_OfWholeBatches, nn.BatchNorm1d):
    pass


class _OfWholeBatches2d(_OfWholeBatches, nn.BatchNorm2d):
    pass


_OF_WHOLE_BATCHES: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: _OfWholeBatches1d,
    nn.BatchNorm2d: _OfWholeBatches2d,
}
