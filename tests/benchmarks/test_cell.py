import dataclasses
import warnings
from pathlib import Path

import pytest

from convrepro.benchmarks import cell
from convrepro.benchmarks.settings import Settings
from convrepro.benchmarks.turns import Stopped
from convrepro.benchmarks.workload import workload
from convrepro.protocols import launch
from convrepro.records import store


def _two_turns() -> "tuple[list[None], object]":
    taken: list[None] = []

    def pause() -> None:
        taken.append(None)
        if len(taken) == 2:
            raise Stopped

    return taken, pause


@pytest.mark.parametrize("way", ["serial", "together"])
def test_every_turn_is_a_whole_cell_from_nothing(settings: Settings, way: str) -> None:
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    taken, pause = _two_turns()
    with pytest.raises(Stopped):
        cell.our_cells(pause, config, 2, way)
    assert len(taken) == 2
    for turn in ("0", "1"):
        records = store.read_everything(Path(config.machine.results_dir) / turn / "records")
        assert sorted(record.seed for record in records) == [0, 1]
        assert {len(record.epochs["train_loss"]) for record in records} == {1}


def test_seeds_go_together_or_side_by_side_as_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(runs: list[object], *, launcher: str) -> list[object]:
        asked.append((launcher, runs[0].machine.seeds_per_device, len(runs)))
        raise Stopped

    monkeypatch.setattr(cell, "launch", note)
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    for way in ("joblib", "serial", "together"):
        with pytest.raises(Stopped):
            cell.our_cells(lambda: None, config, 5, way)
    assert asked == [("joblib", 1, 5), ("serial", 1, 5), ("serial", 5, 5)]


def test_their_turn_is_as_many_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []
    monkeypatch.setattr(
        cell.baselines, "lightning_loop", lambda finished, config, workers: seeds.append((config.seed, workers))
    )
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    _, pause = _two_turns()
    with pytest.raises(Stopped), warnings.catch_warnings():
        cell.lightning_cells(pause, config, 5, 2)
    assert seeds == [(seed, 2) for seed in range(5)] * 2


def test_a_failing_run_is_no_measurement(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    failed = launch.Outcome(config=config, record=None, failure="OSError: full")
    monkeypatch.setattr(cell, "launch", lambda runs, *, launcher: iter([failed]))
    with pytest.raises(RuntimeError, match="OSError: full"):
        cell.run_all([config], launcher="serial")


def test_sides_do_not_share_results(settings: Settings) -> None:
    folders = [arguments[0].machine.results_dir for _, arguments in cell.contestants(settings, 2).values()]
    assert len(set(folders)) == len(folders) == 5


def test_rows_compare_with_the_faster_loader() -> None:
    samples = {
        "Lightning, 0 workers": [10.0, 10.0, 10.0],
        "Lightning, 2 workers": [9.0, 9.0, 9.0],
        "joblib": [4.5, 3.0, 4.5],
        "serial": [6.0, 6.0, 6.0],
        "together": [9.0, 9.0, 9.0],
    }
    joblib, serial, together = cell.rows_of(samples, 5)
    assert (joblib.values, joblib.verdict, joblib.samples) == ([2.0, 3.0, 2.0], "met", samples)
    assert (serial.values, serial.goal) == ([1.5, 1.5, 1.5], None)
    assert (together.values, together.goal) == ([1.0, 1.0, 1.0], None)
    assert joblib.goal is not None
    assert joblib.goal.least == 2.0


def test_seeds_differ_in_the_seed_only(settings: Settings) -> None:
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    assert [run.seed for run in cell.seeds_of(config, 3)] == [0, 1, 2]
    assert all(dataclasses.replace(run, seed=config.seed) == config for run in cell.seeds_of(config, 3))
