"""A table by a cluster's launcher: workers that die, the wish to stop, and the same records as in turn."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import commands
from tests.commands import Logged

from convrepro.records import attempts, store, workspace

RUN = [sys.executable, "-m", "convrepro.cli.main", "run", "quickstart", "--only", "conv=dk", "--seeds", "2"]
RUN += ["--images", "0.2", "--machine", "threads=1", "--machine", "accelerator=cpu"]
SECONDS = 240.0


def _environment() -> dict[str, str]:
    """No cluster but the one that a launcher makes."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "SLURM_"))}
    return {**ours, "OMP_NUM_THREADS": "1", "CONVREPRO_SUBMITIT": "cluster=local"}


def _numbers(results_dir: Path) -> dict[str, dict[str, Any]]:
    """All records but what is measured and with what."""
    content = {path.name: json.loads(path.read_text()) for path in workspace.records_dir(results_dir).iterdir()}
    return {name: {key: record[key] for key in ("config", "epochs", "selected", "splits", "status")}
            for name, record in content.items()}  # fmt: skip


@pytest.fixture(scope="module")
def in_turn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The records of the table's runs, one after the other."""
    folder = tmp_path_factory.mktemp("in_turn")
    command = [*RUN, "--launcher", "serial"]
    subprocess.run(command, cwd=folder, env=_environment(), check=True, capture_output=True, timeout=SECONDS)
    return _numbers(folder / "results")


Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the table in an empty folder; what is left of it in the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def begin(launcher: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*RUN, "--launcher", launcher],
            cwd=tmp_path,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        _kill_session(process.pid)
        process.wait()


def _kill_session(session: int) -> None:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                os.kill(int(folder.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue


def _at_work(process: "subprocess.Popen[str]", results_dir: Path) -> attempts.Attempt:
    """An attempt of the table that has a checkpoint, once there is one."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        for checkpoint in results_dir.glob("runs/*/*/*.ckpt"):
            attempt = attempts.latest(checkpoint.parents[1])
            if attempt is not None and attempt.state == "running":
                return attempt
        time.sleep(0.02)
    raise AssertionError("nothing was begun")


pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc"),
    pytest.mark.parametrize("launcher", ["ray", "submitit"]),
]


def test_its_record_is_the_one_in_turn(launcher: str, tmp_path: Path) -> None:
    found = []
    for name in (launcher, "serial"):
        commands.tiny_table(tmp_path / name, num_cells=1, num_seeds=1, epochs=1)
        log = Logged(tmp_path / name / "log")
        run = [*commands.RUN, "--launcher", name, "--machine", "accelerator=cpu", "--machine", "threads=1"]
        environment = {"CONVREPRO_SUBMITIT": "cluster=local", "PYTHONPATH": str(Path(__file__).parents[2])}  # of Logged
        command = commands.start(run, tmp_path / name, fault=log, environment=environment)
        assert command.wait() == 0, command.err()
        assert [event.what for event in log.events()] == ["begun", "epoch1", "committed"]
        assert {event.pid == command.pid for event in log.events()} == {name == "serial"}
        assert commands.left_over(tmp_path / name) == []
        found.append(commands.records_of(tmp_path / name))
    assert len(found[0]) == 1
    assert found[0] == found[1]


@pytest.mark.large  # each start of a cluster takes seconds, and each worker imports everything
def test_a_killed_worker_is_made_up_for(
    launcher: str, start: Start, tmp_path: Path, in_turn: dict[str, dict[str, Any]]
) -> None:
    process = start(launcher)
    os.kill(_at_work(process, tmp_path / "results").process.number, signal.SIGKILL)
    out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert out.startswith("scikit-learn's digits"), out  # the table and nothing else
    assert [line.split("]")[0] for line in err.splitlines()] == ["[1/2", "[2/2"], err
    assert _numbers(tmp_path / "results") == in_turn
    records = store.read_everything(workspace.records_dir(tmp_path / "results"))
    assert sorted(record.environment["attempt"] for record in records) == [1, 2]
    assert not (tmp_path / "results" / "runs" / f".{launcher}").exists()


@pytest.mark.large
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_wish_to_stop_reaches_the_workers_and_the_table_goes_on(
    launcher: str, number: signal.Signals, start: Start, tmp_path: Path, in_turn: dict[str, dict[str, Any]]
) -> None:
    """As a terminal sends it: to all processes of the group that are not in a background of their own."""
    process = start(launcher)
    _at_work(process, tmp_path / "results")
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == (130 if number == signal.SIGINT else 143), err
    assert re.search(r"^convrepro: interrupted; ", err.splitlines()[-1]), err
    assert "Traceback" not in err
    folders = [path for path in (tmp_path / "results" / "runs").iterdir() if path.is_dir()]
    ended = {attempt.state for folder in folders if (attempt := attempts.latest(folder)) is not None}
    assert ended == {"interrupted"}

    process = start(launcher)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    assert _numbers(tmp_path / "results") == in_turn
