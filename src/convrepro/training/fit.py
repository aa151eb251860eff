"""One training phase of one or several seeds by a Lightning Trainer, resumed where it stopped."""

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.loggers import TensorBoardLogger

from convrepro.data.loader import EpochLoader
from convrepro.training import checkpoints
from convrepro.training.callbacks import EndEpoch
from convrepro.training.learner import Batch, Learner
from convrepro.training.loop import Loop
from convrepro.training.memory import new_memory_left_unfilled
from convrepro.training.precision import matrix_precision
from convrepro.training.seed_group import Backend, SeedGroup
from convrepro.training.streams import Streams

BACKENDS: dict[str, Callable[[Callable[[Learner, int], None]], Backend]] = {"loop": Loop, "streams": Streams}

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


def fit(
    learners: Sequence[Learner],
    *,
    train_loader: EpochLoader,
    evaluations: Mapping[str, Iterable[Batch]],
    num_epochs: int,
    backend: str = "loop",
) -> None:
    """Trains each learner for ``num_epochs`` epochs, evaluating after each; seeds at the same epoch go together.

    Goes on from each learner's newest whole checkpoint; a phase that was finished trains nothing. The metrics are in
    the learners' ``history`` afterwards. One that diverges has a ``reason`` and stops; the others go on.

    Args:
        learners: seeds of one cell, on one device; those that have diverged are left alone.
        train_loader: of the images that all of them train on.
        evaluations: loaders that follow each epoch, by name.
        num_epochs: of the whole phase.
        backend: key of ``BACKENDS``.

    Raises:
        ValueError: if a checkpoint is another network's.
        Refused: if the back-end cannot run these learners; another can go on from where they are.
        KeyboardInterrupt: if the user interrupts; the epochs finished by then are saved.
    """
    num_steps = len(train_loader)
    for group in _resumed(learners):
        first_epoch = group[0].num_epochs
        if first_epoch >= num_epochs:
            continue

        def tell(learner: Learner, num_finished: int) -> None:
            learner.report((learner.num_epochs + num_finished / num_steps) / num_epochs)

        runner = BACKENDS[backend](tell)
        module = SeedGroup(group, backend=runner, train_loader=train_loader, evaluations=evaluations)
        with contextlib.closing(runner), matrix_precision(group[0].precision), new_memory_left_unfilled():
            _train(module, num_epochs - first_epoch, _Items(list(evaluations)))


def _train(module: SeedGroup, num_epochs: int, names: "_Items") -> None:
    interrupt_handler = signal.getsignal(signal.SIGINT)
    loggers = [
        TensorBoardLogger(save_dir=learner.folder, name="", version="tensorboard") for learner in module.learners
    ]
    trainer = pl.Trainer(
        max_epochs=num_epochs,
        accelerator="gpu" if module.learners[0].device.type == "cuda" else "cpu",
        devices=1,
        deterministic=True,
        logger=loggers,
        callbacks=[EndEpoch(loggers)],
        log_every_n_steps=1,  # steps log nothing; a larger number only makes Lightning warn about short epochs
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    try:
        with warnings.catch_warnings():
            # Lightning's own, about torch's trees
            warnings.filterwarnings("ignore", message=".*`isinstance.treespec, LeafSpec.` is deprecated.*")
            # batch normalisation of frozen features, which is meant to be
            warnings.filterwarnings("ignore", message="Found .* module.* in eval mode at the start of training")
            trainer.fit(module, train_dataloaders=_Items(module.chunks()), val_dataloaders=names)
    except SystemExit as error:  # how Lightning ends an interrupted fit
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt_handler)  # Lightning leaves it ignored


def _resumed(learners: Sequence[Learner]) -> Iterator[list[Learner]]:
    """Groups of learners, each at the newest epoch from which its members can go on together.

    A kill between the checkpoints of two seeds leaves one an epoch ahead of the other; as two are kept, both can go on
    from the earlier one. Seeds that are further apart are trained apart.
    """
    waiting = [learner for learner in learners if not learner.reason]
    kept = {learner: checkpoints.whole(learner.folder) for learner in waiting}
    while waiting:
        newest = max((epoch for learner in waiting for epoch in kept[learner]), default=0)
        groups = [
            (epoch, [learner for learner in waiting if epoch == 0 or epoch in kept[learner]])
            for epoch in (newest, newest - 1)
            if epoch >= 0
        ]
        epoch, group = max(groups, key=lambda candidate: len(candidate[1]))
        for learner in group:
            if epoch > 0:
                learner.load_state(checkpoints.load(kept[learner][epoch]))
        yield group
        waiting = [learner for learner in waiting if learner not in group]


@dataclass(frozen=True)
class _Items:
    """A list that Lightning takes for one loader."""

    items: Sequence[Any]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)
