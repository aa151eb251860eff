import dataclasses
import itertools
import math
import time

import pytest
import torch

from convrepro.protocols import step_timing
from convrepro.protocols.composer import compose
from convrepro.protocols.schema import Config
from convrepro.protocols.step_timing import time_steps

CPU = torch.device("cpu")


def _config(*overrides: str) -> Config:
    base = ["dataset=digits", "model=cnn4", "model.filters=4", "protocol=step_timing", "recipe.batch_size=4"]
    return compose([*base, "machine.accelerator=cpu", *overrides])


TASKS = [("step_timing", "train_step_microseconds"), ("inference_timing", "inference_milliseconds_per_image")]


def _task(name: str, *overrides: str) -> Config:
    config = _config(*overrides)
    return dataclasses.replace(config, protocol=dataclasses.replace(config.protocol, task=name))


@pytest.mark.parametrize(("task", "metric"), TASKS)
def test_each_task_measures_its_time(task: str, metric: str) -> None:
    outcome = time_steps(_task(task, "conv=aconv"), CPU, seconds=0.0)
    assert outcome.selected.keys() == {"last"}
    times = outcome.selected["last"]
    assert times.keys() == {metric}
    assert all(math.isfinite(value) and value > 0 for value in times.values())
    assert outcome.epochs == {}
    assert outcome.reason == ""
    assert outcome.seconds > 0


@pytest.mark.parametrize(("task", "value"), [("step_timing", 500_000.0), ("inference_timing", 125.0)])
def test_units(monkeypatch: pytest.MonkeyPatch, task: str, value: float) -> None:
    """A clock that advances by 0.5 s whenever it is read: each round of one step takes 0.5 s, of 4 images."""
    ticks = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: 0.5 * next(ticks))
    assert list(time_steps(_task(task), CPU).selected["last"].values()) == [value]


def test_a_short_piece_of_work_is_repeated_within_a_round(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 4 ms a piece, a round of 20 ms has five; two pieces are warm-ups."""
    now, calls = 0.0, 0

    def work() -> None:
        nonlocal now, calls
        now, calls = now + 0.004, calls + 1

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert step_timing._median_seconds(work, CPU, 0.1 - 1e-9) == pytest.approx(0.004)
    assert calls == 2 + 5 * 5


def test_a_network_that_does_not_classify() -> None:
    with pytest.raises(ValueError, match=r"needs a network that classifies, with logits \(1, 10\) of an image, got"):
        time_steps(compose(["dataset=digits", "model=unet", "protocol=step_timing", "recipe.batch_size=2"]), CPU)
