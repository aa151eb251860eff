"""A sweep over a ray cluster of two nodes, one of which is lost on the way."""

import dataclasses
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convrepro.records import attempts, store, workspace

RUN = [sys.executable, "-m", "convrepro.cli.main", "run", "quickstart", "--only", "conv=standard,aconv"]
RUN += ["--images", "0.2", "--machine", "threads=1", "--machine", "accelerator=cpu"]
NODE = ["start", "--block", "--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats"]
HEAD, SECOND = "127.0.0.2", "127.0.0.3"  # each of the cluster's machines has an address of its own
SECONDS = 240.0


@dataclass(frozen=True, kw_only=True)
class _Cluster:
    head: "subprocess.Popen[bytes]"
    second: "subprocess.Popen[bytes]"
    environment: dict[str, str]  # of those who use it


@pytest.fixture
def cluster() -> Iterator[_Cluster]:
    """Two nodes on this machine, each a session of its own; nothing of them is left in the end."""
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # sockets need a short path
    port, other_port = _free_port(), _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"OMP_NUM_THREADS": "1", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex()}
    nodes: list[subprocess.Popen[bytes]] = []

    def begin(*options: str) -> "subprocess.Popen[bytes]":
        command = [str(Path(sys.executable).with_name("ray")), *NODE, *options]
        with (folder / f"node{len(nodes)}.log").open("wb") as log:
            nodes.append(
                subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True)
            )
        return nodes[-1]

    try:
        begin(
            *("--head", f"--port={port}", f"--ray-client-server-port={other_port}", f"--node-ip-address={HEAD}"),
            *("--include-dashboard=false", f"--temp-dir={folder}"),
        )
        _wait_for(lambda: _is_open(HEAD, port), nodes[0])
        begin(f"--address={HEAD}:{port}", f"--node-ip-address={SECOND}")
        _wait_for(lambda: "runtime started" in (folder / "node1.log").read_text(errors="replace"), nodes[1])
        yield _Cluster(head=nodes[0], second=nodes[1], environment=environment | {"RAY_ADDRESS": f"{HEAD}:{port}"})
    finally:
        for node in nodes:
            _kill(node)
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HEAD, 0))
        return int(probe.getsockname()[1])


def _is_open(address: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, port)) == 0


def _wait_for(is_met: Callable[[], bool], process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + SECONDS
    while not is_met():
        assert process.poll() is None, process.args
        assert time.monotonic() < deadline, process.args
        time.sleep(0.02)


def _processes_of(node: "subprocess.Popen[bytes]") -> set[int]:
    """The numbers of a node's processes that run."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        if int(session) == node.pid and state != "Z":
            found.add(int(folder.name))
    return found


def _is_at_work(node: "subprocess.Popen[bytes]", results_dir: Path) -> bool:
    """Whether a process of the node holds a run."""
    held = [attempts.latest(folder) for folder in results_dir.glob("runs/*-seed*")]
    numbers = {attempt.process.number for attempt in held if attempt is not None and attempt.state == "running"}
    return not numbers.isdisjoint(_processes_of(node))


def _kill(node: "subprocess.Popen[bytes]") -> None:
    while processes := _processes_of(node):
        for number in processes:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
    node.wait()


def _numbers(results_dir: Path) -> list[dict[str, Any]]:
    """All records but what is measured and with what."""
    records = store.read_everything(workspace.records_dir(results_dir))
    numbers = [dataclasses.asdict(record) | {"measured": None, "environment": None} for record in records]
    return sorted(numbers, key=lambda record: (record["run_id"], record["seed"]))


@pytest.mark.large  # two clusters' worth of processes, and a worker that imports everything for each run
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc; only Linux has all of 127.0.0.0/8")
def test_a_lost_node_is_made_up_for(cluster: _Cluster, tmp_path: Path, figure: Callable[[int, int], int]) -> None:
    num_seeds = figure(3, 5)
    command = [*RUN, "--seeds", str(num_seeds)]
    process = subprocess.Popen(
        [*command, "--launcher", "ray", "--results", "spread"],
        cwd=tmp_path,
        env=cluster.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_for(lambda: _is_at_work(cluster.head, tmp_path / "spread"), process)
        _wait_for(lambda: _is_at_work(cluster.second, tmp_path / "spread"), process)
        _kill(cluster.second)
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert len(err.splitlines()) == 2 * num_seeds, err  # a line for each run and nothing else
    assert out.startswith("scikit-learn's digits"), out
    records = store.read_everything(workspace.records_dir(tmp_path / "spread"))
    assert sorted(record.environment["attempt"] for record in records) == [*[1] * (2 * num_seeds - 1), 2]

    in_turn = [*command, "--launcher", "serial", "--results", "in_turn"]
    subprocess.run(in_turn, cwd=tmp_path, check=True, capture_output=True, timeout=SECONDS)
    assert _numbers(tmp_path / "spread") == _numbers(tmp_path / "in_turn")
