"""The LightningModule of every classification run: seeds of a cell, one or several, trained together."""

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import lightning.pytorch as pl
import torch
from torch import nn

from convrepro import interruption
from convrepro.data.loader import EpochLoader
from convrepro.training import checkpoints, data_parallel
from convrepro.training.learner import Batch, Learner

STEPS_PER_CHUNK = 64  # of one call by Lightning: its own work per call is then nothing
_SECONDS_UNSTOPPED = 0.5  # that steps may take between two looks at whether to stop


class Backend(Protocol):
    """Runs the steps of an epoch for several learners."""

    def start_epoch(self, learners: Sequence[Learner], loader: EpochLoader, epoch: int) -> None: ...

    def run(self, steps: range) -> None: ...

    def wait(self) -> None: ...

    def close(self) -> None: ...


class SeedGroup(pl.LightningModule):
    """Trains learners side by side; one that diverges leaves, and the others go on.

    A "batch" of Lightning is a chunk of steps in training, and the name of an evaluation in validation. Everything per
    seed (optimizer, schedule, history, checkpoints) is the learners' own. A wish to stop is heeded where all learners
    have done the same steps: checkpoints are saved there, and ``Interrupted`` is raised.

    Args:
        learners: at the same step of the same epoch.
        backend: that runs their steps.
        train_loader: of the images that all of them train on.
        evaluations: loaders that follow each epoch, by name, such as ``validation`` and ``test``.
    """

    def __init__(
        self,
        learners: Sequence[Learner],
        *,
        backend: Backend,
        train_loader: EpochLoader,
        evaluations: Mapping[str, Iterable[Batch]],
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.networks = nn.ModuleList(learner.network for learner in learners)
        self.learners = list(learners)
        self._backend, self._train_loader, self._evaluations = backend, train_loader, evaluations
        self._first_epoch, self._steps_at_once = learners[0].num_epochs, 1

    @property
    def active(self) -> list[Learner]:
        """Those that have not diverged."""
        return [learner for learner in self.learners if not learner.reason]

    @property
    def epoch(self) -> int:
        """0-based, of the whole training."""
        return self._first_epoch + self.current_epoch

    def chunks(self) -> list[slice]:
        """An epoch's steps, in the pieces in which Lightning is to hand them out."""
        num_steps = len(self._train_loader)
        return [slice(start, min(start + STEPS_PER_CHUNK, num_steps)) for start in range(0, num_steps, STEPS_PER_CHUNK)]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        return [learner.optimizer for learner in self.learners]

    def on_train_epoch_start(self) -> None:
        data_parallel.check_interruption()  # nothing is to be saved
        for learner in self.active:
            learner.start_epoch(self.epoch)
        self._backend.start_epoch(self.active, self._train_loader, self.epoch)

    def training_step(self, batch: slice, batch_idx: int) -> None:
        with self._saved_if_interrupted():
            for steps in self._short_pieces(batch):
                self._backend.run(steps)
                for learner in self.active:
                    learner.num_steps = steps.stop
                data_parallel.check_interruption()

    def on_validation_epoch_start(self) -> None:
        for learner in self.active:
            learner.end_training()

    def validation_step(self, batch: str, batch_idx: int) -> None:
        with self._saved_if_interrupted():
            for learner in self.active:
                learner.evaluate(batch, data_parallel.own_batches(self._evaluations[batch]))

    def on_validation_epoch_end(self) -> None:
        share = self._share()
        for learner in self.active:
            learner.end_epoch(share)
        self.trainer.should_stop = not self.active

    def _short_pieces(self, steps: slice) -> Iterator[range]:
        """What of ``steps`` is still to be done, in pieces that take half a second; none once all have diverged."""
        start = max(steps.start, max((learner.num_steps for learner in self.active), default=steps.stop))
        while start < steps.stop and self.active:
            piece, started = range(start, min(start + self._steps_at_once, steps.stop)), time.perf_counter()
            yield piece
            start, (seconds,) = piece.stop, data_parallel.largest([time.perf_counter() - started])
            if seconds > _SECONDS_UNSTOPPED:
                self._steps_at_once = max(1, self._steps_at_once // 2)
            elif seconds < _SECONDS_UNSTOPPED / 2 and len(piece) == self._steps_at_once:
                self._steps_at_once = min(2 * self._steps_at_once, STEPS_PER_CHUNK)

    @contextlib.contextmanager
    def _saved_if_interrupted(self) -> Iterator[None]:
        """An evaluation that is cut leaves the state after the epoch's last step."""
        try:
            yield
        except interruption.Interrupted:
            self._backend.wait()
            share = self._share()
            for learner in self.active:
                _save(learner, learner.state(share))
            raise

    def _share(self) -> float:
        """Of each learner's, in time that all of them took."""
        return 1 / max(1, len(self.active))


def _save(learner: Learner, state: Mapping[str, Any]) -> None:
    if data_parallel.rank() == 0:
        path = checkpoints.path_after(learner.folder, learner.num_epochs, learner.num_steps)
        checkpoints.save(dict(state), path)
        checkpoints.remove_old(learner.folder)
