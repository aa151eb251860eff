"""One run on two devices: the run of one device, but for rounding."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.protocols.test_run import TINY

from convrepro import interruption
from convrepro.protocols import ranks
from convrepro.protocols import run as run_module
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id
from convrepro.protocols.run import run
from convrepro.protocols.schema import Config
from convrepro.protocols.train import check_backend, device_of
from convrepro.records import store, workspace
from convrepro.training import data_parallel

pytestmark = pytest.mark.filterwarnings("ignore:.*barrier.*:UserWarning")


def _config(results_dir: Path, *overrides: str) -> Config:
    return compose([*TINY, "recipe.epochs=2", "machine.threads=1", f"machine.results_dir='{results_dir}'", *overrides])


def test_two_devices_leave_the_record_of_one(tmp_path: Path) -> None:
    """Training alone is compared in float64, with batch normalisation, in the tests of ``data_parallel``."""
    one = run(_config(tmp_path / "one"))
    two = run(_config(tmp_path / "two", "machine.devices=2"))
    assert two.run_id == one.run_id
    assert (one.environment["devices"], two.environment["devices"]) == (1, 2)
    assert two.splits == one.splits
    assert two.epochs.keys() == one.epochs.keys()
    for metric, values in one.epochs.items():
        if metric.endswith("_loss"):
            assert two.epochs[metric] == pytest.approx(values, rel=1e-4)
    folder = workspace.run_dir(tmp_path / "two", two.run_id, 0)
    assert sorted(path.name for path in folder.iterdir()) == ["train", "weights"]


def test_it_goes_on_on_one_device_or_on_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run(_config(tmp_path / "whole"))

    def stop(fraction: float) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    before = set(multiprocessing.active_children())  # of other tests
    monkeypatch.setattr(ranks, "_SECONDS_TO_END", "waited for at a good end only")

    with pytest.raises(KeyboardInterrupt):
        run(_config(tmp_path / "cut", "machine.devices=2"), report=stop)
    assert workspace.state(tmp_path / "cut", whole.run_id, 0) == "interrupted"
    assert set(multiprocessing.active_children()) <= before
    monkeypatch.undo()
    resumed = run(_config(tmp_path / "cut"))
    assert resumed.environment["attempt"] == 2
    assert resumed.epochs["train_loss"] == pytest.approx(whole.epochs["train_loss"], rel=1e-4)


def test_processes_are_forked_from_a_server_without_signals_and_those_that_began_are_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    before, begin = set(multiprocessing.active_children()), ranks._begun

    def second_fails(rank: int, *others: Any) -> Any:
        if rank == 2:
            raise OSError("no room for a process")
        return begin(rank, *others)

    monkeypatch.setattr(interruption, "start_server", started.append)
    monkeypatch.setattr(ranks, "_begun", second_fails)
    with pytest.raises(OSError, match="no room"):
        run(_config(tmp_path, "machine.devices=3"))
    assert started == ["convrepro.protocols.attempt"]
    assert set(multiprocessing.active_children()) <= before


def _dies(config: Config, rank: int, store_path: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fails(config: Config, rank: int, store_path: Path) -> None:
    with data_parallel.initialised(rank, 2, store_path):
        raise MemoryError("none left\non this device")


@pytest.mark.parametrize(
    ("follow", "reason"), [(_dies, "ended by signal 9"), (_fails, "MemoryError: none left on this device")]
)
def test_a_process_that_dies_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: Any, reason: str
) -> None:
    config = _config(tmp_path, "machine.devices=2")
    monkeypatch.setattr(run_module, "_follow", follow)
    with pytest.raises(RuntimeError, match=f"the process of device 1 of this run failed: .*{reason}"):
        run(config)
    assert workspace.state(tmp_path, run_id(config), 0) == "failed"
    assert store.read(workspace.records_dir(tmp_path), run_id(config), 0) is None


@pytest.mark.parametrize("setting", ["machine.backend=streams", "machine.seeds_per_device=2"])
def test_what_several_devices_cannot_do(tmp_path: Path, setting: str) -> None:
    config = _config(tmp_path, "machine.devices=2", setting)
    with pytest.raises(ValueError, match=r"`machine\.devices` above 1 trains one seed at a time"):
        check_backend(config, device_of("cpu"))


def test_who_waits_for_the_others_can_be_asked_to_stop() -> None:
    with interruption.heeded():
        ranks._check([])
        interruption.ask()
        with pytest.raises(interruption.Interrupted):
            ranks._check([])


def test_more_devices_than_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert device_of("gpu", rank=1, num_ranks=2).index == 1
    with pytest.raises(ValueError, match=r"`machine\.devices` is 3, but torch finds 2 CUDA devices here"):
        device_of("gpu", num_ranks=3)


def test_devices_are_counted_where_runs_go_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import joblib

    from convrepro.protocols.launch import num_processes

    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    runs = [_config(tmp_path, f"seed={seed}", "machine.accelerator=cpu") for seed in range(8)]
    assert num_processes(runs, "joblib") == 4
    runs = [_config(tmp_path, f"seed={seed}", "machine.accelerator=cpu", "machine.devices=2") for seed in range(8)]
    assert num_processes(runs, "joblib") == 2
