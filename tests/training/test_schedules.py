"""Learning-rate schedules."""

import math
import random

import pytest
import torch

from convrepro.training.schedules import Patience, multistep, one_cycle, plateau


@pytest.mark.parametrize(("milestones", "decay_factor"), [([3, 5], 0.1), ([1], 0.5), ([], 0.1), ([2, 2], 0.5)])
def test_multistep_is_torchs_multistep(milestones: list[int], decay_factor: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, decay_factor)
    factor = multistep(milestones, decay_factor)
    for epoch in range(8):
        assert factor(epoch) == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_plateau_is_torchs_plateau(patience: int) -> None:
    """On losses that fall, stay, fall by less than a ten-thousandth, and rise."""
    generator = random.Random(patience)
    losses, loss = [], 1.0
    for _ in range(200):
        loss *= generator.choice([0.9, 0.99995, 1.0, 1.02])
        losses.append(loss)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.9, patience=patience, eps=0.0)
    factor = plateau("test_loss", 0.9, Patience(epochs=patience))
    assert factor({}) == 1.0
    for epoch, loss in enumerate(losses, start=1):
        reference.step(loss)
        assert factor({"test_loss": losses[:epoch], "train_loss": []}) == pytest.approx(reference.get_last_lr()[0])
    assert reference.get_last_lr()[0] < 0.9**5


def _keras(losses: list[float], *, patience: int, cooldown: int) -> list[float]:
    """Keras' ReduceLROnPlateau(factor=0.9, min_delta=1e-4), as its documentation and source have it, epoch by epoch."""
    rate, best, wait, cooling, rates = 1.0, math.inf, 0, 0, []
    for loss in losses:
        if cooling > 0:
            cooling -= 1
            wait = 0
        if loss < best - 1e-4:
            best, wait = loss, 0
        elif cooling == 0:
            wait += 1
            if wait >= patience:
                rate, cooling, wait = rate * 0.9, cooldown, 0
        rates.append(rate)
    return rates


@pytest.mark.parametrize(("patience", "cooldown"), [(1, 0), (3, 0), (3, 2), (2, 5), (10, 10)])
def test_keras_plateau(patience: int, cooldown: int) -> None:
    draw = random.Random(patience)
    losses = [max(0.5, 1.0 - 0.04 * epoch) + draw.choice([0.0, 5e-5, 0.3]) for epoch in range(80)]
    factor = plateau("loss", 0.9, Patience(epochs=patience, cooldown=cooldown, as_keras=True))
    found = [factor({"loss": losses[:epoch]}) for epoch in range(1, 81)]
    assert found == pytest.approx(_keras(losses, patience=patience, cooldown=cooldown))
    assert len(set(found)) > 2


@pytest.mark.parametrize("cooldown", [1, 4])
def test_a_cooldown_is_torchs(cooldown: int) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.9, patience=2, cooldown=cooldown)
    factor = plateau("loss", 0.9, Patience(epochs=2, cooldown=cooldown))
    draw, losses = random.Random(0), []
    for epoch in range(60):
        losses.append(1.0 / (epoch + 1) + draw.choice([0.0, 0.3]))
        torchs.step(losses[-1])
        assert factor({"loss": losses}) == pytest.approx(optimizer.param_groups[0]["lr"])


def test_a_plateau_stops_at_the_least_rate() -> None:
    factor = plateau("loss", 0.1, Patience(epochs=0), least=0.05)
    assert [factor({"loss": [1.0] * epochs}) for epochs in (1, 2, 3, 9)] == pytest.approx([1.0, 0.1, 0.05, 0.05])


def test_held_out_loss_is_that_of_validation_where_there_is_one() -> None:
    factor = plateau("held_out_loss", 0.5, Patience(epochs=0))
    assert factor({"validation_loss": [1.0, 1.0], "test_loss": [2.0, 1.0]}) == 0.5
    assert factor({"test_loss": [2.0, 1.0]}) == 1.0


def test_a_cosine_cycle_is_torchs_one_cycle() -> None:
    """fastai's fit_one_cycle anneals by cosines, as torch's OneCycleLR does: div 25, final div 1e5, a quarter up."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=1.0,
        total_steps=101,
        pct_start=0.25,
        div_factor=25,
        final_div_factor=4000,
        cycle_momentum=False,
    )
    ours = one_cycle("cosine", first=1 / 25, peak=1.0, last=1e-5, peak_at=24.25 / 100)
    for step in range(100):
        assert ours(step / 100) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9)
        optimizer.step()
        torchs.step()


def test_a_gaussian_cycle_has_the_printed_ends_and_the_codes_shape() -> None:
    """Tek et al. 2021, Sec. 4.3: from 0.001 to 0.5 and back; their code: exp(-((i - c) / (c / 2))^2)."""
    rate = one_cycle("gaussian", first=0.001, peak=0.5, last=0.001, peak_at=0.5)
    assert [rate(x) for x in (0.0, 0.5, 1.0)] == pytest.approx([0.001, 0.5, 0.001])
    codes = [math.exp(-(((x - 0.5) / 0.25) ** 2)) for x in (0.1, 0.3, 0.7)]
    scaled = [0.001 + 0.499 * (code - math.exp(-4)) / (1 - math.exp(-4)) for code in codes]
    assert [rate(x) for x in (0.1, 0.3, 0.7)] == pytest.approx(scaled)
