"""Runs in turn, side by side, or on other machines; seeds of a cell together where the machine is to train several."""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial

import joblib

from convrepro import interruption
from convrepro.durable import DiskFull
from convrepro.protocols import launchers
from convrepro.protocols.attempt import Outcome, Report, attempt
from convrepro.protocols.claimed import folder_of
from convrepro.protocols.identity import run_id
from convrepro.protocols.schema import TRAINED, Config
from convrepro.protocols.train import device_of
from convrepro.records import attempts
from convrepro.records.workspace import Run

_SECONDS_BETWEEN_LOOKS = 0.5


def launch(
    runs: Sequence[Config], *, launcher: str, report: Report = lambda config, fraction: None
) -> Iterator[Outcome]:
    """Runs every config; a run that fails does not stop the others.

    Runs that other processes work on are given as such at once, and again when they have ended, there or, if those
    processes are gone, here.

    Args:
        runs: configs with their seeds.
        launcher: ``serial``: one after the other in this process; ``joblib``: one process per core, one thread each;
            ``ray``, ``submitit``: on the machines of a cluster. All take ``machine.seeds_per_device`` seeds of a cell
            at a time.
        report: called with a run and its finished fraction, from another thread where runs go side by side.

    Yields:
        Outcomes as the runs end.

    Raises:
        ValueError: if there is no such launcher, or its package is not installed.
        Interrupted: if this process is asked to stop, once the runs have saved what they have.
        DiskFull: if nothing more can be written.
    """
    start, watch = launchers.of(launcher), attempts.Watch()
    told: set[Run] = set()  # to be elsewhere
    elsewhere: dict[Run, Config] = {}
    waiting = {(run_id(config), config.seed): config for config in runs}
    while waiting:
        work = partial(attempt, silent=watch.silent)
        with closing(start(groups_of(list(waiting.values()), launcher), work, report=report)) as outcomes:
            for outcome in outcomes:
                run = run_id(outcome.config), outcome.config.seed
                if outcome.is_elsewhere:
                    elsewhere[run] = waiting[run]
                if outcome.is_disk_full:
                    raise DiskFull(outcome.failure)
                if not outcome.is_elsewhere or run not in told:
                    yield outcome
        told |= elsewhere.keys()
        interruption.check()
        waiting = _free(elsewhere, watch)
        elsewhere = {run: config for run, config in elsewhere.items() if run not in waiting}


def _free(elsewhere: Mapping[Run, Config], watch: attempts.Watch) -> dict[Run, Config]:
    """Those of the runs that others held which they no longer do, as soon as there are any."""
    while elsewhere:
        interruption.check()
        free = {
            run: config
            for run, config in elsewhere.items()
            if watch.is_free(folder_of(config), config.machine.lease_seconds)
        }
        if free:
            return free
        time.sleep(min(_SECONDS_BETWEEN_LOOKS, *(config.machine.lease_seconds for config in elsewhere.values())))
    return {}


def default_launcher(runs: Sequence[Config]) -> str:
    """``joblib`` where several trainings and several cores meet: on a busy machine it is several times as fast."""
    trainings = [config for config in runs if config.protocol.task in TRAINED]
    return "joblib" if trainings and num_processes(trainings, "joblib") > 1 else "serial"


def num_processes(runs: Sequence[Config], launcher: str) -> int:
    """How many groups of runs go side by side: one per core that this process may use; one on a GPU, which they would
    share."""
    if launcher == "serial" or any(device_of(config.machine.accelerator).type == "cuda" for config in runs):
        return 1
    num_cores = int(joblib.cpu_count()) // max(config.machine.devices for config in runs)
    return max(1, min(len(groups_of(runs, launcher)), num_cores))


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
