"""R2: a signal saves what there is, ends with its code, and the next start goes on; a second Ctrl-C leaves at once."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests import commands
from tests.commands import JOBLIB, RUN, SERIAL, All, Logged

from convrepro.records import workspace

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGUSR1: 143}
TWO_CORES = {"LOKY_MAX_CPU_COUNT": "2"}


@dataclass(frozen=True)
class SlowSteps:
    """Makes each step take so many seconds longer, in Python: signals are heard."""

    seconds: float

    def __call__(self) -> None:
        from convrepro.training import Learner

        step = Learner.step

        def slow_step(learner: Learner, *batch: object) -> None:
            time.sleep(self.seconds)
            step(learner, *batch)  # type: ignore[arg-type]

        Learner.step = slow_step  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    commands.tiny_table(folder, num_cells=2, num_seeds=1, epochs=3)
    assert commands.run([*RUN, *SERIAL], folder)[0] == 0
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    commands.tiny_table(tmp_path / "work", num_cells=2, num_seeds=1, epochs=3)
    return tmp_path / "work"


def _states(folder: Path) -> list[str]:
    runs = [path.name.split("-seed") for path in (folder / "results" / "runs").iterdir() if path.is_dir()]
    return [workspace.state(folder / "results", run_id, int(seed)) for run_id, seed in runs]


def _go_on(folder: Path, whole: Path) -> None:
    code, _, err = commands.run([*RUN, *SERIAL], folder)
    assert (code, "Traceback" in err) == (0, False)
    assert commands.records_of(folder) == commands.records_of(whole)
    assert commands.tables_of(folder) == commands.tables_of(whole)
    assert commands.left_over(folder) == []


@pytest.mark.parametrize("number", CODES)
def test_a_signal_saves_within_the_epoch_and_the_next_start_goes_on(folder: Path, whole: Path, number: int) -> None:
    log = Logged(folder / "log")
    command = commands.start([*RUN, *SERIAL], folder, fault=All((log, SlowSteps(0.3))))
    log.wait_for("epoch1")
    time.sleep(0.45)  # in the second step of the second epoch
    sent = time.monotonic()
    command.send(number)
    assert command.wait() == CODES[signal.Signals(number)]
    assert time.monotonic() - sent < 10
    assert command.err().splitlines()[-1] == "convrepro: interrupted; the same command goes on where it stopped"
    assert "Traceback" not in command.err()
    assert _states(folder) == ["interrupted"]
    (path,) = (folder / "results" / "runs").glob("*/train/epoch1step*.ckpt")
    assert path.with_name(f"{path.name}.json").exists()
    _, status, _ = commands.run(["status", *RUN[1:]], folder)
    assert f"seed 0 interrupted: stopped by {signal.Signals(number).name} (attempt 1)" in status
    _go_on(folder, whole)


PROGRAM = """
import sys
from pathlib import Path
from tests.faults.test_r02_signals import RUN, SERIAL, SlowSteps
from convrepro import config_files
from convrepro.cli.main import main

config_files.CONFIG_DIR = Path("configs").absolute()
SlowSteps(0.3)()
sys.exit(main([*RUN, *SERIAL]))
"""


def test_a_program_is_interrupted_as_a_command_is(folder: Path, whole: Path) -> None:
    """Not forked, with all that Python does when it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not list((folder / "results").glob("runs/*/train/epoch1.ckpt.json")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "convrepro: interrupted; the same command goes on where it stopped"
    assert "Traceback" not in err
    assert _states(folder) == ["interrupted"]
    _go_on(folder, whole)


def test_a_second_interrupt_leaves_at_once(folder: Path, whole: Path) -> None:
    log = Logged(folder / "log")
    command = commands.start([*RUN, *SERIAL], folder, fault=All((log, SlowSteps(30.0))))
    log.wait_for("begun")
    time.sleep(0.3)
    command.send(signal.SIGINT)
    time.sleep(0.3)
    assert command.is_running()
    sent = time.monotonic()
    command.send(signal.SIGINT)
    assert command.wait() == 130
    assert time.monotonic() - sent < 5
    assert "Traceback" not in command.err()
    assert _states(folder) == ["interrupted"]
    _go_on(folder, whole)


@pytest.mark.parametrize(
    ("number", "to_all"),
    [
        (signal.SIGINT, True),
        (signal.SIGTERM, False),
        *(
            pytest.param(*case, marks=pytest.mark.large)
            for case in (
                *((signal.SIGINT, False), (signal.SIGTERM, True)),
                *((signal.SIGUSR1, False), (signal.SIGUSR1, True)),
            )
        ),
    ],
)
def test_runs_side_by_side_are_all_saved(folder: Path, whole: Path, number: int, to_all: bool) -> None:
    """A terminal sends Ctrl-C to all processes of the group, a scheduler its signals to one or to all."""
    log = Logged(folder / "log")
    command = commands.start([*RUN, *JOBLIB], folder, fault=All((log, SlowSteps(0.1))), environment=TWO_CORES)
    processes = {log.wait_for("begun").pid}
    while len(processes) < 2:
        processes = {event.pid for event in log.events()}
    if to_all:
        for pid in processes:
            os.kill(pid, number)
    command.send(number)
    assert command.wait() == CODES[signal.Signals(number)]
    assert "Traceback" not in command.err()
    assert _states(folder) == ["interrupted"] * 2, commands.run(["status", *RUN[1:]], folder)[1]
    assert not any(_is_alive(pid) for pid in processes)
    _go_on(folder, whole)


@pytest.mark.large
def test_processes_whose_parent_is_killed_save_and_end(folder: Path, whole: Path) -> None:
    log = Logged(folder / "log")
    command = commands.start([*RUN, *JOBLIB], folder, fault=All((log, SlowSteps(0.1))), environment=TWO_CORES)
    log.wait_for("epoch1")
    processes = {event.pid for event in log.events()}
    os.kill(command.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(_is_alive, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    command.wait()
    assert set(_states(folder)) == {"interrupted"}
    assert list((folder / "results" / "runs").glob("*/train/epoch*.ckpt"))
    _go_on(folder, whole)


@pytest.mark.large
def test_ctrl_c_at_any_time_is_one_line(folder: Path, whole: Path, figure: Callable[[int, int], int]) -> None:
    """Also while processes start, and while they end."""
    moments = random.Random(1)
    for _ in range(figure(2, 60)):
        command = commands.start([*RUN, *JOBLIB], folder, environment=TWO_CORES)
        time.sleep(moments.uniform(0.3, 6.0))
        if command.is_running():
            os.killpg(command.pid, signal.SIGINT)
        code, err = command.wait(), command.err()
        assert code in (0, 130)
        assert "Traceback" not in err
        assert code == 0 or err.splitlines()[-1].startswith("convrepro: interrupted")
    _go_on(folder, whole)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_the_attempt_is_counted_on(folder: Path) -> None:
    log = Logged(folder / "log")
    for number in (1, 2):
        command = commands.start([*RUN, *SERIAL], folder, fault=All((log, SlowSteps(0.3))))
        log.wait_for("begun", pid=command.pid)
        time.sleep(0.2)
        command.send(signal.SIGTERM)
        assert command.wait() == 143
        _, status, _ = commands.run(["status", *RUN[1:]], folder)
        assert f"(attempt {number})" in status
    assert commands.run([*RUN, *SERIAL], folder)[0] == 0
    attempts = [record["environment"]["attempt"] for record in _whole_records(folder)]
    assert sorted(attempts) == [1, 3]


def _whole_records(folder: Path) -> list[dict[str, dict[str, int]]]:
    from convrepro.records import store

    return [dataclasses.asdict(record) for record in store.read_everything(folder / "results" / "records")]
