"""The back-end ``streams`` against ``loop``: by a stand-in for CUDA graphs here, by themselves where there is a GPU."""

import gc
import math
import weakref
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import seeds
from torch import nn

from convrepro.training import BACKENDS, Learner, fit, streams
from convrepro.training.streams import Refused, Streams, why_not_streams

SEEDS = (3, 4, 5)


class Replayed:
    """What a CUDA graph does, without one: capturing runs nothing, replaying runs all steps, then what follows."""

    made: list["Replayed"]

    def __init__(
        self,
        steps: Sequence[Callable[[], None]],
        *,
        after: Callable[[], None],
        generators: Iterable[torch.Generator],
        device: torch.device,
    ) -> None:
        self.steps, self.after, self.num_replays = list(steps), after, 0
        self.generators = list(generators)
        Replayed.made.append(self)

    def replay(self) -> None:
        self.num_replays += 1
        for step in self.steps:
            step()
        self.after()


class Forgetful(Replayed):
    """Leaves out the last learner's step from its second replay on."""

    def replay(self) -> None:
        self.steps = self.steps[:-1] if self.num_replays == 1 else self.steps
        super().replay()


def _warm_up(steps: Sequence[Callable[[], None]], device: torch.device) -> None:
    for step in steps:
        step()


def _mark(device: torch.device) -> Callable[[], None]:
    return lambda: None


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    Replayed.made = []
    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=Replayed, warm_up=_warm_up, mark=_mark))


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": partial(torch.optim.SGD, lr=0.2, momentum=0.9, weight_decay=1e-2, nesterov=True),
    "plain sgd": partial(torch.optim.SGD, lr=0.2),
    "adam": partial(torch.optim.Adam, lr=1e-2),
    "adamw": partial(torch.optim.AdamW, lr=1e-2),
}


def _fitted(folder: Path, backend: str, **keys: Any) -> list[Learner]:
    fit_keys = {key: keys.pop(key) for key in ("num_epochs", "train_loader") if key in keys}
    return seeds.fitted([seeds.learner(seed, folder, **keys) for seed in SEEDS], backend=backend, **fit_keys)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_streams_are_the_loop_to_the_last_bit(tmp_path: Path, optimizer: str) -> None:
    keys = {"make_optimizer": OPTIMIZERS[optimizer], "num_epochs": 3}
    expected = _fitted(tmp_path / "loop", "loop", **keys)
    found = _fitted(tmp_path / "streams", "streams", **keys)
    for ours, theirs in zip(found, expected, strict=True):
        assert seeds.same_bits(ours, theirs)
        assert ours.history == theirs.history


def test_the_short_last_batch_has_a_graph_of_its_own(tmp_path: Path) -> None:
    """Three whole batches and one of 4 images in each of two epochs; each capture checks itself by a few replays."""
    learners = _fitted(tmp_path, "streams", num_epochs=2)
    whole, short = Replayed.made
    assert [whole.num_replays, short.num_replays] == [3 + 2 * 3, 1 + 2]
    assert all(len(graph.steps) == 3 for graph in (whole, short))
    assert whole.generators == [learner.generator for learner in learners]


@pytest.mark.parametrize("batch_size", [1, 10, 40, 64])
def test_any_batch_size(tmp_path: Path, batch_size: int) -> None:
    """Of 40 images: no short batch, one batch, only a short one."""
    keys = {"num_epochs": 2, "train_loader": seeds.train_loader(batch_size)}
    for ours, theirs in zip(
        _fitted(tmp_path / "streams", "streams", **keys), _fitted(tmp_path / "loop", "loop", **keys), strict=True
    ):
        assert seeds.same_bits(ours, theirs)


def test_large_images_lie_ready_a_few_batches_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_MAX_IMAGE_BYTES", 2 * 4 * 100 * seeds.BATCH_SIZE)
    found = _fitted(tmp_path / "streams", "streams", num_epochs=2)
    assert Replayed.made[0].num_replays == 2 + 2 * 3  # a chunk of two steps, checked by two
    for ours, theirs in zip(found, _fitted(tmp_path / "loop", "loop", num_epochs=2), strict=True):
        assert seeds.same_bits(ours, theirs)


def test_a_resumed_training_is_the_whole_one(tmp_path: Path) -> None:
    whole = _fitted(tmp_path / "whole", "loop")
    with pytest.raises(seeds.Stop):
        _fitted(tmp_path / "cut", "streams", report=seeds.stop_after(30))
    for ours, theirs in zip(_fitted(tmp_path / "cut", "streams"), whole, strict=True):
        assert seeds.same_bits(ours, theirs)


def test_a_seed_that_diverges_leaves_and_the_others_go_on(tmp_path: Path) -> None:
    def learners(folder: Path) -> list[Learner]:
        made = [seeds.learner(seed, folder) for seed in SEEDS]
        with torch.no_grad():
            made[0].network[6].weight[0, 0] = math.nan
        return made

    found = seeds.fitted(learners(tmp_path / "streams"), 3, backend="streams")
    expected = seeds.fitted(learners(tmp_path / "loop"), 3)
    assert found[0].reason
    assert [len(graph.steps) for graph in Replayed.made] == [3, 3, 2, 2]
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert seeds.same_bits(ours, theirs)


def test_a_graph_that_computes_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=Forgetful, warm_up=_warm_up, mark=_mark))
    learners = [seeds.learner(seed, tmp_path) for seed in SEEDS]
    with pytest.raises(Refused, match=r"computes other numbers than loop here \(seed 5, .*, after 3 steps\)"):
        seeds.fitted(learners, backend="streams")
    for one in learners:  # as they were
        torch.testing.assert_close(one.network.state_dict(), seeds.network(one.seed).state_dict(), rtol=0.0, atol=0.0)
        assert not any(tensor.any() for state in one.optimizer.state.values() for tensor in state.values())


class Broken(Replayed):
    """Captures nothing."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")


def test_what_cannot_be_captured_is_refused_and_loop_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At first, and after the first seed has left in the second epoch."""
    made: list[Replayed] = []

    def graph(*arguments: Any, **keywords: Any) -> Replayed:
        made.append(Replayed(*arguments, **keywords) if len(made) < 2 else Broken())
        return made[-1]

    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=graph, warm_up=_warm_up, mark=_mark))

    def learners(folder: Path) -> list[Learner]:
        def spoil(learner: Learner) -> None:
            if learner.seed == SEEDS[0] and learner.num_epochs == 1:
                torch.nn.init.constant_(learner.network[6].bias, math.nan)

        return [seeds.learner(seed, folder, after_epoch=spoil) for seed in SEEDS]

    found = learners(tmp_path / "streams")
    with pytest.raises(Refused, match=r"cannot capture a step: operation not permitted when stream is capturing$"):
        seeds.fitted(found, 4, backend="streams")
    assert found[0].reason == "the training loss was nan at step 1 of epoch 2"
    expected = seeds.fitted(learners(tmp_path / "loop"), 4)
    for ours, theirs in list(zip(seeds.fitted(found, 4), expected, strict=True))[1:]:
        assert seeds.same_bits(ours, theirs)
        assert ours.history == theirs.history


def test_steps_are_told_when_the_device_has_done_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one block of steps runs, the one before it is waited for; the last one of an epoch at its end."""
    events: list[str] = []

    def mark(device: torch.device) -> Callable[[], None]:
        number = sum(event.startswith("launched") for event in events)
        events.append(f"launched {number}")
        return lambda: events.append(f"done {number}")

    monkeypatch.setattr(streams, "_MAX_STEPS_AT_ONCE", 2)
    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=Replayed, warm_up=_warm_up, mark=mark))
    learner = seeds.learner(3, tmp_path, report=lambda fraction: events.append(f"told {4 * fraction:.0f}"))
    seeds.fitted([learner], 1, backend="streams")
    assert events == [
        *("launched 0", "launched 1", "done 0", "told 1"),
        *("launched 2", "done 1", "told 2", "told 3", "done 2", "told 4"),
    ]


def test_no_graph_outlives_its_training(tmp_path: Path) -> None:
    _fitted(tmp_path, "streams", num_epochs=1)
    graphs = [weakref.ref(graph) for graph in Replayed.made]
    Replayed.made.clear()
    gc.collect()
    assert [graph() for graph in graphs] == [None, None]


class GlobalDropout(seeds.Network):
    """With torch's dropout, which draws from the process's random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self[5] = nn.Dropout(0.5)


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"make_optimizer": partial(torch.optim.SGD, lr=0.1, momentum=0.9, dampening=0.5)}, "without dampening"),
        ({"make_optimizer": partial(torch.optim.NAdam, lr=0.1)}, "not NAdam"),
        ({"network": GlobalDropout()}, "random numbers of its own in Dropout"),
    ],
)
def test_what_is_refused(tmp_path: Path, keys: dict[str, Any], reason: str) -> None:
    assert reason in why_not_streams([seeds.learner(0, tmp_path, **keys)])


def test_what_is_not_refused(tmp_path: Path) -> None:
    for optimizer in OPTIMIZERS.values():
        assert why_not_streams([seeds.learner(0, tmp_path, make_optimizer=optimizer)]) == ""


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_on_a_gpu_streams_are_the_loop_to_the_last_bit(
    tmp_path: Path, optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BACKENDS, "streams", Streams)
    device = torch.device("cuda")

    def trained(backend: str) -> list[Learner]:
        make_optimizer = partial(
            OPTIMIZERS[optimizer], fused=True, **({"capturable": True} if optimizer.startswith("adam") else {})
        )
        learners = [
            seeds.learner(
                seed,
                tmp_path / backend,
                network=seeds.network(seed, torch.float32, device),
                make_optimizer=make_optimizer,
            )
            for seed in SEEDS
        ]
        fit(
            learners,
            train_loader=seeds.train_loader(device=device),
            evaluations=seeds.evaluations(device),
            num_epochs=4,
            backend=backend,
        )
        return learners

    for ours, theirs in zip(trained("streams"), trained("loop"), strict=True):
        assert seeds.same_bits(ours, theirs)
        assert ours.history == theirs.history
