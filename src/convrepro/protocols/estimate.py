"""How long runs take: what they consist of, counted, times what each part costs."""

import heapq
from collections.abc import Iterable, Mapping, Sequence

from convrepro.models import num_macs
from convrepro.protocols.calibration import Overheads, Speed
from convrepro.protocols.network import build_network
from convrepro.protocols.schema import TRAINED, Config

# Of tasks that train on no data set: rounds of 3 s with what is built and done before them; 500 iterations on an image.
_SECONDS_OF_TASK = {"step_timing": 5.0, "inference_timing": 5.0, "filters": 1.5, "count": 0.0}
_TRAINING_COST = 3  # forward, and backward to the activations and to the weights


def work_of(configs: Mapping[str, Config]) -> dict[str, float]:
    """Multiply-accumulates of one run of each config, by run id. Builds every network, so what cannot be built is
    found before anything is trained.

    Raises:
        ValueError: if a cell's network cannot be built.
    """
    return {run_id: _work(config) for run_id, config in configs.items()}


def seconds_of(configs: Sequence[Config], speed: Speed, overheads: Overheads) -> float:
    """Seconds that seeds of one cell take together, from the claim to the records.

    Args:
        configs: of one cell, each with its seed.
        speed: of these seeds together.
        overheads: of any run.
    """
    config, num_seeds = configs[0], len(configs)
    phases = _images_per_epoch(config)
    seconds = num_seeds * overheads.run + (1 + len(phases)) * speed.build
    for num_trained, num_evaluated in phases:
        training = num_trained * (speed.step / config.recipe.batch_size + speed.drawn_image)
        after = num_evaluated * speed.evaluated_image + speed.checkpoint + overheads.epoch
        seconds += config.num_epochs * (training + after)
    return seconds


def seconds_of_task(configs: Sequence[Config]) -> float:
    """Seconds that seeds of one cell take, whose task trains on no data set: what these tasks usually take."""
    return len(configs) * _SECONDS_OF_TASK[configs[0].protocol.task]


def total_seconds(seconds: Iterable[float], num_processes: int) -> float:
    """Time until the last of some runs has ended, each being started, in its turn, as soon as a process is free."""
    busy_until = [0.0] * num_processes
    for duration in seconds:
        heapq.heapreplace(busy_until, busy_until[0] + duration)
    return max(busy_until)


def _work(config: Config) -> float:
    if config.protocol.task not in TRAINED:
        return 0.0
    macs = num_macs(build_network(config), (config.dataset.in_channels, *config.dataset.image_size))
    images = sum(
        _TRAINING_COST * num_trained + num_evaluated for num_trained, num_evaluated in _images_per_epoch(config)
    )
    return config.num_epochs * macs * images


def _images_per_epoch(config: Config) -> list[tuple[float, float]]:
    """Trained and evaluated images of an epoch of each phase, as ``phases.phases_of`` splits them."""
    num_pool = config.dataset.num_train_images * config.protocol.images
    num_held_out, num_test = config.num_validation_images, config.dataset.num_test_images
    num_validation = num_held_out
    if config.protocol.official_validation:
        num_validation = config.dataset.num_validation_images or 0
    if config.protocol.retrain:
        return [(num_pool - num_held_out, num_validation), (num_pool, num_test)]
    return [(num_pool - num_held_out, num_validation + num_test)]
