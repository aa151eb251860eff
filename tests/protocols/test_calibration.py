"""Timing: that it happens as in a run, that it is bounded, and that it leaves nothing."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from convrepro.protocols import calibration
from convrepro.protocols.composer import compose
from convrepro.protocols.schema import Config
from convrepro.training import Learner


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A small network on a data set that is not there."""
    overrides = ["dataset=fashion_mnist", "model=cnn4", "model.filters=2", "recipe.batch_size=4", "machine.threads=1"]
    overrides += ["machine.accelerator=cpu", "machine.data_dir=nowhere", f"machine.results_dir='{tmp_path}'"]
    return compose(overrides)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seed of each learner that takes a step, as it happens."""
    seen: list[int] = []
    whole = Learner.step

    def noted(self: Learner, x_BCHW: torch.Tensor, labels_B: torch.Tensor, loss_factor: float) -> None:
        assert len(labels_B) == 4
        assert torch.are_deterministic_algorithms_enabled()
        seen.append(self.seed)
        whole(self, x_BCHW, labels_B, loss_factor)

    monkeypatch.setattr(Learner, "step", noted)
    return seen


def test_every_part_takes_time_and_nothing_stays(config: Config, tmp_path: Path) -> None:
    settings = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    speed = calibration.measure([config])
    assert all(0.0 < part < 5.0 for part in dataclasses.astuple(speed))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == settings
    assert list(tmp_path.iterdir()) == []


def test_a_network_whose_steps_are_long_takes_few(
    config: Config, steps: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibration, "SECONDS_PER_CELL", 0.0)
    calibration.measure([config])
    assert len(steps) == 1 + 3  # one warms up


def test_seeds_are_timed_together(config: Config, steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SECONDS_PER_CELL", 0.0)
    calibration.measure([config, dataclasses.replace(config, seed=7)])
    assert sorted(steps) == [0] * 4 + [7] * 4


def test_a_network_that_cannot_be_built_is_told(config: Config) -> None:
    config.model["filters"] = "many"
    with pytest.raises(ValueError, match="filters"):
        calibration.measure([config])


def test_what_every_run_takes_is_a_number_and_nothing_stays(config: Config, tmp_path: Path) -> None:
    overheads = calibration.measure_overheads(config)
    assert all(part >= 0.0 and math.isfinite(part) for part in dataclasses.astuple(overheads))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("precision", "allowed"), [("float32", False), ("tf32", True)])
def test_it_is_timed_under_the_settings_of_a_run(precision: str, allowed: bool) -> None:
    before = torch.backends.cudnn.allow_tf32, torch.are_deterministic_algorithms_enabled()
    with calibration._as_in_a_run(compose([f"machine.precision={precision}"])):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.allow_tf32 is allowed
        assert torch.utils.deterministic.fill_uninitialized_memory is False
    assert (torch.backends.cudnn.allow_tf32, torch.are_deterministic_algorithms_enabled()) == before
