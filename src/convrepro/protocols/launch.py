"""Runs in turn, or side by side."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import joblib

from convrepro.protocols.run import run
from convrepro.protocols.schema import Config
from convrepro.records import Record

LAUNCHERS = ("serial", "joblib")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended: its record, or why there is none."""

    config: Config
    record: Record | None
    failure: str


def launch(
    runs: Sequence[Config],
    *,
    launcher: str,
    report: Callable[[Config, float], None] = lambda config, fraction: None,
) -> Iterator[Outcome]:
    """Runs every config; a run that fails does not stop the others.

    Args:
        runs: configs with their seeds.
        launcher: ``serial``: one after the other in this process; ``joblib``: one process per core, one thread each.
        report: called with a run and its finished fraction; by ``serial`` only.

    Yields:
        Outcomes as the runs end.
    """
    if launcher not in LAUNCHERS:
        raise ValueError(f"`launcher` must be one of {', '.join(LAUNCHERS)}, got {launcher!r}.")
    if launcher == "serial":
        for config in runs:
            yield _attempt(config, partial(report, config))
        return
    single_threaded = [
        dataclasses.replace(config, machine=dataclasses.replace(config.machine, threads=1)) for config in runs
    ]
    num_workers = min(len(runs), os.cpu_count() or 1)
    workers = joblib.Parallel(n_jobs=num_workers, return_as="generator_unordered", batch_size=1)
    yield from workers(joblib.delayed(_attempt)(config) for config in single_threaded)


def _attempt(config: Config, report: Callable[[float], None] = lambda fraction: None) -> Outcome:
    try:
        return Outcome(config=config, record=run(config, report=report), failure="")
    except Exception as error:  # whatever it is, the other runs go on and the summary lists it
        return Outcome(config=config, record=None, failure=f"{type(error).__name__}: {error}")
