"""What happens beside the training of a run: checkpoints, the CSV log, progress, random streams."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
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


class TellEpoch(pl.Callback):
    """Tells every layer that has a method ``set_epoch`` which epoch starts; evaluation after it finds it so.

    What such a layer computes is a function of the epoch, so that resuming needs no state.

    Args:
        recipe_epoch: from the 0-based epoch to the epoch of the whole recipe that it stands for.
    """

    def __init__(self, recipe_epoch: Callable[[int], float]) -> None:
        self._recipe_epoch = recipe_epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = self._recipe_epoch(trainer.current_epoch)
        for layer in pl_module.modules():
            if hasattr(layer, "set_epoch"):
                layer.set_epoch(epoch)  # type: ignore[operator]


class CheckpointEachEpoch(pl.Callback):
    """Saves a checkpoint after each epoch, and removes old ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.save_checkpoint(checkpoints.path_after(self._folder, trainer.current_epoch + 1))
        checkpoints.remove_old(self._folder)


class KeepWeights(pl.Callback):
    """Keeps the weights of the epochs that count, as they were evaluated: ``<folder>/<selection rule>.pt``.

    Stands before the checkpoints: an epoch that has one has its weights, so that a resumed run ends with the same.

    Args:
        folder: of the weights.
        rules_of_latest: from the history so far to the rules that choose its latest epoch.
    """

    def __init__(self, folder: Path, rules_of_latest: Callable[[Mapping[str, Sequence[float]]], Iterable[str]]) -> None:
        self._folder = folder
        self._rules_of_latest = rules_of_latest

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, Classifier)
        for rule in self._rules_of_latest(pl_module.history):
            weights = {name: tensor.cpu() for name, tensor in pl_module.network.state_dict().items()}
            content = {"epoch": trainer.current_epoch + 1, "weights": weights}
            checkpoints.save(content, self._folder / f"{rule}.pt")


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
