"""One seed: its epoch, its random numbers, its metrics, its state."""

import itertools
import math
from functools import partial
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
    """Adds numbers from torch's global generator, as a plug-in's layer may, in training and in evaluation."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * torch.randn_like(x)


def _noisy(folder: Path, chosen: list[int], **keys: object) -> list[Learner]:
    return seeds.fitted(
        [seeds.learner(seed, folder, network=seeds.network(seed).append(Noise()), **keys) for seed in chosen], 3
    )


def test_global_random_numbers_are_each_seeds_own(tmp_path: Path) -> None:
    together = _noisy(tmp_path / "together", [5, 6, 7])
    (alone,) = _noisy(tmp_path / "alone", [6])
    assert seeds.same_bits(together[1], alone)
    assert together[1].history == alone.history
    with pytest.raises(seeds.Stop):
        _noisy(tmp_path / "cut", [6], report=seeds.stop_after(6))
    assert _noisy(tmp_path / "cut", [6])[0].history == alone.history


def test_random_numbers_go_on_from_chunk_to_chunk(tmp_path: Path) -> None:
    learner, drawn = seeds.learner(0, tmp_path), []
    learner.start_epoch(0)
    for _ in range(2):
        with learner.own_random_numbers():
            drawn.append(torch.rand(3))
    learner.start_epoch(0)
    with learner.own_random_numbers():
        assert torch.equal(torch.cat(drawn), torch.rand(6))


def test_every_seed_and_epoch_has_its_own_masks(tmp_path: Path) -> None:
    masks = set()
    for seed in (0, 1):
        learner = seeds.learner(seed, tmp_path)
        for epoch in (0, 1):
            learner.start_epoch(epoch)
            masks.add(tuple(learner.network[5](torch.ones(64)).tolist()))
    assert len(masks) == 4


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


def test_training_metrics_are_means_over_images_the_short_last_batch_too(tmp_path: Path) -> None:
    """Of weights that do not move: each batch's loss counts as often as it has images."""
    learner = seeds.learner(0, tmp_path, make_optimizer=partial(torch.optim.SGD, lr=0.0))
    network, batches = seeds.network(0).train(), list(seeds.train_loader().epoch(0, 0))
    learner.network[5].p = network[5].p = 0.0
    learner.start_epoch(0)
    loss = num_correct = 0.0
    for x, labels in batches:
        learner.step(x, labels)
        with torch.no_grad():
            logits = network(x.double())
        loss += F.cross_entropy(logits, labels, reduction="sum").item()
        num_correct += (logits.argmax(1) == labels).sum().item()
    learner.end_training()
    learner.end_epoch(1.0)
    assert learner.history["train_loss"] == [pytest.approx(loss / 40)]
    assert learner.history["train_accuracy"] == [pytest.approx(100 * num_correct / 40)]


def test_a_seed_is_charged_its_share_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", itertools.count().__next__)
    learners = seeds.fitted([seeds.learner(seed, tmp_path) for seed in range(4)], 2)
    started_and_ended = 2 * 4
    for epoch in (0, 1):
        assert 0 < sum(learner.epoch_seconds[epoch] for learner in learners) < started_and_ended


def test_all_parameter_groups_follow_the_schedule(tmp_path: Path) -> None:
    network = seeds.network(0)
    groups = [{"params": network[0].parameters(), "lr": 0.4}, {"params": network[6].parameters(), "lr": 0.02}]
    learner = seeds.learner(0, tmp_path, network=network, make_optimizer=lambda _: torch.optim.SGD(groups, lr=1.0))
    learner.start_epoch(4)
    assert [group["lr"] for group in learner.optimizer.param_groups] == pytest.approx([0.2, 0.01])
    learner.end_epoch(1.0)
    assert learner.history["learning_rate"] == [pytest.approx(0.2)]


def test_frozen_parameters_are_nobodys_to_clip(tmp_path: Path) -> None:
    network = seeds.network(0)
    network[0].weight.requires_grad_(False)
    seen: list[int] = []
    learner = seeds.learner(0, tmp_path, network=network, clip_gradients=lambda found: seen.append(len(found)))
    learner.start_epoch(0)
    learner.step(*next(iter(seeds.train_loader().epoch(0, 0))))
    assert seen == [4]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_evaluation_that_is_no_number_is_a_divergence_too(tmp_path: Path, value: float) -> None:
    learner = seeds.learner(0, tmp_path)
    learner.start_epoch(0)
    torch.nn.init.constant_(learner.network[6].bias[:1], value)
    learner.evaluate("validation", seeds.evaluations()["validation"])
    learner.end_epoch(1.0)
    assert learner.reason == "the validation loss was nan in epoch 1"


def test_fused_optimizers_find_a_state_laid_out_as_their_parameters(tmp_path: Path) -> None:
    """A checkpoint of contiguous weights goes on in channels-last: fused optimizers index memory flat."""
    fused = partial(torch.optim.SGD, lr=0.1, momentum=0.9, fused=True)
    trained = seeds.learner(0, tmp_path / "contiguous", make_optimizer=fused)
    trained.network.to(memory_format=torch.contiguous_format)
    seeds.fitted([trained], 1)
    other = seeds.learner(0, tmp_path / "channels last", make_optimizer=fused)
    other.load_state(trained.state())
    for learner in (trained, other):
        learner.start_epoch(1)
        learner.step(*next(iter(seeds.train_loader().epoch(0, 1))))
    torch.testing.assert_close(other.network.state_dict(), trained.network.state_dict(), rtol=0.0, atol=1e-12)


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
    assert ours.dtype == learner.logits(torch.ones(2, 1, 10, 10)).dtype == torch.float32
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


def _pixel_learner(folder: Path) -> Learner:
    torch.manual_seed(0)
    return seeds.learner(0, folder, network=nn.Conv2d(1, 3, 3, padding=1).double(), accuracy="pixel_accuracy")


def test_masks_are_counted_by_pixels(tmp_path: Path) -> None:
    """Segmentation: mean loss and share of right pixels over all pixels of unequal batches."""
    learner = _pixel_learner(tmp_path)
    generator = torch.Generator().manual_seed(1)
    batches = [
        (torch.randn(num, 1, 4, 5, generator=generator), torch.randint(3, (num, 4, 5), generator=generator))
        for num in (3, 1)
    ]
    loss = num_right = 0.0
    for x, masks in batches:
        with torch.no_grad():
            logits = learner.network(x.double())
        for b, row, column in itertools.product(range(len(x)), range(4), range(5)):
            at_pixel = logits[b, :, row, column]
            loss -= at_pixel.log_softmax(0)[masks[b, row, column]].item()
            num_right += at_pixel.argmax().item() == masks[b, row, column].item()
    learner.start_epoch(0)
    learner.evaluate("test", batches)
    learner.end_epoch(1.0)
    assert learner.history["test_loss"] == [pytest.approx(loss / 80, rel=1e-6)]
    assert learner.history["test_pixel_accuracy"] == [pytest.approx(100 * num_right / 80)]


def test_training_metrics_of_masks_are_means_over_pixels(tmp_path: Path) -> None:
    """Logits of 0 for three classes: a loss of log 3 in each pixel, and a first class that 20 of 60 pixels have."""
    learner = _pixel_learner(tmp_path)
    with torch.no_grad():
        for parameter in learner.parameters:
            parameter.zero_()
    learner.start_epoch(0)
    learner.step(torch.zeros(3, 1, 4, 5), torch.arange(60).reshape(3, 4, 5) % 3)
    learner.end_training()
    learner.end_epoch(1.0)
    assert learner.history["train_loss"] == [pytest.approx(math.log(3.0))]
    assert learner.history["train_pixel_accuracy"] == [pytest.approx(100 / 3)]


def test_a_label_among_the_first_k(tmp_path: Path) -> None:
    """Logits 0, 1, ..., 9 for classes 0 to 9: the first three are 9, 8 and 7."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 10)).double()
    with torch.no_grad():
        network[1].weight.zero_()
        network[1].bias.copy_(torch.arange(10.0))
    learner = seeds.learner(0, tmp_path, network=network, top_k=3)
    learner.start_epoch(0)
    learner.evaluate("test", [(torch.zeros(5, 1, 2, 2), torch.tensor([9, 8, 7, 6, 0]))])
    learner.end_epoch(1.0)
    assert learner.history["test_accuracy"] == [20.0]
    assert learner.history["test_top3_accuracy"] == [60.0]


def test_rates_of_each_step_reach_every_group(tmp_path: Path) -> None:
    """A rate proportional to the position: steps of half an epoch, two groups with rates of their own."""
    used: list[list[float]] = []

    class Noting(torch.optim.SGD):
        def step(self, closure: object = None) -> None:
            used.append([float(group["lr"]) for group in self.param_groups])

    def groups(network: nn.Module) -> list[dict[str, object]]:
        first, *others = network.parameters()
        return [{"params": [first]}, {"params": others, "lr": 0.5}]

    learner = seeds.learner(
        0,
        tmp_path,
        make_optimizer=partial(Noting, lr=1.0),
        parameter_groups=groups,
        rates_at=lambda position, rate: {"lr": rate * (1.0 + position)},
    )
    seeds.fitted([learner], 2)
    num_steps = len(seeds.train_loader())
    positions = [epoch + step / num_steps for epoch in range(2) for step in range(num_steps)]
    assert [first for first, _ in used] == pytest.approx([1.0 + x for x in positions])
    assert [second for _, second in used] == pytest.approx([0.5 * (1.0 + x) for x in positions])
    assert learner.history["learning_rate"] == pytest.approx([1.0, 2.0])
