"""The section that needs a GPU, as far as it can be tried without one."""

import pytest
import torch

from convrepro.benchmarks import SECTIONS, gpu
from convrepro.benchmarks.settings import Settings


def test_goals_are_those_that_were_set() -> None:
    """1.5 s for five seeds against 1 s for one; Lightning 4 s for one, so 20 s for five."""
    samples = {
        "together, streams": [1.5, 1.5, 1.5],
        "together, loop": [5.0, 5.0, 5.0],
        "one seed": [1.0, 1.0, 1.0],
        "Lightning": [4.0, 4.0, 4.0],
    }
    streams, loop, lightning, peak = gpu.rows_of(samples, 3 * 2**30)
    assert (streams.values, streams.verdict) == ([1.5, 1.5, 1.5], "met")
    assert streams.goal is not None
    assert streams.goal.most == 1.6
    assert (loop.values, loop.goal) == ([5.0, 5.0, 5.0], None)
    assert lightning.values == pytest.approx([20 / 1.5] * 3)
    assert lightning.goal is not None
    assert (lightning.goal.least, lightning.verdict) == (12.0, "met")
    assert (peak.values, peak.unit) == ([3072.0], "MiB")


def test_an_epoch_of_seeds_ends_with_the_slowest(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = gpu.contestants(settings, 50, num_epochs=2)["together, loop"][1][0][:2]
    told, synchronized = [], []

    def run_seeds(configs: object, *, report: object) -> None:
        for seed, fraction in ((0, 0.25), (0, 0.5), (1, 0.25), (0, 1.0), (1, 0.5), (1, 1.0)):
            report(seed, fraction)
            told.append((seed, fraction, len(synchronized)))

    monkeypatch.setattr(gpu, "run_seeds", run_seeds)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    gpu.run_epochs_together(lambda: synchronized.append(None), configs)
    assert [finished for *_, finished in told] == [0, 0, 0, 0, 1, 2]


def test_sides_differ_in_backend_and_seeds(settings: Settings) -> None:
    sides = gpu.contestants(settings, 50, num_epochs=2)
    configs = {name: arguments[0] for name, (_, arguments) in sides.items()}
    assert [config.seed for config in configs["together, streams"]] == [0, 1, 2, 3, 4]
    assert configs["together, streams"][0].machine.backend == "streams"
    assert configs["together, loop"][0].machine.backend == "loop"
    assert [config.seed for config in configs["one seed"]] == [0]
    for config in (configs["together, streams"][0], configs["one seed"][0], configs["Lightning"]):
        assert (config.machine.accelerator, config.machine.precision) == ("gpu", "tf32")
        assert (config.model["name"], config.recipe.batch_size) == ("resnet20", 64)


def test_the_section_is_there_where_a_gpu_is(monkeypatch: pytest.MonkeyPatch) -> None:
    (section,) = (section for section in SECTIONS if section.name == "gpu")
    for has_gpu in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has_gpu=has_gpu: has_gpu)
        assert section.is_possible() is has_gpu


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_every_side_runs(settings: Settings) -> None:
    assert len(gpu.rows(settings, lambda fraction: None)) == 4
