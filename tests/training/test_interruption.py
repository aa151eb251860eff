"""A training that is asked to stop saves where it is, and goes on from there to the same bits."""

import logging
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training import seeds
from tests.training.test_learner import Noise
from tests.training.test_streams import Replayed, _mark, _warm_up

from convrepro import interruption
from convrepro.training import BACKENDS, Learner, checkpoints, seed_group
from convrepro.training.checkpoints import Position
from convrepro.training.learner import Batch
from convrepro.training.seed_group import STEPS_PER_CHUNK, SeedGroup
from convrepro.training.streams import Streams

NUM_EPOCHS, STEPS = 3, 4


@pytest.fixture(autouse=True)
def look_after_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each step took long."""
    monkeypatch.setattr(seed_group, "_SECONDS_UNSTOPPED", 0.0)


def _noisy(folder: Path, seed: int = 0, **keys: Any) -> Learner:
    """With dropout of its own generator, noise of the process's, and momentum that changes from step to step."""
    network = seeds.network(seed, torch.float32).append(Noise())
    optimizer = partial(torch.optim.NAdam, lr=0.01)
    return seeds.learner(seed, folder, network=network, make_optimizer=optimizer, **keys)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return seeds.fitted([_noisy(tmp_path_factory.mktemp("whole"))], NUM_EPOCHS)[0]


def _check(found: Learner, expected: Learner) -> None:
    assert seeds.same_bits(found, expected)
    assert found.history == expected.history
    assert len(found.epoch_seconds) == NUM_EPOCHS
    assert (found.folder / "metrics.csv").read_text() == (expected.folder / "metrics.csv").read_text()


@pytest.mark.parametrize("num_steps", range(1, NUM_EPOCHS * STEPS + 1))
def test_stopped_after_any_step_it_ends_in_the_same_bits(tmp_path: Path, whole: Learner, num_steps: int) -> None:
    seeds.interrupted([_noisy(tmp_path, report=seeds.signal_at(num_steps))], NUM_EPOCHS)
    epoch, step = divmod(num_steps - 1, STEPS)
    assert (tmp_path / "seed0" / f"epoch{epoch}step{step + 1}.ckpt.json").exists()
    reports: list[float] = []
    (found,) = seeds.fitted([_noisy(tmp_path, report=reports.append)], NUM_EPOCHS)
    _check(found, whole)
    assert len(reports) == NUM_EPOCHS * STEPS - num_steps
    assert list(checkpoints.found(found.folder)) == [Position(2), Position(3)]


def test_stopped_after_every_step_it_ends_in_the_same_bits(tmp_path: Path, whole: Learner) -> None:
    for _ in range(NUM_EPOCHS * STEPS):
        seeds.interrupted([_noisy(tmp_path, report=seeds.signal_at(1))], NUM_EPOCHS)
        assert len(list((tmp_path / "seed0").glob("*.ckpt*"))) <= 2 * 4
    _check(seeds.fitted([_noisy(tmp_path)], NUM_EPOCHS)[0], whole)


@pytest.mark.parametrize("at_batch", [1, 3, 5])
def test_an_evaluation_that_is_cut_is_repeated(tmp_path: Path, whole: Learner, at_batch: int) -> None:
    """Of 20 and 33 images in batches of 16: two and three."""
    count = iter(range(1, 100))

    class Cut:
        def __init__(self, batches: Any) -> None:
            self.batches = batches

        def __iter__(self) -> Iterator[Batch]:
            for batch in self.batches:
                if next(count) == at_batch:
                    signal.raise_signal(signal.SIGUSR1)
                yield batch

    evaluations = {name: Cut(batches) for name, batches in seeds.evaluations().items()}
    seeds.interrupted([_noisy(tmp_path)], NUM_EPOCHS, evaluations=evaluations)
    assert list(checkpoints.found(tmp_path / "seed0")) == [Position(0, STEPS)]
    _check(seeds.fitted([_noisy(tmp_path)], NUM_EPOCHS)[0], whole)


def test_after_the_end_of_an_epoch_the_next_one_does_not_begin(tmp_path: Path, whole: Learner) -> None:
    def stop(learner: Learner) -> None:
        signal.raise_signal(signal.SIGTERM)

    seeds.interrupted([_noisy(tmp_path, after_epoch=stop)], NUM_EPOCHS)
    assert list(checkpoints.found(tmp_path / "seed0")) == [Position(1)]
    _check(seeds.fitted([_noisy(tmp_path)], NUM_EPOCHS)[0], whole)


@pytest.mark.parametrize("backend", ["loop", "streams"])
def test_seeds_stop_together_and_go_on_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    """The second of three sends the signal in its second epoch; `streams` hears of it when the device is done."""
    Replayed.made = []
    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=Replayed, warm_up=_warm_up, mark=_mark))

    def learners(folder: Path, **keys: Any) -> list[Learner]:
        return [seeds.learner(seed, folder, **(keys if seed == 1 else {})) for seed in range(3)]

    seeds.interrupted(learners(tmp_path / "cut", report=seeds.signal_at(6)), NUM_EPOCHS, backend=backend)
    kept = {tuple(checkpoints.found(tmp_path / "cut" / f"seed{seed}")) for seed in range(3)}
    assert len(kept) == 1
    assert kept.pop()[-1] == Position(1, 2 if backend == "loop" else 3)
    found = seeds.fitted(learners(tmp_path / "cut"), NUM_EPOCHS, backend=backend)
    expected = seeds.fitted(learners(tmp_path / "whole"), NUM_EPOCHS, backend=backend)
    for ours, theirs in zip(found, expected, strict=True):
        _check(ours, theirs)


def test_one_damaged_checkpoint_takes_the_group_back_to_the_one_before(tmp_path: Path, whole: Learner) -> None:
    seeds.interrupted([_noisy(tmp_path, seed, report=seeds.signal_at(7)) for seed in (0, 1)], NUM_EPOCHS)
    path = checkpoints.path_after(tmp_path / "seed1", 1, 3)
    path.write_bytes(path.read_bytes()[:-1])
    reports: list[float] = []
    found = seeds.fitted([_noisy(tmp_path, seed, report=reports.append) for seed in (0, 1)], NUM_EPOCHS)
    _check(found[0], whole)
    assert len(reports) == 2 * 2 * STEPS


def test_a_checkpoint_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds.fitted([seeds.learner(0, tmp_path)], 2)
    read: list[str] = []
    whole = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or whole(path))
    seeds.fitted([seeds.learner(0, tmp_path)], 2)
    assert sorted(read) == ["epoch2.ckpt", "epoch2.ckpt.json"]


def test_a_seed_that_diverges_before_the_stop_saves_nothing(tmp_path: Path) -> None:
    learners = [seeds.learner(0, tmp_path), seeds.learner(1, tmp_path, report=seeds.signal_at(2))]
    torch.nn.init.constant_(learners[0].network[6].bias, torch.nan)
    seeds.interrupted(learners)
    assert checkpoints.found(tmp_path / "seed0") == {}
    assert list(checkpoints.found(tmp_path / "seed1")) == [Position(0, 2)]


def test_the_time_of_an_epoch_adds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of four learners: 8 s before the stop, 4 s after it."""
    times = iter([100.0, 108.0, 500.0, 504.0])
    monkeypatch.setattr("time.monotonic", times.__next__)
    first, second = (seeds.learner(0, tmp_path) for _ in range(2))
    first.start_epoch(0)
    first.num_steps = 1
    second.load_state(first.state(0.25))
    second.start_epoch(0)
    second.end_epoch(0.25)
    assert second.epoch_seconds == [3.0]


def test_random_numbers_of_another_kind_of_device_are_not_gone_on_with(tmp_path: Path, whole: Learner) -> None:
    seeds.interrupted([_noisy(tmp_path, report=seeds.signal_at(6))], NUM_EPOCHS)
    path = checkpoints.path_after(tmp_path / "seed0", 1, 2)
    state = checkpoints.load(path)
    checkpoints.save(state | {"epoch": state["epoch"] | {"device": "cuda"}}, path)
    reports: list[float] = []
    _check(seeds.fitted([_noisy(tmp_path, report=reports.append)], NUM_EPOCHS)[0], whole)
    assert len(reports) == 2 * STEPS


def test_an_epoch_that_lacks_something_is_refused(tmp_path: Path) -> None:
    learner = seeds.learner(0, tmp_path)
    with pytest.raises(ValueError, match=r"the checkpoint in .*seed0 is of another version or network .*delete it"):
        learner.load_state(learner.state() | {"epoch": {"num_steps": 3}})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_the_signal_is_known_and_nothing_is_said(
    tmp_path: Path, number: signal.Signals, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    with caplog.at_level(logging.INFO), interruption.heeded():
        with pytest.raises(interruption.Interrupted) as stopped:
            seeds.fitted([seeds.learner(0, tmp_path, report=seeds.signal_at(1, number))])
        assert stopped.value.number == number
    assert caplog.messages == []
    assert capfd.readouterr() == ("", "")
    assert {one: signal.getsignal(one) for one in before} == before


def test_signals_in_training_reach_the_handlers_that_were_there(tmp_path: Path) -> None:
    """And no others: Lightning's would end the fit at the end of a chunk, with nothing saved."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        (learner,) = seeds.fitted([seeds.learner(0, tmp_path, report=seeds.signal_at(2))], 2)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [signal.SIGTERM]
    assert learner.num_epochs == 2


def test_a_job_of_slurm_is_neither_requeued_nor_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight tasks, each a process of its own; `scontrol` would be called by Lightning."""
    for name, value in {"JOB_ID": "1", "JOB_NAME": "job", "NTASKS": "8", "PROCID": "3", "LOCALID": "3"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    called: list[object] = []
    monkeypatch.setattr("lightning.pytorch.trainer.connectors.signal_connector.call", called.append)
    seeds.interrupted([seeds.learner(0, tmp_path, report=seeds.signal_at(2, signal.SIGUSR1))])
    (learner,) = seeds.fitted([seeds.learner(0, tmp_path)], 1)
    assert called == []
    assert list(learner.folder.glob("tensorboard/events*"))


def test_fit_begins_nothing_where_it_is_asked_to_stop(tmp_path: Path) -> None:
    def asked() -> None:
        with interruption.deferred():
            signal.raise_signal(signal.SIGTERM)
            seeds.fitted([seeds.learner(0, tmp_path, report=seeds.stop_after(1))])

    with interruption.heeded(), pytest.raises(interruption.Interrupted):
        asked()


def _pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds_per_step: float) -> list[int]:
    """Lengths of the pieces of three chunks."""
    monkeypatch.undo()
    now, lengths = [0.0], []
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    class Backend:
        def run(self, steps: range) -> None:
            now[0] += len(steps) * seconds_per_step
            lengths.append(len(steps))

    class Loader:
        def __len__(self) -> int:
            return 3 * STEPS_PER_CHUNK

    group = SeedGroup([seeds.learner(0, tmp_path)], backend=Backend(), train_loader=Loader(), evaluations={})
    for number, chunk in enumerate(group.chunks()):
        group.training_step(chunk, number)
    assert sum(lengths) == 3 * STEPS_PER_CHUNK
    return lengths


def test_slow_steps_are_looked_at_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(_pieces(tmp_path, monkeypatch, 2.0)) == {1}


def test_a_look_comes_every_second_or_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(_pieces(tmp_path, monkeypatch, 0.05)) == 8


def test_fast_steps_go_by_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _pieces(tmp_path, monkeypatch, 1e-5) == [1, 2, 4, 8, 16, 32, 1, 64, 64]
