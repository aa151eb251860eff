"""Runs in turn and side by side."""

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import joblib
import pytest
from tests.protocols.test_run import TINY

from convrepro.durable import DiskFull
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id
from convrepro.protocols.launch import default_launcher, groups_of, launch
from convrepro.protocols.schema import Config
from convrepro.records import attempts, store, workspace


def _configs(results_dir: Path) -> list[Config]:
    one = compose([*TINY, "recipe.epochs=1", f"machine.results_dir='{results_dir}'"])
    broken = dataclasses.replace(one, dataset=dataclasses.replace(one.dataset, num_classes=3))
    return [one, broken, dataclasses.replace(one, seed=1)]


@pytest.mark.parametrize("launcher", ["serial", "joblib"])
def test_a_failing_run_does_not_stop_the_others(tmp_path: Path, launcher: str) -> None:
    outcomes = list(launch(_configs(tmp_path), launcher=launcher))
    failed = [outcome for outcome in outcomes if outcome.record is None]
    assert len(outcomes) == 3
    assert [outcome.config.dataset.num_classes for outcome in failed] == [3]
    assert "class 3" in failed[0].failure or "classes" in failed[0].failure


def test_side_by_side_is_the_same_as_in_turn(tmp_path: Path) -> None:
    numbers = []
    for launcher in ("serial", "joblib"):
        results_dir = tmp_path / launcher
        list(launch(_configs(results_dir), launcher=launcher))
        records = store.read_everything(workspace.records_dir(results_dir))
        numbers.append([dataclasses.asdict(record) | {"measured": None} for record in records])
    assert len(numbers[0]) == 2
    assert numbers[0] == numbers[1]


@pytest.mark.parametrize("launcher", ["serial", "joblib"])
def test_seeds_of_a_cell_go_together_where_the_machine_says_so(tmp_path: Path, launcher: str) -> None:
    cells = [
        compose([*TINY, "recipe.epochs=1", f"model.filters={filters}", "machine.seeds_per_device=2",
                 f"machine.results_dir='{tmp_path}'"])
        for filters in (4, 6)
    ]  # fmt: skip
    runs = [dataclasses.replace(cell, seed=seed) for seed in (0, 1, 2) for cell in cells]
    outcomes = list(launch(runs, launcher=launcher))
    found = {(run_id(outcome.config), outcome.config.seed): outcome.record for outcome in outcomes}
    assert found.keys() == {(run_id(config), config.seed) for config in runs}
    for (_, seed), record in found.items():
        assert record.environment["seeds_together"] == (1 if seed == 2 else 2)


def test_runs_that_go_side_by_side_have_a_thread_each() -> None:
    run = compose([*TINY, "machine.threads=4"])
    runs = [dataclasses.replace(run, seed=seed) for seed in (0, 1)]
    threads = {
        launcher: [config.machine.threads for group in groups_of(runs, launcher) for config in group]
        for launcher in ("serial", "joblib", "ray")
    }
    assert threads == {"serial": [4, 4], "joblib": [1, 1], "ray": [4, 4]}


def test_an_unknown_launcher() -> None:
    with pytest.raises(ValueError, match="`launcher` must be one of serial, joblib, ray, submitit, got 'rocket'"):
        list(launch([], launcher="rocket"))


@pytest.mark.parametrize("launcher", ["serial", "joblib"])
def test_progress_of_every_run_is_told(tmp_path: Path, launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convrepro.protocols.attempt._SECONDS_BETWEEN_REPORTS", 0.01)
    told: dict[int, float] = {}
    one = compose([*TINY, "protocol.images=1", f"machine.results_dir='{tmp_path}'"])
    runs = [dataclasses.replace(one, seed=seed) for seed in (0, 1)]
    list(launch(runs, launcher=launcher, report=lambda config, fraction: told.update({config.seed: fraction})))
    assert told.keys() == {0, 1}
    assert all(0.0 < fraction <= 1.0 for fraction in told.values())


@pytest.mark.parametrize("launcher", ["serial", "joblib"])
def test_a_run_of_another_process_is_waited_for(tmp_path: Path, launcher: str) -> None:
    one, _, other = _configs(tmp_path)
    one = dataclasses.replace(one, machine=dataclasses.replace(one.machine, lease_seconds=0.4))
    claim = attempts.claim(workspace.run_dir(tmp_path, run_id(one), one.seed), lease_seconds=0.4)
    seen = []
    for outcome in launch([one, other], launcher=launcher):
        seen.append((outcome.config.seed, outcome.is_elsewhere, outcome.record is not None, outcome.failure))
        if outcome.is_elsewhere:
            threading.Timer(1.0, claim.end, ["interrupted"]).start()  # longer than a lease: it is not robbed
    assert sorted(seen[:2]) == [(0, True, False, ""), (1, False, True, "")]
    assert seen[2:] == [(0, False, True, "")]
    found = store.read(workspace.records_dir(tmp_path), run_id(one), 0)
    assert found is not None
    assert found.environment["attempt"] == 2


@pytest.mark.parametrize("launcher", ["serial", "joblib"])
def test_a_full_disk_ends_the_launch(tmp_path: Path, launcher: str) -> None:
    """Every run would fail alike."""
    runs = _configs(tmp_path)
    with pytest.raises(DiskFull, match="no space left for the record"):
        list(_launched_over(_full, runs, launcher))


def _full(configs: Sequence[Config], tell: Report, *, silent: object = None) -> list[Outcome]:
    return [Outcome(config=config, failure="no space left for the record", is_disk_full=True) for config in configs]


def _launched_over(work: Any, runs: Sequence[Config], launcher: str) -> Iterator[Outcome]:
    """``launch`` with something else than a real attempt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("convrepro.protocols.launch.attempt", work)
        yield from launch(runs, launcher=launcher)


def test_a_run_that_is_asked_for_twice_is_run_once(tmp_path: Path) -> None:
    one, _, _ = _configs(tmp_path)
    assert [outcome.config.seed for outcome in launch([one, one], launcher="serial")] == [0]


@pytest.mark.parametrize("launcher", ["serial", "joblib"])
def test_a_seed_that_fails_takes_none_of_its_group_with_it(tmp_path: Path, launcher: str) -> None:
    one = compose([*TINY, "recipe.epochs=1", "machine.seeds_per_device=3", f"machine.results_dir='{tmp_path}'"])
    runs = [dataclasses.replace(one, seed=seed) for seed in (0, 1, 2)]
    broken = workspace.run_dir(tmp_path, run_id(one), 1) / "train"
    broken.parent.mkdir(parents=True)
    broken.write_text("a file in the place of a folder")
    outcomes = {outcome.config.seed: outcome for outcome in launch(runs, launcher=launcher)}
    assert [outcomes[seed].record is not None for seed in (0, 1, 2)] == [True, False, True]
    assert [workspace.state(tmp_path, run_id(one), seed) for seed in (0, 1, 2)] == ["done", "failed", "done"]


def test_several_trainings_go_side_by_side_where_there_are_several_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _, other = _configs(tmp_path)
    count = compose(["protocol=count"])
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    assert default_launcher([one, other]) == "joblib"
    assert default_launcher([one]) == "serial"
    assert default_launcher([count, count]) == "serial"
    machine = dataclasses.replace(one.machine, seeds_per_device=2)
    together = [dataclasses.replace(run, machine=machine) for run in (one, other)]
    assert default_launcher(together) == "serial"  # one group: all cores for it
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    assert default_launcher([one, other]) == "serial"
