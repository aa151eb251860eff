"""One step of every kind that a cell's runs take, on images of noise: whether it works at all, in seconds."""

import dataclasses
import math
from pathlib import Path

import torch

from convrepro.data import ImageSet
from convrepro.models import facts_of
from convrepro.protocols.filter_learning import learn_from
from convrepro.protocols.generated import generated
from convrepro.protocols.network import build_network, fresh_network
from convrepro.protocols.phases import phases_of
from convrepro.protocols.schema import TRAINED, Config
from convrepro.protocols.selection import select
from convrepro.protocols.step_timing import time_steps
from convrepro.protocols.train import make_evaluation_loader, make_learner, make_train_loader

_BATCH = 2  # images; of batch normalisation the least
_NUM_TRAIN, _NUM_OTHERS = 8, 4


def smoke(config: Config, folder: Path) -> None:
    """Takes one training step and one evaluation of each phase of a config, or does its task once, on a CPU.

    Nothing of the recipe or the protocol is changed but its numbers of images and epochs; weights of other runs are not
    asked for.

    Args:
        config: of any cell.
        folder: where what a run writes may go.

    Raises:
        ValueError: if a result is not a finite number.
        Exception: whatever a run of the config would raise.
    """
    device, task = torch.device("cpu"), config.protocol.task
    small = _reduced(config)
    match task:
        case "filters":
            learn_from(small, generated(small, 1))
        case "step_timing" | "inference_timing":
            time_steps(small, device, seconds=0.0)
        case "count":
            facts_of(build_network(small))
    if task not in TRAINED:
        return
    parts = [generated(small, num_images) for num_images in (_NUM_TRAIN, _NUM_OTHERS, _NUM_OTHERS)]
    data = ImageSet(parts[0], parts[1], validation=parts[2])
    histories = {}
    phases, _ = phases_of(small, data)
    for phase in phases:
        learner = make_learner(small, device=device, folder=folder, make_network=fresh_network)
        loader = make_train_loader(small, phase, device)
        learner.start_epoch(0)
        with learner.own_random_numbers():
            learner.step(*next(iter(loader.epoch(small.seed, 0))))
        learner.end_training()
        for name, split in phase.evaluations.items():
            learner.evaluate(name, make_evaluation_loader(small, split, device))
        learner.end_epoch(1.0)
        if learner.reason:
            raise ValueError(f"{learner.reason}.")
        histories[phase.name] = learner.history
    chooser = histories.get("select", histories["train"])
    chosen = select(histories["train"], validation=chooser.get(f"validation_{small.accuracy}"), accuracy=small.accuracy)
    if not all(math.isfinite(value) for metrics in chosen.values() for value in metrics.values()):
        raise ValueError(f"a metric is not finite: {chosen}.")


def _reduced(config: Config) -> Config:
    """The same config with the numbers of images and epochs of one step."""
    recipe = dataclasses.replace(config.recipe, batch_size=_BATCH, epochs=1, pretrained=None)
    validation_images = _BATCH if config.protocol.validation_images else 0
    protocol = dataclasses.replace(config.protocol, validation_images=validation_images, scale=1.0, images=1.0)
    dataset = dataclasses.replace(config.dataset, num_train_images=_NUM_TRAIN, num_test_images=_NUM_OTHERS)
    if protocol.validation_fraction:
        protocol = dataclasses.replace(protocol, validation_fraction=_BATCH / _NUM_TRAIN)
    return dataclasses.replace(config, recipe=recipe, protocol=protocol, dataset=dataset)
