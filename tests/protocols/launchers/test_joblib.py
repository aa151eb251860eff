"""A process per group: what it takes with it when it dies, and how it is told to stop."""

import dataclasses
import os
import signal
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
from convrepro.protocols.claimed import folder_of
from convrepro.protocols.composer import compose
from convrepro.protocols.launchers import joblib
from convrepro.protocols.run import run
from convrepro.protocols.schema import Config
from convrepro.records import attempts


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


def _ends_halfway(group: Sequence[Config], tell: Report) -> list[Outcome]:
    run(group[0])
    attempts.claim(folder_of(group[1]))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def test_a_record_that_was_made_before_a_process_died_counts(groups: list[list[Config]]) -> None:
    first, second = (
        dataclasses.replace(group[0], protocol=dataclasses.replace(group[0].protocol, task="count"))
        for group in groups[:2]
    )
    done, failed = joblib.run([[first, second]], _ends_halfway, report=lambda *_: None)
    assert (done.config.seed, done.failure) == (0, "")
    assert done.record is not None
    assert failed.record is None
    newest = attempts.latest(folder_of(second))
    assert newest is not None
    assert (newest.state, newest.reason) == ("failed", failed.failure)
    assert failed.failure.startswith("its process was ended by SIGKILL")


def _waits(group: Sequence[Config], tell: Report) -> list[Outcome]:
    tell(group[0], 0.5)
    deadline = time.monotonic() + 30
    with interruption.deferred():
        while not interruption.requested():
            if time.monotonic() > deadline:
                return [Outcome(config=config, failure="was never asked to stop") for config in group]
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


def test_processes_are_forked_from_a_server_without_signals(
    groups: list[list[Config]], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    monkeypatch.setattr(interruption, "start_server", started.append)
    assert len(list(joblib.run(groups[:1], _work, report=lambda *_: None))) == 1
    assert started == ["convrepro.protocols.attempt"]


def test_a_process_that_begins_while_the_wish_to_stop_arrives_is_told(
    groups: list[list[Config]], monkeypatch: pytest.MonkeyPatch
) -> None:
    children, answers = joblib._Children(), iter([False])
    monkeypatch.setattr(children, "_is_to_stop", lambda: next(answers, True))
    died, exit_codes = joblib._died, []

    def noted(group: Sequence[Config], pid: int, exit_code: int | None, *, was_told: bool) -> list[Outcome]:
        exit_codes.append(exit_code)
        return died(group, pid, exit_code, was_told=was_told)

    monkeypatch.setattr(joblib, "_died", noted)
    (outcome,) = children.attempt(groups[0], _waits, lambda *_: None)
    assert (outcome.is_interrupted, outcome.failure) == (True, "")
    assert exit_codes in ([], [0])  # it was told while it worked, or before; never just ended
