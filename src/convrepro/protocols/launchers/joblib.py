"""Groups of runs side by side on this machine: joblib hands them out, and each has a process of its own.

A process that is killed, for memory or by hand, takes its own runs with it and no others. All are forked from one that
has imported everything already, so that they start in milliseconds.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import joblib

from convrepro import interruption
from convrepro.interruption import Interrupted
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.claimed import folder_of, records_of
from convrepro.protocols.launch import num_processes
from convrepro.protocols.launchers import Work
from convrepro.protocols.schema import Config
from convrepro.records import Record, attempts

_CONTEXT = multiprocessing.get_context("forkserver")


def run(groups: Sequence[Sequence[Config]], work: Work, *, report: Report) -> Iterator[Outcome]:
    """Outcomes of all groups as they end; see ``convrepro.protocols.launchers``."""
    children = _Children()
    num_side_by_side = num_processes([config for group in groups for config in group], "joblib")
    workers = joblib.Parallel(
        n_jobs=num_side_by_side, backend="threading", return_as="generator_unordered", batch_size=1
    )
    with interruption.passed_on(children.send, leave=lambda: children.send(signal.SIGKILL)):
        interruption.start_server("convrepro.protocols.attempt")
        ended = workers(joblib.delayed(children.attempt)(group, work, report) for group in groups)
        try:
            for outcomes in ended:
                yield from outcomes
        except GeneratorExit:
            children.stop()
            for _ in ended:
                pass
            raise


class _Children:
    """The processes of this launch."""

    def __init__(self) -> None:
        self._alive: set[int] = set()
        self._lock = threading.Lock()  # multiprocessing asks after all processes when one is started
        self._is_stopping = False

    def attempt(self, group: Sequence[Config], work: Work, report: Report) -> list[Outcome]:
        """What a process of its own made of a group."""
        if self._is_to_stop():
            return [Outcome(config=config, is_interrupted=True) for config in group]
        ours, theirs = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_work, args=(group, work, theirs))
        try:
            with self._lock:
                process.start()
        except (EOFError, OSError) as error:  # the server is gone, or there is no room for a process
            failure = f"no process could be started for it: {error or type(error).__name__}"
            return [Outcome(config=config, failure=failure) for config in group]
        finally:
            theirs.close()
        assert process.pid is not None
        self._alive.add(process.pid)
        if self._is_to_stop():  # which came before there was anybody to tell
            self.send(signal.SIGTERM)
        outcomes = _heard(ours, group, report)
        wait([process.sentinel])
        with self._lock:
            process.join()
        self._alive.remove(process.pid)
        return outcomes or _died(group, process.pid, process.exitcode, was_told=self._is_to_stop())

    def stop(self) -> None:
        """Begins no more, and tells all to save what they have and end."""
        self._is_stopping = True
        self.send(signal.SIGTERM)

    def send(self, number: int) -> None:
        """Sends a signal to all; they know Ctrl-C as SIGTERM."""
        for pid in list(self._alive):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if number == signal.SIGINT else number)

    def _is_to_stop(self) -> bool:
        return self._is_stopping or interruption.requested()


def _heard(ours: Connection, group: Sequence[Config], report: Report) -> list[Outcome]:
    """Passes on what a process tells of its progress; its outcomes, or none if it ends without."""
    while True:
        try:
            said = ours.recv()
        except (EOFError, OSError):  # it has ended, perhaps in the middle of a word
            return []
        if isinstance(said, list):
            return said
        place, fraction = said
        report(group[place], fraction)


def _died(group: Sequence[Config], pid: int, exit_code: int | None, *, was_told: bool) -> list[Outcome]:
    """Outcomes of a process that ended without giving any; it may have made records before."""
    if was_told:
        return [Outcome(config=config, is_interrupted=True) for config in group]
    name = signal.Signals(-exit_code).name if exit_code is not None and exit_code < 0 else f"exit code {exit_code}"
    cause = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    failure = f"its process was ended by {name}{cause}"
    records: dict[int, Record] = {}
    with suppress(ValueError):
        records = records_of(group)
    for config in group:
        with suppress(OSError):
            attempts.note_death(folder_of(config), pid, failure)
    return [
        Outcome(config=config, record=records.get(config.seed), failure="" if config.seed in records else failure)
        for config in group
    ]


def _work(group: Sequence[Config], work: Work, theirs: Connection) -> None:
    places = {id(config): place for place, config in enumerate(group)}

    def tell(config: Config, fraction: float) -> None:
        with suppress(OSError):  # nobody listens: the parent is gone, which is heeded in its place
            theirs.send((places[id(config)], fraction))

    with suppress(OSError, Interrupted):
        interruption.heed_as_child()  # a signal may have come before
        theirs.send(work(group, tell))
