"""Nine filters learned from a small image of noise."""

import math

import numpy as np
import pytest
import torch

from convrepro.data import ImageSplit
from convrepro.protocols import filter_learning
from convrepro.protocols.composer import compose
from convrepro.protocols.filter_learning import learn_from
from convrepro.protocols.filter_targets import filter_targets
from convrepro.protocols.schema import Config

BASE = ["dataset=image_filters", "model=filter_bank", "recipe.epochs=6", "machine.accelerator=cpu"]
ADAPTIVE = ["conv=aconv", "conv.sigma_init=0.25"]
PIXELS_HW = np.random.RandomState(0).randint(0, 256, (12, 12)).astype(np.uint8)
IMAGE = ImageSplit(torch.from_numpy(PIXELS_HW)[None, None], torch.zeros(1, dtype=torch.int64))


def _config(*overrides: str) -> Config:
    return compose([*BASE, *overrides])


def test_ordinary_convolution_against_gradient_descent_by_hand() -> None:
    """From the same weights: v = 0.9 v + g, w = w - 0.1 v, with the gradient of the mean squared error."""
    outcome = learn_from(_config(), IMAGE)
    image = torch.from_numpy(PIXELS_HW / 255.0).float()
    patches = torch.nn.functional.unfold(image[None, None], 9, padding=4)[0]  # 81 x 144
    targets = torch.from_numpy(filter_targets(PIXELS_HW / 255.0)).float().flatten(1)
    torch.manual_seed(0)
    weights = _initial_weights()
    velocity, losses = torch.zeros_like(weights), []
    for _ in range(6):
        error = weights @ patches - targets
        velocity = 0.9 * velocity + 2 / error.numel() * error @ patches.T
        weights = weights - 0.1 * velocity
        losses.append((weights @ patches - targets).square().mean().item())
    assert outcome.epochs.keys() == {"train_loss"}
    assert outcome.epochs["train_loss"] == pytest.approx(losses, rel=1e-4)
    assert outcome.selected["last"] == {"epoch": 6, "train_loss": pytest.approx(losses[-1], rel=1e-4)}
    assert outcome.reason == ""


def _initial_weights() -> torch.Tensor:
    network = filter_learning.build_network(_config())
    return next(iter(network.parameters())).detach().flatten(1).clone()


def test_apertures_stand_beside_the_loss_and_in_their_range() -> None:
    outcome = learn_from(_config(*ADAPTIVE), IMAGE)
    names = [f"sigma_{number}" for number in range(9)]
    assert list(outcome.epochs) == ["train_loss", *names]
    assert all(len(values) == 6 for values in outcome.epochs.values())
    assert all(1 / 9 - 1e-6 <= value <= 9 for name in names for value in outcome.epochs[name])
    assert outcome.epochs["sigma_0"][0] != outcome.epochs["sigma_0"][-1]
    assert outcome.selected["last"]["sigma_3"] == pytest.approx(outcome.epochs["sigma_3"][-1], rel=1e-5)


def test_the_seed_is_all_that_is_random() -> None:
    first, again, other = (learn_from(_config(*ADAPTIVE, f"seed={seed}"), IMAGE) for seed in (3, 3, 4))
    assert first.epochs == again.epochs
    assert first.epochs != other.epochs


def test_learning_lowers_the_loss() -> None:
    losses = learn_from(_config("recipe.epochs=60"), IMAGE).epochs["train_loss"]
    assert losses[-1] < losses[0] / 3


def test_a_scaled_run_has_fewer_iterations() -> None:
    outcome = learn_from(_config("recipe.epochs=50", "protocol.scale=0.1"), IMAGE)
    assert len(outcome.epochs["train_loss"]) == outcome.selected["last"]["epoch"] == 5


def test_divergence_ends_the_run_with_its_reason() -> None:
    outcome = learn_from(
        _config("recipe.epochs=500", "recipe.optimizer.lr=1e10", "recipe.clip_gradient_value=null"), IMAGE
    )
    losses = outcome.epochs["train_loss"]
    assert outcome.selected == {}
    assert not math.isfinite(losses[-1])
    assert all(map(math.isfinite, losses[:-1]))
    assert outcome.reason == f"the training loss was {losses[-1]} after iteration {len(losses)}"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["recipe.milestones=[2]"], r"`protocol.task` filters knows no `recipe.milestones`"),
        (["dataset=cifar10", "protocol=filter_learning"], r"needs images of 1 channel, got 3"),
        (["model.num_filters=4"], r"needs a network that answers with \(9, 12, 12\), .* got \(4, 12, 12\)"),
        (["model=lenet", "recipe=aconv_filters"], r"needs a network that answers with \(9, 12, 12\), .*"),
    ],
)
def test_errors(overrides: list[str], message: str) -> None:
    image = IMAGE
    if "model=lenet" in overrides:  # which takes one size of images only
        pixels = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
        image, message = ImageSplit(pixels, torch.zeros(1, dtype=torch.int64)), message.replace("12", "28")
    with pytest.raises(ValueError, match=message):
        learn_from(_config(*overrides), image)
