"""Groups of runs as jobs of a cluster: begun, followed until each has ended, and begun again when one is lost.

The machines share the results folder and have the package. What a job tells of its progress are small files in a folder
of the launch, which is removed at its end.
"""

import dataclasses
import re
import shutil
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from convrepro import interruption, processes
from convrepro.interruption import Interrupted
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.launchers import Work
from convrepro.protocols.schema import Config

NUM_TRIES = 4  # of a group that gets no further from one to the next
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_SAVE = 30.0
_FRAME = re.compile(r'  File "|    ')  # where it was, and the line of code


class Lost(Exception):
    """The process that ran a group has ended without its outcomes. The message says how."""


def end_of_trace(trace: str) -> str:
    """What the trace of an exception ends with, its class and message, as one line; texts without a trace are all of
    it."""
    lines = trace.strip().splitlines()
    frames = [place for place, line in enumerate(lines) if _FRAME.match(line)]
    return " ".join(" ".join(lines[frames[-1] + 1 :] if frames else lines).split())


class Job(Protocol):
    """A group of runs that was handed over."""

    def outcomes(self) -> list[Outcome] | None:
        """What became of its runs, in their order; None as long as it goes on. Raises ``Lost``."""

    def cancel(self) -> None:
        """Asks it to save what it has and end, or not to begin."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a job does, wherever it is called.

    Args:
        work: tries the runs.
        configs: of a group.
        folder: where it tells how far each run is, a file each; on a disk that all machines share.
    """

    work: Work
    configs: tuple[Config, ...]
    folder: Path

    def __call__(self) -> list[Outcome]:
        """Runs the group in this process; SIGTERM, and what asks a cluster's job to end, make it save what it has."""
        places = {id(config): place for place, config in enumerate(self.configs)}

        def tell(config: Config, fraction: float) -> None:
            with suppress(OSError):  # no run fails for it
                (self.folder / str(places[id(config)])).write_text(f"{fraction:.6f}", encoding="utf-8")

        with suppress(OSError):
            self.folder.mkdir(exist_ok=True)
        with suppress(Interrupted), interruption.heeded(), _heard_as_sigterm(signal.SIGINT, signal.SIGUSR2):
            return self.work(self.configs, tell)
        return [Outcome(config=config, is_interrupted=True) for config in self.configs]

    def told(self) -> list[float]:
        """How much of each run is finished, as far as it was told."""
        return [_number(self.folder / str(place)) for place in range(len(self.configs))]


@contextmanager
def _heard_as_sigterm(*numbers: signal.Signals) -> Iterator[None]:
    """Within it, the signals by which ray and submitit ask a job to stop, once or again, are one that saves."""
    before = {number: signal.signal(number, lambda *_: signal.raise_signal(signal.SIGTERM)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _number(path: Path) -> float:
    try:
        return float(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not written yet, or just being written
        return 0.0


@dataclass
class _Group:
    configs: Sequence[Config]
    errand: Errand
    num_tries: int = 0  # since it last got further
    furthest: float = 0.0
    told: list[float] = field(default_factory=list)  # greatest finished fraction of each run


def follow(
    groups: Sequence[Sequence[Config]],
    work: Work,
    begin: Callable[[Sequence[Errand]], Sequence[Job]],
    *,
    folder: Path,
    num_at_once: int,
    report: Report,
) -> Iterator[Outcome]:
    """Outcomes of all groups as they end.

    A group whose job is lost, or stopped by somebody else than this process, is begun again.

    Args:
        groups: in the order in which they are begun.
        work: what is done with each.
        begin: hands errands over.
        folder: of this launch.
        num_at_once: how many jobs there are at any time.
        report: called with a run and its finished fraction.
    """
    waiting = deque(
        _Group(configs, Errand(work=work, configs=tuple(map(portable, configs)), folder=folder / f"group{place}"))
        for place, configs in enumerate(groups)
    )
    at_work: list[tuple[_Group, Job]] = []
    try:
        while (waiting or at_work) and not interruption.requested():
            begun = [waiting.popleft() for _ in range(min(len(waiting), num_at_once - len(at_work)))]
            if begun:
                at_work += zip(begun, begin([group.errand for group in begun]), strict=True)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
            for group, job in list(at_work):
                _tell(group, report)
                outcomes = _outcomes(group, job)
                if outcomes is not None:
                    at_work.remove((group, job))
                    yield from outcomes
                    if not outcomes:
                        waiting.appendleft(group)
        yield from _stopped(waiting, at_work)
    finally:
        for _, job in at_work:
            job.cancel()


def _outcomes(group: _Group, job: Job) -> list[Outcome] | None:
    """What became of a group; nothing if it is to be begun again, None as long as it goes on."""
    try:
        outcomes = job.outcomes()
        if outcomes is None:
            return None
        if not any(outcome.is_interrupted for outcome in outcomes) or interruption.requested():
            return [
                dataclasses.replace(outcome, config=config)
                for config, outcome in zip(group.configs, outcomes, strict=True)
            ]
        how = "was asked to stop, not by this process"
    except Lost as lost:
        how = str(lost)
    reached = sum(group.told)
    group.num_tries = group.num_tries + 1 if reached <= group.furthest else 1
    group.furthest = max(group.furthest, reached)
    if group.num_tries < NUM_TRIES:
        return []
    failure = f"its process {how}, {NUM_TRIES} times without getting further"
    return [Outcome(config=config, failure=failure) for config in group.configs]


def _tell(group: _Group, report: Report) -> None:
    before = group.told or [0.0] * len(group.configs)
    group.told = list(map(max, before, group.errand.told()))
    for config, fraction, reported in zip(group.configs, group.told, before, strict=True):
        if fraction > reported:
            report(config, fraction)


def _stopped(waiting: Sequence[_Group], at_work: list[tuple[_Group, Job]]) -> Iterator[Outcome]:
    """Outcomes of what is left when this process is asked to stop, once all have saved what they have."""
    for group in waiting:
        yield from (Outcome(config=config, is_interrupted=True) for config in group.configs)
    for _, job in at_work:
        job.cancel()
    deadline = time.monotonic() + _SECONDS_TO_SAVE
    while at_work and time.monotonic() < deadline:
        for group, job in list(at_work):
            try:
                outcomes = job.outcomes()
            except Lost:
                outcomes = [Outcome(config=config, is_interrupted=True) for config in group.configs]
            if outcomes is not None:
                at_work.remove((group, job))
                for config, outcome in zip(group.configs, outcomes, strict=True):
                    yield dataclasses.replace(outcome, config=config)
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    for group, _ in at_work:
        yield from (Outcome(config=config, is_interrupted=True) for config in group.configs)


def portable(config: Config) -> Config:
    """A config that means the same in another folder; with one thread unless it says how many."""
    machine = config.machine
    folders: dict[str, Any] = {
        name: str(Path(getattr(machine, name)).absolute()) for name in ("data_dir", "cache_dir", "results_dir")
    }
    return dataclasses.replace(config, machine=dataclasses.replace(machine, threads=machine.threads or 1, **folders))


@contextmanager
def own_folder(groups: Sequence[Sequence[Config]], launcher: str) -> Iterator[Path]:
    """A folder of this launch among the runs, removed at its end; those of dead processes are, too."""
    above = Path(groups[0][0].machine.results_dir).absolute() / "runs" / f".{launcher}"
    above.mkdir(parents=True, exist_ok=True)
    for other in above.iterdir():
        tag, _, _ = other.name.partition(".")
        with suppress(ValueError):  # not one of ours
            if processes.is_dead(tag):
                shutil.rmtree(other, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=above, prefix=f"{processes.tag(processes.this())}."))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another launch is under way
            above.rmdir()
