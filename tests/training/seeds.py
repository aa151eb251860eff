"""Tiny seeds of one cell: a network with everything that a step may have, images, loaders."""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files, interruption
from convrepro.data import EpochLoader, EvaluationLoader, ImageSplit
from convrepro.models import Dropout
from convrepro.training import Learner, Patience, clip_gradients, fit, multistep, plateau

CPU = torch.device("cpu")
NUM_IMAGES, BATCH_SIZE = 40, 12  # four batches, the last one short
_SCALE = {"mean": [0.45], "std": [0.3]}


class Network(nn.Sequential):
    """A convolution, BN, dropout, a linear layer: 10 x 10 grey images to 3 classes."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            Dropout(0.3),
            nn.Linear(100, 3),
        )


def network(seed: int, dtype: torch.dtype = torch.float64, device: torch.device = CPU) -> Network:
    torch.manual_seed(seed)
    made = Network().to(device, dtype)
    return made.to(memory_format=torch.channels_last)


def split(num_images: int, seed: int) -> ImageSplit:
    """Noise in which the brightest third of the image tells the class, mostly."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 200, (num_images, 1, 10, 10), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 3, (num_images,), generator=generator)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 3 * label : 3 * label + 3] += 40
    return ImageSplit(images, labels)


def train_loader(batch_size: int = BATCH_SIZE, device: torch.device = CPU) -> EpochLoader:
    """With random crops, flips and erasing."""
    augmentation = config_files.load("recipe/augmentation", "dk_fashion_mnist") | {"crop_padding": 1}
    return EpochLoader(split(NUM_IMAGES, 1), batch_size=batch_size, augmentation=augmentation, device=device, **_SCALE)


def evaluations(device: torch.device = CPU) -> dict[str, EvaluationLoader]:
    return {
        name: EvaluationLoader(split(num_images, num_images), batch_size=16, device=device, **_SCALE)
        for name, num_images in (("validation", 20), ("test", 33))
    }


def learning_rate_factor(epoch: int, history: dict[str, list[float]]) -> float:
    return multistep([4], 0.5)(epoch) * plateau("validation_loss", 0.5, Patience(epochs=0))(history)


def learner(seed: int, folder: Path, **keys: Any) -> Learner:
    arguments: dict[str, Any] = {
        "make_optimizer": partial(torch.optim.SGD, lr=0.2, momentum=0.9, weight_decay=1e-2, nesterov=True),
        "learning_rate_factor": learning_rate_factor,
        "clip_gradients": clip_gradients(0.5, 1.0),
    }
    return Learner(keys.pop("network", network(seed)), seed=seed, folder=folder / f"seed{seed}", **arguments | keys)


def fitted(learners: list[Learner], num_epochs: int = 6, **keys: Any) -> list[Learner]:
    device = learners[0].device
    arguments: dict[str, Any] = {"train_loader": train_loader(device=device), "evaluations": evaluations(device)}
    fit(learners, num_epochs=num_epochs, **arguments | keys)
    return learners


class Stop(Exception):
    """Ends a fit from within."""


def stop_after(num_reports: int) -> Callable[[float], None]:
    count = iter(range(1, 10**6))

    def report(fraction: float) -> None:
        if next(count) == num_reports:
            raise Stop

    return report


def signal_at(num_reports: int, number: signal.Signals = signal.SIGTERM) -> Callable[[float], None]:
    """Sends this process a signal at the so-manieth report."""
    count = iter(range(1, 10**6))

    def report(fraction: float) -> None:
        if next(count) == num_reports:
            signal.raise_signal(number)

    return report


def interrupted(learners: list[Learner], num_epochs: int = 6, **keys: Any) -> None:
    """Trains them until the signal that one of them sends."""
    with interruption.heeded(), pytest.raises(interruption.Interrupted):
        fitted(learners, num_epochs, **keys)


def same_bits(one: Learner, other: Learner) -> bool:
    ours, theirs = (_tensors(learner) for learner in (one, other))
    return ours.keys() == theirs.keys() and all(_equal(tensor, theirs[name]) for name, tensor in ours.items())


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.nan_to_num(1e30), other.nan_to_num(1e30))


def _tensors(learner: Learner) -> dict[str, torch.Tensor]:
    found = {f"network.{name}": tensor for name, tensor in learner.network.state_dict().items()}
    for number, state in learner.optimizer.state_dict()["state"].items():
        found |= {f"{number}.{name}": tensor for name, tensor in state.items() if isinstance(tensor, torch.Tensor)}
    return found
