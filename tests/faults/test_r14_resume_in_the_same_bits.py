"""R14: every operator in two networks, stopped at ends of epochs and within them, ends in the bits of a whole run."""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import seeds

from convrepro import config_files
from convrepro.data import EpochLoader, EvaluationLoader
from convrepro.models import build
from convrepro.training import Learner, fit, seed_group
from convrepro.training.checkpoints import Position, found

NUM_EPOCHS, NUM_IMAGES, BATCH_SIZE = 3, 5, 3  # two steps an epoch, the last one short
DATASET = {"num_classes": 3, "in_channels": 1, "image_size": [10, 10]}
NETWORKS = {
    "cnn4": ({"filters": 3}, partial(torch.optim.SGD, lr=0.05, momentum=0.9, nesterov=True)),
    "resnet20": ({"depth": 8, "widths": [2, 2, 4]}, partial(torch.optim.Adam, lr=0.01)),  # batch normalisation
}
STEPS = [Position(1, 1), Position(0, 1), Position(2, 2), Position(0, 2), Position(1, 2), Position(2, 1)]
POINTS = [STEPS[0], Position(1), *STEPS[1:], Position(2)]


def _learners(folder: Path, model: str) -> list[Learner]:
    small, make_optimizer = NETWORKS[model]
    node = {key: value for key, value in config_files.load("model", model).items() if key != "defaults"} | small
    learners = []
    for seed, conv in enumerate(config_files.names("conv")):
        torch.manual_seed(seed)
        network = build(model=node, conv=conv, dataset=DATASET).to(memory_format=torch.channels_last)
        learners.append(Learner(network, seed=seed, folder=folder / conv, make_optimizer=make_optimizer, **_SCHEDULE))
    return learners


_SCHEDULE: dict[str, Any] = {"learning_rate_factor": lambda epoch, history: 0.5**epoch}


def _fit(learners: list[Learner]) -> list[Learner]:
    augmentation = config_files.load("recipe/augmentation", "dk_fashion_mnist") | {"crop_padding": 1}
    scale: dict[str, Any] = {"mean": [0.45], "std": [0.3], "device": seeds.CPU}
    train = EpochLoader(seeds.split(NUM_IMAGES, 1), batch_size=BATCH_SIZE, augmentation=augmentation, **scale)
    test = EvaluationLoader(seeds.split(4, 2), batch_size=4, **scale)
    fit(learners, train_loader=train, evaluations={"test": test}, num_epochs=NUM_EPOCHS)
    return learners


def _stop_at(learner: Learner, point: Position) -> None:
    """A real signal, from a report of a step or the end of an epoch."""

    def after_epoch(learner: Learner) -> None:
        if learner.num_epochs == point.num_epochs and point.num_steps == 0:
            signal.raise_signal(signal.SIGTERM)

    last_step = 2 * point.num_epochs + point.num_steps
    learner.report = seeds.signal_at(last_step if point.num_steps else 10**6)
    learner.after_epoch = after_epoch


@pytest.fixture(scope="module", params=NETWORKS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[Learner]]:
    return request.param, _fit(_learners(tmp_path_factory.mktemp("whole"), request.param))


def test_every_operator_resumes_in_the_same_bits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    whole: tuple[str, list[Learner]],
    figure: Callable[[int, int], int],
) -> None:
    monkeypatch.setattr(seed_group, "_SECONDS_UNSTOPPED", 0.0)  # a look after each step
    model, expected = whole
    for point in POINTS[: figure(2, len(POINTS))]:
        folder = tmp_path / f"{point.num_epochs} {point.num_steps}"
        cut = _learners(folder, model)
        _stop_at(cut[0], point)
        with seeds.interruption.heeded(), pytest.raises(seeds.interruption.Interrupted):
            _fit(cut)
        assert {max(found(learner.folder)) for learner in cut} == {point}
        for ours, theirs in zip(_fit(_learners(folder, model)), expected, strict=True):
            assert seeds.same_bits(ours, theirs), (theirs.folder.name, point)
            assert ours.history == theirs.history, (theirs.folder.name, point)
            assert not theirs.reason
