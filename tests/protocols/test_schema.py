"""What follows from a config's values."""

import pytest

from convrepro.protocols.compose import compose
from convrepro.training import multistep


def test_epochs_and_milestones_move_with_the_scale() -> None:
    config = compose(["recipe=dk_sgd", "protocol.scale=0.02"])
    assert config.num_epochs == 6  # 300 x 0.02
    factor = multistep(config.recipe.milestones, config.recipe.decay_factor)
    rates = [factor(config.unscaled_epoch(epoch)) for epoch in range(6)]
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.01])  # 150 x 0.02 = 3 and 225 x 0.02 = 4.5
    assert config.is_scaled


def test_at_least_one_epoch_is_left() -> None:
    assert compose(["recipe=dk_sgd", "protocol.scale=0.0001"]).num_epochs == 1


def test_fewer_images_are_a_scaled_run_too() -> None:
    assert compose(["protocol.images=0.5"]).is_scaled
    assert not compose([]).is_scaled
