"""Back-end ``streams``: a step of all learners is one CUDA graph, each learner on its own stream.

A step of a small network is some 180 launches of a few microseconds of work each; replaying a graph replaces them by
one, and the learners' work overlaps. Modules and optimizers are those of the loop, unmodified.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from convrepro.data.loader import EpochBatches, EpochLoader
from convrepro.training import cuda_graph
from convrepro.training.learner import Batch, Learner

# Shapes: L learners, S steps of a chunk, B images of a batch, C channels, H W image.

_MAX_STEPS_AT_ONCE = 64
_MAX_IMAGE_BYTES = 1 << 28  # of the images that lie ready for a learner
_CHECKED = 4  # steps of a chunk, at most, that are run both ways
_WARM_UPS = 3  # eager steps before a capture: libraries choose algorithms, optimizers make their state
CAPTURABLE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)  # state starts at zero: a warm-up can be undone
_DRAW_GLOBALLY = (nn.modules.dropout._DropoutNd, nn.RReLU, nn.FractionalMaxPool2d)
_GENERATOR = "generator"


class Refused(Exception):
    """The steps cannot be captured, or a graph of them computes something else; the learners are as they were."""


class Streams:
    """Runs a chunk as so many replays of a graph; the last, short batch of an epoch has a graph of its own.

    The images of a chunk lie on the device, augmented in bulk; the graph takes the batch that a counter points to.
    After each capture its first steps are run eagerly and by replays from the same state: they must end in the same
    bits. A learner that diverges stays in the graph until the epoch ends, unseen.

    Args:
        tell: called with a learner and its number of finished steps of the epoch, when they are done.
        graph, warm_up, mark: stand in for those of ``cuda_graph`` in tests without a GPU.
    """

    def __init__(
        self,
        tell: Callable[[Learner, int], None],
        *,
        graph: Callable[..., Any] = cuda_graph.CudaGraph,
        warm_up: Callable[[Sequence[cuda_graph.Step], torch.device], None] = cuda_graph.run_on_side_streams,
        mark: Callable[[torch.device], Callable[[], None]] = cuda_graph.mark,
    ) -> None:
        self._tell, self._mark = tell, mark
        self._capture = functools.partial(_Captured, graph=graph, warm_up=warm_up)
        self._learners: list[Learner] = []
        self._batches: list[EpochBatches] = []
        self._captured: dict[int, _Captured] = {}  # by the number of images of a batch
        # steps, what waits for them, and the learners' sums after them
        self._launched: list[tuple[range, Callable[[], None], torch.Tensor]] = []
        self._batch_size = self._num_images = self._steps_at_once = 0

    def start_epoch(self, learners: Sequence[Learner], loader: EpochLoader, epoch: int) -> None:
        """Captures what the epoch needs, if these learners are not those of the last one.

        Raises:
            Refused: if that cannot be done.
        """
        are_new = list(learners) != self._learners  # at first, and when one has diverged
        self._learners, self._batch_size, self._num_images = list(learners), loader.batch_size, loader.num_images
        batch_bytes = 4 * loader.batch_size * math.prod(loader.split.image_shape)
        self._steps_at_once = max(1, min(_MAX_STEPS_AT_ONCE, _MAX_IMAGE_BYTES // batch_bytes))
        self._batches = [loader.epoch(learner.seed, epoch) for learner in learners]
        if are_new:
            self.close()
            num_whole, num_left = divmod(self._num_images, self._batch_size)
            if num_whole:
                self._add_graph(range(min(num_whole, self._steps_at_once)), self._batch_size)
            if num_left:
                self._add_graph(range(num_whole, num_whole + 1), num_left)

    def run(self, steps: range) -> None:
        """Runs these steps of the epoch, which follow those before it."""
        num_whole = self._num_images // self._batch_size
        for start in range(steps.start, min(steps.stop, num_whole), self._steps_at_once):
            self._replay(range(start, min(start + self._steps_at_once, steps.stop, num_whole)), self._batch_size)
        if steps.stop > num_whole:
            self._replay(range(num_whole, steps.stop), self._num_images % self._batch_size)
        if steps.stop * self._batch_size >= self._num_images:
            self.wait()

    def wait(self) -> None:
        """Until the steps that were run are done and told."""
        self._tell_all_but(0)

    def close(self) -> None:
        """Lets go of the graphs and their memory."""
        self._captured = {}

    def _add_graph(self, steps: range, size: int) -> None:
        self._captured[size] = self._capture(self._learners, self._chunk(steps, size), num_steps=len(steps))

    def _replay(self, steps: range, size: int) -> None:
        captured = self._captured[size]
        captured.fill(self._chunk(steps, size))
        for _ in steps:
            captured.replay()
        sums_L6 = torch.stack([learner.train_sums for learner in self._learners]).to("cpu", non_blocking=True)
        self._launched.append((steps, self._mark(self._learners[0].device), sums_L6))
        self._tell_all_but(1)  # the device goes on with these steps while the last ones are waited for

    def _chunk(self, steps: range, size: int) -> list[Batch]:
        start = steps.start * self._batch_size
        return [batches.images(start, start + len(steps) * size) for batches in self._batches]

    def _tell_all_but(self, num_waiting: int) -> None:
        while len(self._launched) > num_waiting:
            steps, wait, sums_L6 = self._launched.pop(0)
            wait()
            for learner, sums_6 in zip(self._learners, sums_L6, strict=True):
                learner.note_divergence(sums_6, steps.stop)
            for step in steps:
                for learner in self._learners:
                    if not learner.reason:
                        self._tell(learner, step + 1)


class _Captured:
    """A graph over batches of one size, and the tensors that it reads: ``num_steps`` batches of each learner."""

    def __init__(
        self,
        learners: Sequence[Learner],
        chunk: Sequence[Batch],
        *,
        num_steps: int,
        graph: Callable[..., Any],
        warm_up: Callable[[Sequence[cuda_graph.Step], torch.device], None],
    ) -> None:
        self._num_steps, self._num_checked, device = num_steps, min(_CHECKED, num_steps), learners[0].device
        self._position = torch.zeros(1, dtype=torch.int64, device=device)
        self._inputs = [(_in_steps(x, num_steps).clone(), _in_steps(labels, num_steps).clone()) for x, labels in chunk]
        steps = [
            functools.partial(self._step, learner, *inputs)
            for learner, inputs in zip(learners, self._inputs, strict=True)
        ]
        before = [_snapshot(learner) for learner in learners]

        def run_eagerly() -> None:
            warm_up(steps, device)
            self._advance()

        try:
            for _ in range(_WARM_UPS):
                run_eagerly()
            eager = self._after_some_steps(run_eagerly, learners, before)
            generators = [learner.generator for learner in learners if learner.draws]
            self._graph = graph(steps, after=self._advance, generators=generators, device=device)
            replayed = self._after_some_steps(self._graph.replay, learners, before)
        except RuntimeError as error:  # torch's and CUDA's word for what cannot be captured
            raise Refused(f"cannot capture a step: {str(error).splitlines()[0]}") from error
        finally:
            for learner, its_before in zip(learners, before, strict=True):
                _put_back(learner, its_before)
        for learner, expected, found in zip(learners, eager, replayed, strict=True):
            if different := [name for name, tensor in expected.items() if not _equal(tensor, found[name])]:
                raise Refused(
                    f"computes other numbers than loop here (seed {learner.seed}, {different[0]}, after "
                    f"{self._num_checked} steps)"
                )

    def fill(self, chunk: Sequence[Batch]) -> None:
        """Puts the images of at most as many batches where the graph reads them, and goes to the first."""
        for (x_SBHWC, labels_SB), (x_XCHW, labels_X) in zip(self._inputs, chunk, strict=True):
            num_steps = len(labels_X) // labels_SB.shape[1]
            x_SBHWC[:num_steps].copy_(_in_steps(x_XCHW, num_steps))
            labels_SB[:num_steps].copy_(_in_steps(labels_X, num_steps))
        self._position.zero_()

    def replay(self) -> None:
        self._graph.replay()

    def _step(self, learner: Learner, x_SBHWC: torch.Tensor, labels_SB: torch.Tensor) -> None:
        x_BHWC, labels_B = (tensor.index_select(0, self._position)[0] for tensor in (x_SBHWC, labels_SB))
        learner.step(x_BHWC.permute(0, 3, 1, 2), labels_B)

    def _advance(self) -> None:
        self._position.add_(1).remainder_(self._num_steps)

    def _after_some_steps(
        self, step: Callable[[], None], learners: Sequence[Learner], before: Sequence[Mapping[str, torch.Tensor]]
    ) -> list[dict[str, torch.Tensor]]:
        for learner, snapshot in zip(learners, before, strict=True):
            _put_back(learner, snapshot)
        self._position.zero_()
        for _ in range(self._num_checked):
            step()
        return [_snapshot(learner) for learner in learners]


def why_not_streams(learners: Sequence[Learner]) -> str:
    """Why the steps of learners cannot be captured, or a warm-up not undone, in half a sentence; empty if they can."""
    for learner in learners:
        if learner.rates_at is not None:
            return "takes learning rates that change between epochs only, not one_cycle"
        optimizer, groups = type(learner.optimizer), learner.optimizer.param_groups
        if optimizer not in CAPTURABLE or any(group.get("dampening") for group in groups):
            known = ", ".join(known.__name__ for known in CAPTURABLE)
            return f"takes optimizers whose state starts at zero ({known}, without dampening), not {optimizer.__name__}"
        for layer in learner.network.modules():
            if isinstance(layer, _DRAW_GLOBALLY) and not hasattr(layer, "set_generator"):
                return f"cannot give each seed random numbers of its own in {type(layer).__name__}"
    return ""


def _in_steps(tensor_X: torch.Tensor, num_steps: int) -> torch.Tensor:
    """``(S * B, C, H, W)`` to ``(S, B, H, W, C)``, ``(S * B,)`` to ``(S, B)``."""
    channels_last = tensor_X.permute(0, 2, 3, 1) if tensor_X.ndim == 4 else tensor_X
    return torch.unflatten(channels_last, 0, (num_steps, -1))


def _snapshot(learner: Learner) -> dict[str, torch.Tensor]:
    """Copies of all that a step changes."""
    return {name: tensor.clone() for name, tensor in _changed_by_a_step(learner).items()} | {
        _GENERATOR: learner.generator.get_state()
    }


@torch.no_grad()
def _put_back(learner: Learner, snapshot: Mapping[str, torch.Tensor]) -> None:
    """Makes a learner what it was, in place: a graph goes on reading the same memory.

    State of the optimizer that was not there yet starts at zero.
    """
    for name, tensor in _changed_by_a_step(learner).items():
        tensor.copy_(snapshot[name]) if name in snapshot else tensor.zero_()
    learner.generator.set_state(snapshot[_GENERATOR])


def _changed_by_a_step(learner: Learner) -> dict[str, torch.Tensor]:
    changed = {"sums": learner.train_sums}
    changed |= {f"network.{name}": tensor for name, tensor in learner.network.state_dict().items()}
    for number, parameter in enumerate(learner.parameters):
        for name, value in learner.optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor):
                changed[f"optimizer.{number}.{name}"] = value
    return changed


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Bit by bit, but NaN is NaN."""
    return torch.equal(one.nan_to_num(), other.nan_to_num())
