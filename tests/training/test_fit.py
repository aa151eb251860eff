"""One training phase: steps, interruption, resume, groups."""

import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.training import seeds
from torch import nn

from convrepro.training import Learner, checkpoints


def test_what_follows_each_step_is_registered_once_and_again_after_a_resume(tmp_path: Path) -> None:
    """After every step the bias is set to 7, whatever the gradient; two fits make an optimizer each."""
    made: list[torch.optim.Optimizer] = []

    def learner(**keys: object) -> Learner:
        network = seeds.network(0)

        def follow(optimizer: torch.optim.Optimizer) -> None:
            made.append(optimizer)
            optimizer.register_step_post_hook(lambda *_: nn.init.constant_(network[6].bias, 7.0))

        return seeds.learner(0, tmp_path, network=network, after_optimizer=follow, **keys)

    first = learner(report=seeds.stop_after(6))
    with pytest.raises(seeds.Stop):
        seeds.fitted([first])
    (resumed,) = seeds.fitted([learner()])
    assert len(made) == 2
    assert first.network[6].bias.tolist() == resumed.network[6].bias.tolist() == [7.0] * 3


@pytest.mark.parametrize(
    "make_optimizer",
    [partial(torch.optim.SGD, lr=0.1, momentum=0.9), partial(torch.optim.Adam, lr=0.01), partial(torch.optim.NAdam)],
)
@pytest.mark.parametrize("stop_after", [1, 4, 5, 8, 12, 15])
def test_a_stopped_fit_resumes_to_the_last_bit(tmp_path: Path, stop_after: int, make_optimizer: object) -> None:
    def learner(folder: Path, **keys: object) -> Learner:
        network = seeds.network(0, torch.float32)
        return seeds.learner(0, folder, network=network, make_optimizer=make_optimizer, **keys)

    (whole,) = seeds.fitted([learner(tmp_path / "whole")], 4)
    with pytest.raises(seeds.Stop):
        seeds.fitted([learner(tmp_path / "cut", report=seeds.stop_after(stop_after))], 4)
    (resumed,) = seeds.fitted([learner(tmp_path / "cut")], 4)
    assert seeds.same_bits(resumed, whole)
    assert resumed.history == whole.history
    assert len(resumed.epoch_seconds) == 4
    logs = [learner.folder / "metrics.csv" for learner in (whole, resumed)]
    assert logs[0].read_text() == logs[1].read_text()


def test_a_finished_fit_trains_nothing_and_has_its_history(tmp_path: Path) -> None:
    (first,) = seeds.fitted([seeds.learner(0, tmp_path)], 2)
    (second,) = seeds.fitted([seeds.learner(0, tmp_path, report=seeds.stop_after(1))], 2)
    assert second.history == first.history
    assert seeds.same_bits(first, second)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    (whole,) = seeds.fitted([seeds.learner(0, tmp_path / "whole")], 4)
    (cut,) = seeds.fitted([seeds.learner(0, tmp_path / "cut")], 3)
    checkpoints.path_after(cut.folder, 3).write_bytes(b"torn")
    reports: list[float] = []
    (resumed,) = seeds.fitted([seeds.learner(0, tmp_path / "cut", report=reports.append)], 4)
    assert len(reports) == 4 * 2
    assert seeds.same_bits(resumed, whole)


def test_an_interrupt_is_an_interrupt(tmp_path: Path) -> None:
    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seeds.fitted([seeds.learner(0, tmp_path, report=interrupt)])


def test_progress_rises_to_one(tmp_path: Path) -> None:
    fractions: list[float] = []
    seeds.fitted([seeds.learner(0, tmp_path, report=fractions.append)], 4)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) == 16


class Settings(nn.Module):
    """Notes torch's settings while it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[bool, bool, bool]] = set()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.add(_settings())
        return x


def _settings() -> tuple[bool, bool, bool]:
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.backends.cudnn.allow_tf32,
    )


def test_training_is_deterministic_in_true_float32_and_fills_no_memory(tmp_path: Path) -> None:
    network, handler = seeds.network(0).append(settings := Settings()), signal.getsignal(signal.SIGINT)
    before = _settings()
    seeds.fitted([seeds.learner(0, tmp_path, network=network)], 1)
    assert settings.seen == {(True, False, False)}
    assert _settings()[1:] == before[1:] == (True, True)
    assert signal.getsignal(signal.SIGINT) is handler
