"""How fast this machine trains: the parts of a run, timed with the code that runs, on images of noise.

Speed does not depend on the pixels, so no data set is needed. Of a set that is too large for memory, reading ahead from
the file is not timed.
"""

# Shapes: N images, C channels, H height, W width.

import contextlib
import dataclasses
import itertools
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch

from convrepro.data import ImageSplit
from convrepro.protocols.composer import compose
from convrepro.protocols.generated import generated
from convrepro.protocols.network import fresh_network
from convrepro.protocols.phases import Phase
from convrepro.protocols.run import run_seeds
from convrepro.protocols.schema import Config
from convrepro.protocols.train import (
    backend_of,
    device_of,
    make_evaluation_loader,
    make_learner,
    make_train_loader,
)
from convrepro.training import (
    BACKENDS,
    Learner,
    checkpoints,
    keep_freed_memory,
    matrix_precision,
    new_memory_left_unfilled,
)
from convrepro.training.precision import Precision

SECONDS_PER_CELL = 2.0  # of timed steps, unless `_MIN_STEPS` take longer
_MIN_STEPS = 3
_MIN_BATCHES = 2  # of an evaluation
_MAX_STEPS = 256
_STEPS_AT_ONCE = {"cpu": 1, "cuda": 32}  # a GPU is kept waiting where every step is
_SHARE_OF_EVALUATION = 0.25  # of `SECONDS_PER_CELL`
_STORED_IMAGES = 512  # the rows of an epoch repeat them
_MANY_EPOCHS = 11
_FOLDER_PREFIX = ".calibration"
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds that parts of a cell's training take, of all seeds that are trained together.

    Args:
        step: of a whole batch, with its augmentation.
        evaluated_image: in batches, after an epoch.
        drawn_image: share in drawing what is random in an epoch.
        checkpoint: after an epoch.
        build: network and optimizer.
    """

    step: float
    evaluated_image: float
    drawn_image: float
    checkpoint: float
    build: float


@dataclass(frozen=True, kw_only=True)
class Overheads:
    """Seconds that every run takes beside its training, whatever it trains.

    Args:
        process: before the first run of a process, that later ones do not take.
        run: claim, data, record.
        epoch: logs, and the smallest checkpoint.
    """

    process: float
    run: float
    epoch: float


def measure(configs: Sequence[Config]) -> Speed:
    """Times the training of seeds of one cell together, for about ``SECONDS_PER_CELL``.

    Args:
        configs: of one cell, each with its seed; ``machine.threads`` as for their runs.

    Raises:
        ValueError: if the network or the optimizer cannot be built.
    """
    config, device = configs[0], device_of(configs[0].machine.accelerator)
    with _as_in_a_run(config), _folder_beside_the_records(config) as folder:
        started = time.perf_counter()
        learners = [
            make_learner(other, device=device, folder=folder / str(other.seed), make_network=fresh_network)
            for other in configs
        ]
        build = time.perf_counter() - started

        noise = _noise(config)
        loader = make_train_loader(config, Phase(name="train", train=noise, evaluations={}), device)
        loader.epoch(config.seed, 0)
        drawn = _seconds(lambda: loader.epoch(config.seed, 1), device)

        backend = BACKENDS[backend_of(config, device, learners)](lambda learner, num_finished: None)
        for learner in learners:
            learner.start_epoch(0)
        backend.start_epoch(learners, loader, 0)

        def run(steps: range) -> None:
            for learner in learners:
                learner.reason = ""  # noise may diverge, and is to be timed all the same
            backend.run(steps)

        step = _seconds_of_a_step(run, len(loader), device)
        evaluated_image = sum(_seconds_of_an_evaluated_image(config, learner, noise) for learner in learners)
        checkpoint = sum(_seconds_of_a_checkpoint(learner) for learner in learners)
    return Speed(
        step=step,
        evaluated_image=evaluated_image,
        drawn_image=len(learners) * drawn / loader.num_images,
        checkpoint=checkpoint,
        build=build,
    )


def measure_overheads(config: Config) -> Overheads:
    """Times runs of a network that is next to nothing.

    Args:
        config: of any run; only its ``machine`` counts.
    """
    with _folder_beside_the_records(config) as folder:
        machine = dataclasses.replace(config.machine, results_dir=str(folder), cache_dir=str(folder), compile=False)
        tiny = compose(["dataset=digits", "model=cnn4", "recipe=quickstart", "model.filters=2", "protocol.images=0.2"])
        tiny = dataclasses.replace(tiny, machine=dataclasses.replace(machine, seeds_per_device=1))

        def seconds(num_epochs: int, seed: int) -> float:
            recipe = dataclasses.replace(tiny.recipe, epochs=num_epochs, milestones=[])
            started = time.perf_counter()
            run_seeds([dataclasses.replace(tiny, recipe=recipe, seed=seed)])
            return time.perf_counter() - started

        first, short, long = seconds(1, 0), seconds(1, 1), seconds(_MANY_EPOCHS, 2)
    epoch = (long - short) / (_MANY_EPOCHS - 1)
    return Overheads(process=max(0.0, first - short), run=max(0.0, short - epoch), epoch=max(0.0, epoch))


def remove_stale_folders(results_dir: Path) -> None:
    """Removes the folders of calibrations that were killed a day ago or earlier."""
    for folder in results_dir.glob(f"{_FOLDER_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another process may remove it, too
            if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _as_in_a_run(config: Config) -> Iterator[None]:
    """The process's settings of a run, and back."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(config.machine.threads or before[0])
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it CUDA refuses to be deterministic
    torch.use_deterministic_algorithms(True)
    keep_freed_memory()
    try:
        with new_memory_left_unfilled(), matrix_precision(cast(Precision, config.machine.precision)):
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


@contextlib.contextmanager
def _folder_beside_the_records(config: Config) -> Iterator[Path]:
    """A temporary folder on the disk that runs write to, if it can be written to."""
    results_dir = Path(config.machine.results_dir)
    can_write = results_dir.is_dir() and os.access(results_dir, os.W_OK)
    with tempfile.TemporaryDirectory(dir=results_dir if can_write else None, prefix=_FOLDER_PREFIX) as folder:
        yield Path(folder)


def _noise(config: Config) -> ImageSplit:
    """Random images and labels, as many as the timed steps can take."""
    num_images = config.recipe.batch_size * _MAX_STEPS
    return generated(config, _STORED_IMAGES).subset(torch.arange(num_images) % _STORED_IMAGES)


def _seconds_of_a_step(run: Callable[[range], None], num_steps: int, device: torch.device) -> float:
    at_once = _STEPS_AT_ONCE[device.type]
    chunks = (range(start, start + at_once) for start in range(0, num_steps - at_once + 1, at_once))
    seconds = (_seconds(partial(run, chunk), device) for chunk in chunks)
    return _median(seconds, at_least=math.ceil(_MIN_STEPS / at_once), budget=SECONDS_PER_CELL) / at_once


def _seconds_of_an_evaluated_image(config: Config, learner: Learner, noise: ImageSplit) -> float:
    loader = make_evaluation_loader(config, noise, learner.device)
    batches = iter(loader)
    seconds = (
        _seconds(partial(learner.evaluate, "test", itertools.islice(batches, 1)), learner.device)
        for _ in range(len(loader))
    )
    budget = _SHARE_OF_EVALUATION * SECONDS_PER_CELL
    return _median(seconds, at_least=_MIN_BATCHES, budget=budget) / loader.batch_size


def _median(seconds: Iterator[float], *, at_least: int, budget: float) -> float:
    """Of as many as the budget allows, but at least some, after one that warms up: it waits for memory."""
    next(seconds)
    taken: list[float] = []
    for one in seconds:
        taken.append(one)
        if len(taken) >= at_least and sum(taken) >= budget:
            break
    return statistics.median_low(taken)


def _seconds_of_a_checkpoint(learner: Learner) -> float:
    def save() -> None:
        checkpoints.save(learner.state(), checkpoints.path_after(learner.folder, 1))

    return min(_seconds(save, learner.device) for _ in range(2))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - started
