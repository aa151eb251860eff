"""One training phase: metrics, interruption, resume."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from convrepro.training import Classifier, Diverged, fit, multistep

Batch = tuple[torch.Tensor, torch.Tensor]


class Batches:
    """Random batches that depend on the epoch only."""

    def __init__(self, num_batches: int, epoch: Callable[[], int], scale: float = 1.0) -> None:
        self.num_batches, self.epoch, self.scale = num_batches, epoch, scale

    def __len__(self) -> int:
        return self.num_batches

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.epoch())
        for size in range(3, 3 + self.num_batches):
            x = torch.randn(size, 1, 4, 4, generator=generator) * self.scale
            yield x, torch.randint(0, 3, (size,), generator=generator)


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.3), nn.Linear(16, 3))


def _classifier() -> Classifier:
    return Classifier(
        _network(),
        make_optimizer=partial(torch.optim.SGD, lr=0.1, momentum=0.9),
        learning_rate_factor=multistep([2, 3], 0.1),
        evaluations=["validation", "test"],
    )


def _fit(classifier: Classifier, folder: Path, report: Callable[[float], None] = lambda fraction: None) -> Classifier:
    fit(
        classifier,
        train_loader=Batches(4, lambda: classifier.current_epoch),
        evaluation_loaders=[Batches(2, lambda: 100), Batches(3, lambda: 101)],
        num_epochs=4,
        seed=3,
        folder=folder,
        device=torch.device("cpu"),
        report=report,
    )
    return classifier


class Stop(Exception):
    """Ends a fit from within."""


def _stop_after(num_batches: int) -> Callable[[float], None]:
    count = iter(range(1, 10**6))

    def report(fraction: float) -> None:
        if next(count) == num_batches:
            raise Stop

    return report


def test_metrics_are_those_of_the_final_weights(tmp_path: Path) -> None:
    classifier = _fit(_classifier(), tmp_path)
    classifier.network.eval()
    batches = list(Batches(3, lambda: 101))
    x, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    logits = classifier.network(x)
    history = classifier.history
    assert history["test_accuracy"][-1] == pytest.approx(100 * (logits.argmax(1) == labels).double().mean().item())
    assert history["test_loss"][-1] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-5)
    assert history["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.001])
    assert {len(values) for values in history.values()} == {4}


def test_what_follows_each_step_is_registered_once_and_again_after_a_resume(tmp_path: Path) -> None:
    """After every step the bias is set to 7, whatever the gradient; two fits make an optimizer each."""
    made: list[torch.optim.Optimizer] = []

    def classifier() -> Classifier:
        network = _network()

        def follow(optimizer: torch.optim.Optimizer) -> None:
            made.append(optimizer)
            optimizer.register_step_post_hook(lambda *_: nn.init.constant_(network[2].bias, 7.0))

        return Classifier(
            network,
            make_optimizer=partial(torch.optim.Adam, lr=0.1),
            after_optimizer=follow,
            learning_rate_factor=multistep([2, 3], 0.1),
            evaluations=["validation", "test"],
        )

    first = classifier()
    with pytest.raises(Stop):
        _fit(first, tmp_path, _stop_after(6))
    resumed = _fit(classifier(), tmp_path)
    assert len(made) == 2
    assert first.network[2].bias.tolist() == resumed.network[2].bias.tolist() == [7.0] * 3


def test_training_is_plain_sgd(tmp_path: Path) -> None:
    """A literal loop without Lightning, dropout off, reaches the same weights."""
    classifier = _classifier()
    classifier.network[1].p = 0.0
    _fit(classifier, tmp_path)
    network = _network()
    network[1].p = 0.0
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for epoch, rate in enumerate([0.1, 0.1, 0.01, 0.001]):
        optimizer.param_groups[0]["lr"] = rate
        for x, labels in Batches(4, lambda epoch=epoch: epoch):
            optimizer.zero_grad()
            F.cross_entropy(network(x), labels).backward()
            optimizer.step()
    torch.testing.assert_close(classifier.network.state_dict(), network.state_dict())


@pytest.mark.parametrize("stop_after", [1, 4, 5, 8, 12, 15])
def test_a_stopped_fit_resumes_to_the_last_bit(tmp_path: Path, stop_after: int) -> None:
    whole = _fit(_classifier(), tmp_path / "whole")
    with pytest.raises(Stop):
        _fit(_classifier(), tmp_path / "cut", report=_stop_after(stop_after))
    resumed = _fit(_classifier(), tmp_path / "cut")
    assert resumed.history == whole.history
    assert len(resumed.epoch_seconds) == 4
    for ours, expected in zip(resumed.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(ours, expected)
    assert (tmp_path / "cut" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()


def test_a_finished_fit_trains_nothing_and_has_its_history(tmp_path: Path) -> None:
    first = _fit(_classifier(), tmp_path)
    second = _fit(_classifier(), tmp_path, report=_stop_after(1))
    assert second.history == first.history


def test_an_interrupt_is_an_interrupt(tmp_path: Path) -> None:
    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _fit(_classifier(), tmp_path, report=interrupt)


def test_a_loss_that_is_no_number_is_a_divergence(tmp_path: Path) -> None:
    classifier = _classifier()
    with torch.no_grad():
        classifier.network[2].weight[0, 0] = math.nan
    with pytest.raises(Diverged, match="training loss was nan in epoch 1"):
        _fit(classifier, tmp_path)
    assert math.isnan(classifier.history["train_loss"][0])


def test_progress_rises_to_one(tmp_path: Path) -> None:
    fractions: list[float] = []
    _fit(_classifier(), tmp_path, report=fractions.append)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) == 16


def test_logs_are_written(tmp_path: Path) -> None:
    _fit(_classifier(), tmp_path)
    header, *rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header.startswith("epoch,learning_rate,train_loss,train_accuracy")
    assert len(rows) == 4
    assert list((tmp_path / "tensorboard").glob("events*"))
