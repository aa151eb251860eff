"""Back-end ``loop``: one learner after the other; the reference that other back-ends must equal."""

from collections.abc import Callable, Sequence

from convrepro.data.loader import EpochBatches, EpochLoader
from convrepro.training import data_parallel
from convrepro.training.learner import Learner


class Loop:
    """Runs each learner's steps of a chunk in turn, while its weights are in the caches.

    Args:
        tell: called with a learner and its number of finished steps of the epoch, after each step.
    """

    def __init__(self, tell: Callable[[Learner, int], None]) -> None:
        self._tell = tell
        self._pairs: list[tuple[Learner, EpochBatches]] = []
        self._epoch, self._num_steps = 0, 1

    def start_epoch(self, learners: Sequence[Learner], loader: EpochLoader, epoch: int) -> None:
        self._epoch, self._num_steps = epoch, len(loader)
        self._pairs = [(learner, loader.epoch(learner.seed, epoch)) for learner in learners]

    def run(self, steps: range) -> None:
        """Runs these steps of the epoch, which follow those before it; a learner that diverges takes no further one.

        That is known after each step on a CPU, and after the last of them on a GPU, which would else be waited for.
        """
        for learner, batches in self._pairs:
            with learner.own_random_numbers():
                for step in steps:
                    if learner.reason:
                        break
                    self._step(learner, batches, step)
                    if learner.device.type == "cpu" or step + 1 == steps.stop:
                        learner.note_divergence(learner.train_sums, step + 1)

    def wait(self) -> None:
        """All steps are done when ``run`` returns."""

    def close(self) -> None:
        self._pairs = []

    def _step(self, learner: Learner, batches: EpochBatches, step: int) -> None:
        start = step * batches.loader.batch_size
        learner.go_to(self._epoch + step / self._num_steps)
        images, loss_factor = data_parallel.own_share(batches, start, start + batches.loader.batch_size)
        learner.step(*images, loss_factor)
        self._tell(learner, step + 1)
