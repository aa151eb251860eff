"""A process per group: what it takes with it when it dies, and how it is told to stop."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.protocols.test_run import TINY

from convrepro import interruption
from convrepro.interruption import Interrupted
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.compose import compose
from convrepro.protocols.launchers import joblib
from convrepro.protocols.schema import Config


@pytest.fixture
def groups(tmp_path: Path) -> list[list[Config]]:
    return [
        [compose([*TINY, f"seed={seed}", f"machine.results_dir='{tmp_path}'", "machine.accelerator=cpu"])]
        for seed in range(4)
    ]


def _work(group: Sequence[Config], tell: Report) -> list[Outcome]:
    (config,) = group
    tell(config, 0.25)
    if config.seed == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if config.seed == 2:
        sys.exit(3)
    return [Outcome(config=config, failure=f"in process {os.getpid()}")]


def test_a_process_that_dies_takes_its_own_runs_with_it(groups: list[list[Config]]) -> None:
    told: dict[int, float] = {}
    outcomes = list(joblib.run(groups, _work, report=lambda config, share: told.update({config.seed: share})))
    failures = {outcome.config.seed: outcome.failure for outcome in outcomes}
    assert failures[1] == "its process was ended by SIGKILL, as the system does when memory runs out"
    assert failures[2] == "its process was ended by exit code 3"
    processes = {failures[seed].removeprefix("in process ") for seed in (0, 3)}
    assert len(processes) == 2
    assert str(os.getpid()) not in processes
    assert told == dict.fromkeys(range(4), 0.25)


def _waits(group: Sequence[Config], tell: Report) -> list[Outcome]:
    tell(group[0], 0.5)
    deadline = time.monotonic() + 60
    with interruption.deferred():
        while not interruption.requested():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return [Outcome(config=config, is_interrupted=True) for config in group]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_all_and_what_was_not_begun_is_not(groups: list[list[Config]], number: int) -> None:
    told: list[int] = []

    def report(config: Config, share: float) -> None:
        if not told:
            threading.Timer(0.1, os.kill, (os.getpid(), number)).start()
        told.append(config.seed)

    outcomes: list[Outcome] = []
    with interruption.heeded(), pytest.raises(Interrupted):
        outcomes.extend(joblib.run(groups, _waits, report=report))
    assert [outcome.is_interrupted for outcome in outcomes] == [True] * 4
    assert len(told) <= 2


def test_no_signal_reaches_the_server_that_processes_are_forked_from() -> None:
    """Also not while it imports what they need: a Ctrl-C goes to all processes of a terminal."""
    program = """
import multiprocessing.forkserver
from pathlib import Path
from convrepro.protocols.launchers import joblib
joblib._start_server()
pid = multiprocessing.forkserver._forkserver._forkserver_pid
blocked = Path(f"/proc/{pid}/status").read_text().split("SigBlk:")[1].split()[0]
print([number for number in range(1, 32) if int(blocked, 16) >> (number - 1) & 1])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[0] == str(sorted(map(int, interruption.SIGNALS))), done.stderr
