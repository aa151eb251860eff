"""Runs in turn, or side by side."""

import dataclasses
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import joblib

from convrepro.protocols.run import run
from convrepro.protocols.schema import Config
from convrepro.records import Record

LAUNCHERS = ("serial", "joblib")
_SECONDS_BETWEEN_REPORTS = 0.5

Report = Callable[[Config, float], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended: its record, or why there is none."""

    config: Config
    record: Record | None
    failure: str


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


def _in_turn(runs: Sequence[Config], report: Report) -> Iterator[Outcome]:
    for config in runs:
        yield _attempt(config, partial(report, config))


def _side_by_side(runs: Sequence[Config], report: Report) -> Iterator[Outcome]:
    single_threaded = [
        dataclasses.replace(config, machine=dataclasses.replace(config.machine, threads=1)) for config in runs
    ]
    num_workers = min(len(runs), os.cpu_count() or 1)
    workers = joblib.Parallel(n_jobs=num_workers, return_as="generator_unordered", batch_size=1)
    with multiprocessing.get_context("spawn").Manager() as manager:
        shares = manager.dict()
        with _watching(shares, runs, report):
            yield from workers(
                joblib.delayed(_attempt)(config, _Share(shares, index)) for index, config in enumerate(single_threaded)
            )


class _Share:
    """Tells the launching process how much of a run is done; not at every step, since telling takes time."""

    def __init__(self, shares: MutableMapping[int, float], index: int) -> None:
        self._shares, self._index, self._last = shares, index, 0.0

    def __call__(self, fraction: float) -> None:
        if (now := time.monotonic()) - self._last > _SECONDS_BETWEEN_REPORTS:
            self._shares[self._index] = fraction
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
    except Exception as error:  # whatever it is, the other runs go on and the summary lists it
        return Outcome(config=config, record=None, failure=f"{type(error).__name__}: {error}")
