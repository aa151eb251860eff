"""Runs in turn, or side by side."""

import dataclasses
import math
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import joblib

from convrepro.protocols.run import run
from convrepro.protocols.schema import Config
from convrepro.protocols.train import device_of
from convrepro.records import Record
from convrepro.records.workspace import Claimed

LAUNCHERS = ("serial", "joblib")
_SECONDS_BETWEEN_REPORTS = 0.5

Report = Callable[[Config, float], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended: its record, or why it failed, or that another process works on it."""

    config: Config
    record: Record | None
    failure: str
    is_elsewhere: bool = False


def launch(
    runs: Sequence[Config], *, launcher: str, report: Report = lambda config, fraction: None
) -> Iterator[Outcome]:
    """Runs every config; a run that fails does not stop the others.

    Args:
        runs: configs with their seeds.
        launcher: ``serial``: one after the other in this process; ``joblib``: one process per core, one thread each.
        report: called with a run and its finished fraction, from another thread where runs go side by side.

    Yields:
        Outcomes as the runs end.

    Raises:
        ValueError: if there is no such launcher.
    """
    if launcher not in LAUNCHERS:
        raise ValueError(f"`launcher` must be one of {', '.join(LAUNCHERS)}, got {launcher!r}.")
    return _in_turn(runs, report) if launcher == "serial" else _side_by_side(runs, report)


def default_launcher(runs: Sequence[Config]) -> str:
    """``joblib`` where several trainings and several cores meet: on a busy machine it is several times as fast."""
    num_trainings = sum(config.protocol.task != "count" for config in runs)
    return "joblib" if num_trainings > 1 and _num_workers(runs) > 1 else "serial"


def _in_turn(runs: Sequence[Config], report: Report) -> Iterator[Outcome]:
    for config in runs:
        yield _attempt(config, _Seldom(partial(report, config)))


def _side_by_side(runs: Sequence[Config], report: Report) -> Iterator[Outcome]:
    single_threaded = [
        dataclasses.replace(config, machine=dataclasses.replace(config.machine, threads=1)) for config in runs
    ]
    workers = joblib.Parallel(n_jobs=_num_workers(runs), return_as="generator_unordered", batch_size=1)
    with multiprocessing.get_context("spawn").Manager() as manager:
        shares = manager.dict()
        with _watching(shares, runs, report):
            yield from workers(
                joblib.delayed(_attempt)(config, _Seldom(partial(shares.__setitem__, index)))
                for index, config in enumerate(single_threaded)
            )


def _num_workers(runs: Sequence[Config]) -> int:
    """One per core that this process may use; one for a GPU, which several would only share."""
    if any(device_of(config.machine.accelerator).type == "cuda" for config in runs):
        return 1
    return max(1, min(len(runs), int(joblib.cpu_count())))


class _Seldom:
    """Passes on how much of a run is done, but not at every step: telling takes time."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell, self._last = tell, -math.inf

    def __call__(self, fraction: float) -> None:
        if (now := time.monotonic()) - self._last >= _SECONDS_BETWEEN_REPORTS:
            self._tell(fraction)
            self._last = now


@contextmanager
def _watching(shares: MutableMapping[int, float], runs: Sequence[Config], report: Report) -> Iterator[None]:
    """Passes on what the workers tell, as long as it is entered."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_SECONDS_BETWEEN_REPORTS):
            for index, fraction in dict(shares).items():
                report(runs[index], fraction)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _attempt(config: Config, report: Callable[[float], None]) -> Outcome:
    try:
        return Outcome(config=config, record=run(config, report=report), failure="")
    except Claimed:
        return Outcome(config=config, record=None, failure="", is_elsewhere=True)
    except Exception as error:  # whatever it is, the other runs go on and the summary lists it
        return Outcome(config=config, record=None, failure=f"{type(error).__name__}: {error}")
