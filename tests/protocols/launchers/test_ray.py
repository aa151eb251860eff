"""Where ray tasks go, and what they ask for; the cluster itself is in tests/faults."""

import os
import socket
from pathlib import Path

import pytest
from tests.protocols.test_run import TINY

from convrepro.protocols.attempt import Outcome
from convrepro.protocols.composer import compose
from convrepro.protocols.schema import Config

ray = pytest.importorskip("ray")
from ray.exceptions import OutOfMemoryError, RayTaskError, TaskCancelledError, WorkerCrashedError  # noqa: E402

from convrepro.protocols.launchers import ray as launcher  # noqa: E402
from convrepro.protocols.launchers.jobs import Lost  # noqa: E402

NODES = [{"CPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}]


def _config(*overrides: str) -> Config:
    return compose([*TINY, *overrides])


@pytest.mark.parametrize(
    ("overrides", "needs"),
    [
        ([], {"num_cpus": 1, "num_gpus": 0}),
        (["machine.threads=0"], {"num_cpus": 1, "num_gpus": 0}),
        (["machine.threads=3"], {"num_cpus": 3, "num_gpus": 0}),
        (["machine.accelerator=auto"], {"num_cpus": 1, "num_gpus": 1}),
        (["machine.accelerator=gpu", "machine.devices=2", "machine.threads=4"], {"num_cpus": 8, "num_gpus": 2}),
    ],
)
def test_what_a_task_takes_of_a_node(overrides: list[str], needs: dict[str, float]) -> None:
    assert launcher._needs(_config(*overrides), NODES) == needs


def test_auto_is_a_cpu_where_no_node_has_a_gpu() -> None:
    assert launcher._needs(_config("machine.accelerator=auto"), NODES[:1]) == {"num_cpus": 1, "num_gpus": 0}


@pytest.mark.parametrize(
    "overrides", [["machine.threads=9"], ["machine.accelerator=gpu", "machine.devices=3"]], ids=["cores", "gpus"]
)
def test_what_no_node_has_is_not_waited_for(overrides: list[str]) -> None:
    with pytest.raises(ValueError, match="no node of the ray cluster has the"):
        launcher._needs(_config(*overrides), NODES)


def test_an_address_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # and not listening
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        config = _config(f"machine.results_dir='{tmp_path}'")
        with pytest.raises(ValueError, match=f"no ray cluster lets us in at `RAY_ADDRESS` {address}; start one"):
            list(launcher.run([[config]], lambda configs, tell: [Outcome(config=config)], report=lambda *_: None))
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (RayTaskError("_do", "trace", MemoryError("none\nleft")), "failed with MemoryError: none left"),
        (TaskCancelledError(), "was asked to stop"),
        (OutOfMemoryError("of the node"), "was ended as its node ran out of memory"),
        (WorkerCrashedError(), r"was lost \(WorkerCrashedError\)"),
    ],
)
def test_what_becomes_of_a_task_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception, how: str) -> None:
    def get(result: object) -> None:
        raise error

    monkeypatch.setattr(launcher.ray, "wait", lambda results, timeout: (results, []))
    monkeypatch.setattr(launcher.ray, "get", get)
    task = object.__new__(launcher._Task)
    task._result = None
    with pytest.raises(Lost, match=f"^{how}$"):
        task.outcomes()


def test_ray_tells_its_makers_nothing() -> None:
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
