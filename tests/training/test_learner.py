"""One seed: its epoch, its random numbers, its metrics, its state."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.training import seeds
from torch import nn

from convrepro.training import Learner


class Clock(nn.Module):
    """Passes its input on, and remembers what epoch it was told where it was used."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = -1.0
        self.used: list[tuple[str, float]] = []

    def set_epoch(self, epoch: float) -> None:
        self.epoch = epoch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        said = ("training" if self.training else "evaluation", self.epoch)
        self.used += [said] if self.used[-1:] != [said] else []
        return x


def _timed(folder: Path, report: object = lambda fraction: None) -> list[tuple[str, float]]:
    """Where a clock was used in three epochs that stand for 0, 10 and 20."""
    network = seeds.network(0).append(clock := Clock())
    learner = seeds.learner(0, folder, network=network, recipe_epoch=lambda epoch: 10.0 * epoch, report=report)
    seeds.fitted([learner], 3)
    return clock.used


WHOLE = [(what, epoch) for epoch in (0.0, 10.0, 20.0) for what in ("training", "evaluation")]


def test_a_layer_knows_the_epoch_in_training_and_in_the_evaluation_after_it(tmp_path: Path) -> None:
    assert _timed(tmp_path) == WHOLE


def test_after_a_resume_it_knows_the_epoch_that_goes_on(tmp_path: Path) -> None:
    with pytest.raises(seeds.Stop):
        _timed(tmp_path, seeds.stop_after(10))
    assert _timed(tmp_path) == WHOLE[4:]


class Noise(nn.Module):
    """Adds numbers from torch's global generator, as a plug-in's layer may."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.randn_like(x) if self.training else x


def _noisy(folder: Path, chosen: list[int]) -> list[Learner]:
    return seeds.fitted(
        [seeds.learner(seed, folder, network=seeds.network(seed).append(Noise())) for seed in chosen], 3
    )


def test_global_random_numbers_are_each_seeds_own(tmp_path: Path) -> None:
    together = _noisy(tmp_path / "together", [5, 6, 7])
    (alone,) = _noisy(tmp_path / "alone", [6])
    assert seeds.same_bits(together[1], alone)


def test_training_leaves_the_processs_random_numbers_alone(tmp_path: Path) -> None:
    learner = seeds.learner(0, tmp_path)
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    learner.start_epoch(0)
    with learner.own_random_numbers():
        torch.rand(5)
    assert torch.equal(torch.rand(3), expected)


def test_metrics_are_those_of_the_final_weights(tmp_path: Path) -> None:
    (learner,) = seeds.fitted([seeds.learner(0, tmp_path)], 4)
    x, labels = (torch.cat(parts) for parts in zip(*seeds.evaluations()["test"], strict=True))
    logits = learner.network.eval()(x.double())
    accuracy = 100 * (logits.argmax(1) == labels).double().mean().item()
    assert learner.history["test_accuracy"][-1] == pytest.approx(accuracy)
    assert learner.history["test_loss"][-1] == pytest.approx(F.cross_entropy(logits, labels).item())
    assert {len(values) for values in learner.history.values()} == {4}
    assert len(learner.epoch_seconds) == 4


def test_training_metrics_are_means_over_images_before_each_step(tmp_path: Path) -> None:
    learner = seeds.learner(0, tmp_path)
    network, batches = seeds.network(0), list(seeds.train_loader().epoch(0, 0))
    learner.start_epoch(0)
    learner.network[5].p = network[5].p = 0.0
    with torch.no_grad():
        x, labels = batches[0]
        loss = F.cross_entropy(network.train()(x.double()), labels).item()
    learner.step(*batches[0])
    learner.end_training(len(labels))
    learner.end_epoch(0.5)
    assert learner.history["train_loss"] == [pytest.approx(loss)]


def test_a_state_goes_to_another_learner(tmp_path: Path) -> None:
    (trained,) = seeds.fitted([seeds.learner(0, tmp_path)], 2)
    other = seeds.learner(0, tmp_path / "other")
    other.load_state(trained.state())
    assert seeds.same_bits(trained, other)
    assert (other.num_epochs, other.history) == (2, trained.history)
    assert other.history is not trained.history


@pytest.mark.parametrize("state", [{}, {"network": {"weight": torch.ones(1)}}, {"state_dict": {}, "loops": {}}])
def test_what_is_no_state_is_refused(tmp_path: Path, state: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"the checkpoint in .*seed0 is of another version or network .*delete it"):
        seeds.learner(0, tmp_path).load_state(state)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_images_come_in_the_networks_memory_format(tmp_path: Path, memory_format: torch.memory_format) -> None:
    class Seen(nn.Conv2d):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.is_contiguous(memory_format=memory_format)
            return super().forward(x)

    network = nn.Sequential(Seen(3, 4, 3), nn.Flatten(), nn.Linear(256, 3)).to(memory_format=memory_format)
    learner = seeds.learner(0, tmp_path, network=network, memory_format=memory_format)
    learner.start_epoch(0)
    learner.step(torch.ones(2, 3, 10, 10).to(memory_format=torch.channels_last), torch.tensor([0, 1]))


def test_bfloat16_is_for_forward_passes_only(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(100, 3))
    learner = seeds.learner(0, tmp_path, network=network, precision="bfloat16")
    exact = seeds.learner(1, tmp_path, network=nn.Sequential(nn.Flatten(), nn.Linear(100, 3)))
    exact.network.load_state_dict(network.state_dict())
    for one in (learner, exact):
        one.start_epoch(0)
        one.step(torch.randn(8, 1, 10, 10, generator=torch.Generator().manual_seed(0)), torch.arange(8) % 3)
    ours, theirs = (one.network[1].weight for one in (learner, exact))
    assert ours.dtype == torch.float32
    assert not torch.equal(ours, theirs)
    torch.testing.assert_close(ours, theirs, rtol=0.0, atol=0.02)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # the compiler's own
def test_a_compiled_learner_is_the_same_learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the compiler's own eager back-end, which needs no C++ compiler; state and checkpoints are the network's."""
    compiled: list[nn.Module] = []
    whole = torch.compile

    def in_eager_mode(network: nn.Module) -> object:
        compiled.append(network)
        return whole(network, backend="eager")

    monkeypatch.setattr(torch, "compile", in_eager_mode)
    learners = [seeds.learner(0, tmp_path / str(flag), compiled=flag) for flag in (True, False)]
    for learner in learners:
        seeds.fitted([learner], 2)
    assert compiled == [learners[0].network]
    assert seeds.same_bits(*learners)
