"""Runs in turn or side by side; seeds of a cell together where the machine is to train several at a time."""

import dataclasses
import math
import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import joblib

from convrepro.protocols.identity import run_id
from convrepro.protocols.run import run_seeds
from convrepro.protocols.schema import TRAINED, Config
from convrepro.protocols.train import device_of
from convrepro.records import Record

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
            Either takes ``machine.seeds_per_device`` seeds of a cell at a time.
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
    trainings = [config for config in runs if config.protocol.task in TRAINED]
    return "joblib" if trainings and num_processes(trainings, "joblib") > 1 else "serial"


def num_processes(runs: Sequence[Config], launcher: str) -> int:
    """How many groups of runs go side by side: one per core that this process may use; one on a GPU, which they would
    share."""
    if launcher == "serial" or any(device_of(config.machine.accelerator).type == "cuda" for config in runs):
        return 1
    return max(1, min(len(groups_of(runs, launcher)), int(joblib.cpu_count())))


def groups_of(runs: Sequence[Config], launcher: str) -> list[list[Config]]:
    """The runs as a launcher takes them: those of a cell, ``machine.seeds_per_device`` at a time, in the order of the
    cells; with one thread each where they go side by side."""
    if launcher == "joblib":
        runs = [dataclasses.replace(config, machine=dataclasses.replace(config.machine, threads=1)) for config in runs]
    cells: dict[str, list[Config]] = {}
    for config in runs:
        cells.setdefault(run_id(config), []).append(config)
    return [
        cell[start : start + cell[0].machine.seeds_per_device]
        for cell in cells.values()
        for start in range(0, len(cell), cell[0].machine.seeds_per_device)
    ]


def _in_turn(runs: Sequence[Config], report: Report) -> Iterator[Outcome]:
    for group in groups_of(runs, "serial"):
        tellers = {config.seed: _Seldom(partial(report, config)) for config in group}
        yield from _attempt(group, tellers)


def _side_by_side(runs: Sequence[Config], report: Report) -> Iterator[Outcome]:
    places = {(run_id(config), config.seed): place for place, config in enumerate(runs)}
    workers = joblib.Parallel(n_jobs=num_processes(runs, "joblib"), return_as="generator_unordered", batch_size=1)
    with multiprocessing.get_context("spawn").Manager() as manager:
        shares = manager.dict()
        with _watching(shares, runs, report):
            for outcomes in workers(
                joblib.delayed(_attempt)(
                    group,
                    {
                        config.seed: _Seldom(partial(shares.__setitem__, places[run_id(config), config.seed]))
                        for config in group
                    },
                )
                for group in groups_of(runs, "joblib")
            ):
                yield from outcomes


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


def _attempt(configs: Sequence[Config], tellers: Mapping[int, Callable[[float], None]]) -> list[Outcome]:
    try:
        records = run_seeds(configs, report=lambda seed, fraction: tellers[seed](fraction))
    except Exception as error:  # whatever it is, the other runs go on and the summary lists it
        failure = f"{type(error).__name__}: {error}"
        return [Outcome(config=config, record=None, failure=failure) for config in configs]
    return [
        Outcome(config=config, record=records.get(config.seed), failure="", is_elsewhere=config.seed not in records)
        for config in configs
    ]
