"""The LightningModule of every classification run."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
import torch.nn.functional as F
from torch import nn

# Shapes: B batch, C channels, H W image, K classes.

_SPOKEN = {"train": "training"}

Batch = tuple[torch.Tensor, torch.Tensor]


class Diverged(Exception):
    """The loss is no longer a number."""


class Classifier(pl.LightningModule):
    """Trains a network by cross entropy and keeps the metrics of every epoch.

    Sums are accumulated on the device and read once an epoch. ``history`` travels in the checkpoint, so that a
    resumed run has the metrics of all its epochs.

    Args:
        network: from images (B, C, H, W) to logits (B, K).
        make_optimizer: from parameters to an optimizer.
        learning_rate_factor: from the 0-based epoch to the factor of the optimizer's learning rate.
        evaluations: names of the loaders that follow each epoch, such as ``["validation", "test"]``.
        after_optimizer: called with the optimizer once it is made, to register what must follow each of its steps.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        make_optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
        learning_rate_factor: Callable[[int], float],
        evaluations: Sequence[str],
        after_optimizer: Callable[[torch.optim.Optimizer], object] = lambda optimizer: None,
    ) -> None:
        super().__init__()
        self.network = network
        self.history: dict[str, list[float]] = {}
        self.epoch_seconds: list[float] = []
        self._make_optimizer = make_optimizer
        self._after_optimizer = after_optimizer
        self._learning_rate_factor = learning_rate_factor
        self._evaluations = list(evaluations)
        self._sums: dict[str, torch.Tensor] = {}
        self._started = 0.0

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self._make_optimizer(self.network.parameters())
        for group in optimizer.param_groups:
            group["initial_lr"] = group["lr"]
        self._after_optimizer(optimizer)
        return optimizer

    def on_train_epoch_start(self) -> None:
        self._started = time.monotonic()
        self._sums = {}
        for group in self._optimizer().param_groups:
            group["lr"] = group["initial_lr"] * self._learning_rate_factor(self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        x_BCHW, labels_B = batch
        logits_BK = self.network(x_BCHW)
        loss = F.cross_entropy(logits_BK, labels_B)
        self._add("train", loss.detach() * len(labels_B), logits_BK.detach(), labels_B)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        x_BCHW, labels_B = batch
        logits_BK = self.network(x_BCHW)
        loss = F.cross_entropy(logits_BK, labels_B, reduction="sum")
        self._add(self._evaluations[dataloader_idx], loss, logits_BK, labels_B)

    def on_validation_epoch_end(self) -> None:
        row = {"learning_rate": self._optimizer().param_groups[0]["lr"]}
        for name, sums in self._sums.items():
            loss, correct, count = sums.tolist()
            row |= {f"{name}_loss": loss / count, f"{name}_accuracy": 100.0 * correct / count}
        for key, value in row.items():
            self.history.setdefault(key, []).append(value)
        self.epoch_seconds.append(time.monotonic() - self._started)
        self.log_dict(row, logger=True, prog_bar=False)
        for name in self._sums:
            if not math.isfinite(loss := row[f"{name}_loss"]):
                raise Diverged(f"the {_SPOKEN.get(name, name)} loss was {loss} in epoch {self.current_epoch + 1}")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["epoch_seconds"] = self.epoch_seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]
        self.epoch_seconds = checkpoint["epoch_seconds"]

    def _add(self, name: str, loss: torch.Tensor, logits_BK: torch.Tensor, labels_B: torch.Tensor) -> None:
        correct = (logits_BK.argmax(dim=1) == labels_B).sum()
        count = torch.tensor(len(labels_B), device=loss.device)
        sums = torch.stack([loss.double(), correct.double(), count.double()])
        self._sums[name] = self._sums[name] + sums if name in self._sums else sums

    def _optimizer(self) -> torch.optim.Optimizer:
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        return optimizer.optimizer
