"""What happens at the end of an epoch beside the training: kept weights, the CSV log, TensorBoard, checkpoints."""

import csv
import io
import signal
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from convrepro import durable
from convrepro.training import checkpoints, data_parallel
from convrepro.training.event_log import EventLog
from convrepro.training.learner import Learner
from convrepro.training.seed_group import SeedGroup


class KeepSignalHandlers(pl.Callback):
    """Lets the process heed signals in training as it did before: Lightning's own handlers end a fit unsaved.

    Args:
        handlers: by signal; ``signal.getsignal`` gives them.
    """

    def __init__(self, handlers: Mapping[signal.Signals, Any]) -> None:
        self._handlers = handlers

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self._handlers.items():
                signal.signal(number, handler)


class EndEpoch(pl.Callback):
    """After each epoch, for each seed that goes on: its own callback, its logs, its checkpoint. Old ones are removed.

    Where several processes train one seed, the first of them does this. Its own callback comes first: an epoch that has
    a checkpoint has had it, so that a resumed run ends with the same.

    Args:
        logs: of the learners, in their order.
    """

    def __init__(self, logs: Sequence[EventLog]) -> None:
        self._logs = logs

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, SeedGroup)
        if data_parallel.rank() > 0:
            return
        pairs = zip(pl_module.learners, self._logs, strict=True)
        going_on = [(learner, log) for learner, log in pairs if not learner.reason]
        if len(going_on) == 1:
            _end_epoch(*going_on[0])
        elif going_on:
            with ThreadPoolExecutor(len(going_on)) as threads:  # they wait for the disk together
                list(threads.map(_end_epoch, *zip(*going_on, strict=True)))


class KeepWeights:
    """Keeps the weights of the epochs that count, as they were evaluated: ``<folder>/<selection rule>.pt``.

    Args:
        folder: of the weights.
        rules_of_latest: from the history so far to the rules that choose its latest epoch.
    """

    def __init__(self, folder: Path, rules_of_latest: Callable[[Mapping[str, Sequence[float]]], Iterable[str]]) -> None:
        self._folder = folder
        self._rules_of_latest = rules_of_latest

    def __call__(self, learner: Learner) -> None:
        for rule in self._rules_of_latest(learner.history):
            weights = {name: tensor.cpu() for name, tensor in learner.network.state_dict().items()}
            checkpoints.save({"epoch": learner.num_epochs, "weights": weights}, self._folder / f"{rule}.pt")


def _end_epoch(learner: Learner, log: EventLog) -> None:
    if learner.after_epoch is not None:
        learner.after_epoch(learner)
    _write_csv(learner)
    log.write({key: values[-1] for key, values in learner.history.items()}, step=learner.num_epochs)
    checkpoints.save(learner.state(), checkpoints.path_after(learner.folder, learner.num_epochs))
    checkpoints.remove_old(learner.folder)


def _write_csv(learner: Learner) -> None:
    """The metrics of all epochs so far, those before a resume included, as one CSV file."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["epoch", *learner.history])
    rows = zip(*learner.history.values(), strict=True)
    writer.writerows([epoch, *row] for epoch, row in enumerate(rows, start=1))
    durable.write(learner.folder / "metrics.csv", text.getvalue())
