"""One training phase of one or several seeds by a Lightning Trainer, resumed where it stopped."""

import contextlib
import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from convrepro import interruption
from convrepro.data.loader import EpochLoader
from convrepro.training import checkpoints, data_parallel
from convrepro.training.callbacks import EndEpoch, KeepSignalHandlers
from convrepro.training.checkpoints import Position
from convrepro.training.event_log import EventLog
from convrepro.training.learner import Batch, Learner
from convrepro.training.loop import Loop
from convrepro.training.memory import new_memory_left_unfilled
from convrepro.training.precision import matrix_precision
from convrepro.training.seed_group import Backend, SeedGroup
from convrepro.training.streams import Streams

BACKENDS: dict[str, Callable[[Callable[[Learner, int], None]], Backend]] = {"loop": Loop, "streams": Streams}

_START = Position(0)
_Places = dict[Position, Path | None]

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
_log = logging.getLogger(__name__)


def fit(
    learners: Sequence[Learner],
    *,
    train_loader: EpochLoader,
    evaluations: Mapping[str, Iterable[Batch]],
    num_epochs: int,
    backend: str = "loop",
) -> None:
    """Trains each learner for ``num_epochs`` epochs, evaluating after each; seeds at the same step go together.

    Goes on from each learner's furthest whole checkpoint; a phase that was finished trains nothing. The metrics are in
    the learners' ``history`` afterwards. One that diverges has a ``reason`` and stops; the others go on. Where this
    process is asked to stop (see ``interruption``), a checkpoint of the last step is saved: with the back-end ``loop``
    on a CPU, a training that was stopped anywhere and went on ends in the bits of one that was not.

    Args:
        learners: seeds of one cell, on one device; those that have diverged are left alone.
        train_loader: of the images that all of them train on.
        evaluations: loaders that follow each epoch, by name.
        num_epochs: of the whole phase.
        backend: key of ``BACKENDS``.

    Raises:
        ValueError: if a checkpoint is another network's, or several processes cannot train together so.
        Refused: if the back-end cannot run these learners; another can go on from where they are.
        Interrupted: if this process is asked to stop.
        KeyboardInterrupt: if the user interrupts where nobody heeds signals; the epochs finished by then are saved.
    """
    data_parallel.check(len(learners), backend, train_loader.num_images, train_loader.batch_size)
    with interruption.deferred():
        for group in _resumed(learners):
            _fit_group(group, train_loader, evaluations, num_epochs, backend)


def _fit_group(
    group: list[Learner],
    train_loader: EpochLoader,
    evaluations: Mapping[str, Iterable[Batch]],
    num_epochs: int,
    backend: str,
) -> None:
    num_steps, num_left = len(train_loader), num_epochs - group[0].num_epochs
    if num_left <= 0:
        return

    def tell(learner: Learner, num_finished: int) -> None:
        learner.report((learner.num_epochs + num_finished / num_steps) / num_epochs)

    runner = BACKENDS[backend](tell)
    module = SeedGroup(group, backend=runner, train_loader=train_loader, evaluations=evaluations)
    with contextlib.closing(runner), matrix_precision(group[0].precision), new_memory_left_unfilled():
        _train(module, num_left, _Items(list(evaluations)))


def _train(module: SeedGroup, num_epochs: int, names: "_Items") -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    logs = [EventLog(learner.folder / "tensorboard") for learner in module.learners]
    device = module.learners[0].device
    trainer = pl.Trainer(
        max_epochs=num_epochs,
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=[device.index] if device.type == "cuda" else 1,
        deterministic=True,
        logger=False,
        callbacks=[KeepSignalHandlers(handlers), EndEpoch(logs)],
        plugins=[LightningEnvironment()],  # that of a cluster would requeue the job and save files of its own
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
            signal.signal(signal.SIGINT, handlers[signal.SIGINT])  # Lightning leaves it ignored


def _resumed(learners: Sequence[Learner]) -> Iterator[list[Learner]]:
    """Groups of learners, each at the furthest step from which its members can go on together.

    A kill between the checkpoints of two seeds leaves one ahead of the other; as the ones before are kept, both can go
    on from the earlier. Seeds that are an epoch or more apart are trained apart.
    """
    waiting = [learner for learner in learners if not learner.reason]
    places: dict[Learner, _Places] = {
        learner: {_START: None} | checkpoints.found(learner.folder) for learner in waiting
    }
    states: dict[tuple[Learner, Position], dict[str, Any]] = {}
    while waiting:
        position, group = _furthest({learner: places[learner] for learner in waiting})
        unread = [learner for learner in group if (learner, position) not in states]
        for learner in unread:
            if (state := _state(learner, places[learner][position])) is None:
                del places[learner][position]
            else:
                states[learner, position] = state
        if any(position not in places[learner] for learner in unread):
            continue
        for learner in group:
            if state := states.pop((learner, position)):
                learner.load_state(state)
        yield group
        waiting = [learner for learner in waiting if learner not in group]


def _furthest(places: Mapping[Learner, _Places]) -> tuple[Position, list[Learner]]:
    """Where most learners can go on together, and which; at most an epoch behind the furthest."""
    num_epochs = max(position.num_epochs for own in places.values() for position in own)
    near = {position for own in places.values() for position in own if position.num_epochs >= num_epochs - 1}
    groups = [(position, [learner for learner, own in places.items() if position in own]) for position in near]
    return max(groups, key=lambda group: (len(group[1]), group[0]))


def _state(learner: Learner, path: Path | None) -> dict[str, Any] | None:
    """What a checkpoint holds, nothing at the start; None if it is not whole or of another kind of device."""
    if path is None:
        return {}
    try:
        state = checkpoints.load(path)
    except checkpoints.NotWhole as error:
        _log.warning("convrepro: %s It is passed over.", error)
        return None
    except FileNotFoundError:  # another process removed it meanwhile
        return None
    return state if learner.can_go_on_from(state) else None


@dataclass(frozen=True)
class _Items:
    """A list that Lightning takes for one loader."""

    items: Sequence[Any]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)
