"""The seeds of one cell, as this project runs them, against as many Lightning runs in turn."""

import atexit
import contextlib
import dataclasses
import itertools
import multiprocessing
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from joblib.externals.loky import get_reusable_executor

from convrepro.benchmarks import baselines, workload
from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import in_turn, times_as_fast
from convrepro.benchmarks.turns import Pause, Work, taking_turns
from convrepro.protocols.launch import launch
from convrepro.protocols.schema import Config

NUM_SEEDS = 5
GOAL = 2.0  # times as fast as Lightning runs in turn
WORKERS = (0, 2)  # of their DataLoader; the faster one counts
_MODEL, _ROUNDS = "cnn4", 3
_OURS = {"joblib": "side by side (joblib, the default)", "serial": "in turn", "together": "together in one process"}


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """Whole cells, with everything but the start of Python and its imports."""
    num_seeds = settings.pick(NUM_SEEDS, 2)
    with taking_turns(contestants(settings, num_seeds)) as processes:
        samples = in_turn(processes, rounds=settings.num_rounds(_ROUNDS), advance=advance)
    return rows_of(samples, num_seeds)


def contestants(settings: Settings, num_seeds: int) -> dict[str, Work]:
    """Every side, by name."""

    def config() -> Config:  # each in a results folder of its own
        num_train, num_epochs = settings.pick((640, 2), (160, 1))
        return workload.workload(settings, model=_MODEL, num_train=num_train, num_epochs=num_epochs)

    theirs: dict[str, Work] = {
        f"Lightning, {workers} workers": (lightning_cells, (config(), num_seeds, workers)) for workers in WORKERS
    }
    return theirs | {name: (our_cells, (config(), num_seeds, name)) for name in _OURS}


def our_cells(finished_cell: Pause, config: Config, num_seeds: int, way: str) -> None:
    """One cell after the other, each in a fresh results folder.

    Raises:
        RuntimeError: if a run fails.
    """
    together = num_seeds if way == "together" else 1
    config = dataclasses.replace(config, machine=dataclasses.replace(config.machine, seeds_per_device=together))
    with workers_ended(is_joblib=way == "joblib"):
        for folder in _fresh(config):
            runs = seeds_of(workload.in_fresh_results(config, folder), num_seeds)
            run_all(runs, launcher="joblib" if way == "joblib" else "serial")
            finished_cell()


@contextlib.contextmanager
def workers_ended(*, is_joblib: bool = True) -> Iterator[None]:
    """Ends joblib's worker processes at the end: they would wait for more work, and this process for them."""
    try:
        yield
    finally:
        if is_joblib:
            get_reusable_executor().shutdown(wait=True)
            # A process of multiprocessing ends without its exit functions, and leaves joblib's folders.
            if multiprocessing.parent_process() is not None:
                atexit._run_exitfuncs()


def run_all(runs: Sequence[Config], *, launcher: str) -> None:
    """Runs every config.

    Raises:
        RuntimeError: if one fails.
    """
    for outcome in launch(runs, launcher=launcher):
        if outcome.record is None:
            raise RuntimeError(outcome.failure)


def lightning_cells(finished_cell: Pause, config: Config, num_seeds: int, num_workers: int) -> None:
    """The same cells, each seed a Lightning module with a PIL DataLoader, one after the other."""
    for folder in _fresh(config):
        for run in seeds_of(workload.in_fresh_results(config, folder), num_seeds):
            baselines.lightning_loop(lambda: None, run, num_workers)
        finished_cell()


def seeds_of(config: Config, num_seeds: int) -> list[Config]:
    return [dataclasses.replace(config, seed=seed) for seed in range(num_seeds)]


def rows_of(samples: Mapping[str, Sequence[float]], num_seeds: int) -> list[Row]:
    """From seconds of a cell."""
    theirs = min((samples[f"Lightning, {workers} workers"] for workers in WORKERS), key=statistics.median)
    return [
        Row(
            what=f"{_MODEL}, {num_seeds} seeds {said}: times as fast as {num_seeds} Lightning runs in turn",
            unit="x",
            values=times_as_fast(samples[name], than=theirs),
            goal=Goal(least=GOAL) if name == "joblib" else None,
            detail=f"{statistics.median(samples[name]):.1f} s against {statistics.median(theirs):.1f} s",
            samples=samples if name == "joblib" else {},
        )
        for name, said in _OURS.items()
    ]


def _fresh(config: Config) -> Iterator[Path]:
    """Endless new folders."""
    return (Path(config.machine.results_dir) / f"{number}" for number in itertools.count())
