"""What happens beside the training."""

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from convrepro.training import Classifier, TellEpoch, fit, multistep

BATCHES = DataLoader(TensorDataset(torch.ones(6, 1, 4, 4), torch.arange(6) % 3), batch_size=3)


class Clock(nn.Module):
    """Passes its input on, and remembers what epoch it was told where it was used."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("epoch", torch.tensor(-1.0))
        self.used: list[tuple[str, float]] = []

    def set_epoch(self, epoch: float) -> None:
        self.epoch.fill_(epoch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.used.append(("training" if self.training else "evaluation", self.epoch.item()))
        return x


class Stop(Exception):
    """Ends a fit from within."""


def _stop_in_third_epoch(fraction: float) -> None:
    if fraction > 2 / 3:
        raise Stop


def _used(folder: Path, report: Callable[[float], None] = lambda fraction: None) -> list[tuple[str, float]]:
    """Where a clock was used in a fit of three epochs that stand for 0, 10 and 20, runs of the same taken once."""
    clock = Clock()
    classifier = Classifier(
        nn.Sequential(nn.Flatten(), clock, nn.Linear(16, 3)),
        make_optimizer=partial(torch.optim.SGD, lr=0.1),
        learning_rate_factor=multistep([], 0.1),
        evaluations=["test"],
    )
    fit(
        classifier,
        train_loader=BATCHES,
        evaluation_loaders=[BATCHES],
        num_epochs=3,
        seed=0,
        folder=folder,
        device=torch.device("cpu"),
        report=report,
        callbacks=[TellEpoch(lambda epoch: 10.0 * epoch)],
    )
    return [one for one, _ in itertools.groupby(clock.used)]


WHOLE = [(what, epoch) for epoch in (0.0, 10.0, 20.0) for what in ("training", "evaluation")]


def test_a_layer_knows_the_epoch_in_training_and_in_the_evaluation_after_it(tmp_path: Path) -> None:
    assert _used(tmp_path) == WHOLE


def test_a_resumed_fit_tells_the_epoch_that_it_goes_on_with(tmp_path: Path) -> None:
    with pytest.raises(Stop):
        _used(tmp_path, _stop_in_third_epoch)
    assert _used(tmp_path) == WHOLE[4:]
