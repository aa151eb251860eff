"""Learning-rate schedules."""

import pytest
import torch

from convrepro.training.schedules import multistep


@pytest.mark.parametrize(("milestones", "decay_factor"), [([3, 5], 0.1), ([1], 0.5), ([], 0.1), ([2, 2], 0.5)])
def test_multistep_is_torchs_multistep(milestones: list[int], decay_factor: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, decay_factor)
    factor = multistep(milestones, decay_factor)
    for epoch in range(8):
        assert factor(epoch) == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()
