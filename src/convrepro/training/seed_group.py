"""The LightningModule of every classification run: seeds of a cell, one or several, trained together."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import lightning.pytorch as pl
import torch
from torch import nn

from convrepro.data.loader import EpochLoader
from convrepro.training.learner import Batch, Learner

STEPS_PER_CHUNK = 64  # of one call by Lightning: its own work per call is then nothing


class Backend(Protocol):
    """Runs the steps of an epoch for several learners."""

    def start_epoch(self, learners: Sequence[Learner], loader: EpochLoader, epoch: int) -> None: ...

    def run(self, steps: range) -> None: ...

    def close(self) -> None: ...


class SeedGroup(pl.LightningModule):
    """Trains learners side by side; one that diverges leaves, and the others go on.

    A "batch" of Lightning is a chunk of steps in training, and the name of an evaluation in validation. Everything per
    seed (optimizer, schedule, history, checkpoints) is the learners' own.

    Args:
        learners: at the same epoch.
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
        self._first_epoch = learners[0].num_epochs

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
        for learner in self.active:
            learner.start_epoch(self.epoch)
        self._backend.start_epoch(self.active, self._train_loader, self.epoch)

    def training_step(self, batch: slice, batch_idx: int) -> None:
        self._backend.run(range(batch.start, batch.stop))

    def on_validation_epoch_start(self) -> None:
        for learner in self.active:
            learner.end_training()

    def validation_step(self, batch: str, batch_idx: int) -> None:
        for learner in self.active:
            learner.evaluate(batch, self._evaluations[batch])

    def on_validation_epoch_end(self) -> None:
        share = 1 / len(self.active)
        for learner in self.active:
            learner.end_epoch(share)
        self.trainer.should_stop = not self.active
