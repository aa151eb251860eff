"""Learning-rate schedules."""

import random

import pytest
import torch

from convrepro.training.schedules import multistep, plateau


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
    factor = plateau("test_loss", 0.9, patience)
    assert factor({}) == 1.0
    for epoch, loss in enumerate(losses, start=1):
        reference.step(loss)
        assert factor({"test_loss": losses[:epoch], "train_loss": []}) == pytest.approx(reference.get_last_lr()[0])
    assert reference.get_last_lr()[0] < 0.9**5
