"""Back-end ``loop``: one learner after the other; the reference that other back-ends must equal."""

from collections.abc import Callable, Iterator, Sequence

from convrepro.data.loader import EpochLoader
from convrepro.training.learner import Batch, Learner


class Loop:
    """Runs each learner's steps of a chunk in turn, while its weights are in the caches.

    Args:
        tell: called with a learner and its number of finished steps of the epoch, after each step.
    """

    def __init__(self, tell: Callable[[Learner, int], None]) -> None:
        self._tell = tell
        self._pairs: list[tuple[Learner, Iterator[Batch]]] = []
        self._epoch, self._num_steps = 0, 1

    def start_epoch(self, learners: Sequence[Learner], loader: EpochLoader, epoch: int) -> None:
        self._epoch, self._num_steps = epoch, len(loader)
        self._pairs = [(learner, iter(loader.epoch(learner.seed, epoch))) for learner in learners]

    def run(self, steps: range) -> None:
        """Runs these steps of the epoch, which follow those before it."""
        for learner, batches in self._pairs:
            with learner.own_random_numbers():
                for step in steps:
                    learner.go_to(self._epoch + step / self._num_steps)
                    learner.step(*next(batches))
                    self._tell(learner, step + 1)

    def close(self) -> None:
        self._pairs = []
