"""What happens beside the training of a run: checkpoints, the CSV log, progress, random streams."""

import csv
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from convrepro import durable
from convrepro.training import checkpoints
from convrepro.training.classifier import Classifier


class ReseedEachEpoch(pl.Callback):
    """Makes the network's own randomness (dropout) a function of seed and epoch, so that resuming needs no state."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == 0:  # not in on_train_epoch_start: a resumed run draws numbers between the two
            digest = hashlib.sha256(f"network:{self._seed}:{trainer.current_epoch}".encode()).digest()
            torch.manual_seed(int.from_bytes(digest[:8], "big", signed=True))


class CheckpointEachEpoch(pl.Callback):
    """Saves a checkpoint after each epoch, and removes old ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.save_checkpoint(checkpoints.path_after(self._folder, trainer.current_epoch + 1))
        checkpoints.remove_old(self._folder)


class CsvLog(pl.Callback):
    """Writes the metrics of all epochs so far, those before a resume included, to one CSV file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["epoch", *pl_module.history])
        rows = zip(*pl_module.history.values(), strict=True)
        writer.writerows([epoch, *row] for epoch, row in enumerate(rows, start=1))
        durable.write(self._path, text.getvalue())


class ReportProgress(pl.Callback):
    """Tells how much of a fit is done, as a fraction, after each training batch."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert trainer.max_epochs is not None
        finished = trainer.current_epoch + (batch_idx + 1) / trainer.num_training_batches
        self._report(finished / trainer.max_epochs)
