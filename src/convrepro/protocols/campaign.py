"""Cells of several tables, the most wanted first, until a deadline."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files
from convrepro.protocols.estimate import work_of
from convrepro.protocols.grid import PlannedTable
from convrepro.protocols.run import run_seeds
from convrepro.protocols.schema import Config
from convrepro.records import workspace

SECONDS_TO_SAVE = 15.0  # kept free before a deadline: for what runs between two steps, and for writing the state
_SECONDS_BETWEEN_LINES = 30.0
_OPEN = ("missing", "interrupted", "failed", "running")  # "running" may be over when its turn comes

Say = Callable[[str], None]  # a line on what goes on


@dataclass(kw_only=True)
class Entry:
    """Cells of one table; an entry of ``cells`` in ``configs/campaign``.

    Args:
        table: file in ``configs/table``.
        dataset: a data set to take the place of the table's own, such as a pack of it.
        only: values of labels; a cell counts if each of these labels has one of its values.
    """

    table: str
    dataset: str | None = None
    only: dict[str, list[str]] = field(default_factory=dict)


@dataclass(kw_only=True)
class _File:
    """Keys of a file in ``configs/campaign``."""

    about: str
    name: str
    cells: list[Entry]


@dataclass(kw_only=True)
class Job:
    """One cell with its seeds, and what has become of it.

    Args:
        title: table and labels of the cell.
        run_id: of the cell.
        configs: one for each seed.
        work: multiply-accumulates of one run.
        num_done: runs that have a record.
        touched: seeds that were worked on here.
        num_new: those of them that have a record.
        seconds: that were spent on it here.
        share: of the runs that are left that is finished, in [0, 1].
        failure: why it failed; empty if it did not.
    """

    title: str
    run_id: str
    configs: tuple[Config, ...]
    work: float
    num_done: int = 0
    touched: list[int] = field(default_factory=list)
    num_new: int = 0
    seconds: float = 0.0
    share: float = 0.0
    failure: str = ""

    @property
    def num_left(self) -> int:
        return len(self.configs) - self.num_done


@dataclass(frozen=True, kw_only=True)
class Deadline:
    """A moment at which work must have stopped.

    Args:
        end: on the clock.
        clock: in seconds.
    """

    end: float
    clock: Callable[[], float] = time.monotonic


class OutOfTime(BaseException):
    """The deadline was reached in the middle of a run; no failure of the run."""


def entries(name: str) -> list[Entry]:
    """The entries of ``configs/campaign/<name>.yaml``.

    Raises:
        ValueError: if there is no such file, or it does not fit.
    """
    content = config_files.load("campaign", name)
    try:
        file = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(_File), content))
    except OmegaConfBaseException as error:
        raise ValueError(f"configs/campaign/{name}.yaml: {str(error).splitlines()[0]}") from error
    assert isinstance(file, _File)
    return file.cells


def jobs_of(entry: Entry, planned: PlannedTable) -> list[Job]:
    """The cells of a planned table that an entry names, in the table's order.

    Raises:
        ValueError: if the entry names a label or a value that the table does not have, or a network cannot be built.
    """
    cells = planned.table.cells
    for label, values in entry.only.items():
        config_files.check_name(label, cells[0].labels, kind=f"label of {entry.table}")
        for value in values:
            config_files.check_name(value, {cell.labels[label] for cell in cells}, kind=label)
    chosen = [cell for cell in cells if all(cell.labels[label] in values for label, values in entry.only.items())]
    work = work_of({cell.run_id: planned.configs[cell.run_id] for cell in chosen})
    jobs = []
    for cell in chosen:
        configs = [replace(planned.configs[cell.run_id], seed=seed) for seed in range(planned.table.num_seeds)]
        jobs.append(
            Job(
                title=" ".join([planned.table.name, *cell.labels.values()]),
                run_id=cell.run_id,
                configs=tuple(configs),
                work=work[cell.run_id],
            )
        )
    return jobs


class Campaign:
    """Works through jobs in their order.

    Args:
        jobs: each cell once.
        deadline: for the last step; what follows it (writing the state) has its own time.
        say: called now and then.
    """

    def __init__(self, jobs: Sequence[Job], *, deadline: Deadline, say: Say) -> None:
        self.jobs = jobs
        for job in jobs:
            job.num_done = _num_done(job)
        self._deadline, self._say = deadline, say
        self._paces: dict[tuple[str, ...], list[float]] = {}  # a group's seconds per multiply-accumulate of one run
        self._set_up = 0.0  # seconds before the first step of the last group

    def work(self, save: Callable[[], object]) -> None:
        """Runs what the jobs lack until all is done or the deadline is reached; a job that fails stops no other.

        No job is begun for which there is less than an epoch's time, as far as those before it tell.

        Args:
            save: called after each job that has ended.
        """
        for job in self.jobs:
            waiting = [config for config in job.configs if _state(config, job.run_id) in _OPEN]
            if not waiting:
                continue
            if (left := self._deadline.end - self._deadline.clock()) <= (needed := self._seconds_of_an_epoch(job)):
                self._say(f"{job.title} is left: {left:.0f} s to the deadline, an epoch takes about {needed:.0f} s")
                return
            self._say(f"{job.title}: {len(waiting)} runs, {left:.0f} s to the deadline")
            started, num_done = self._deadline.clock(), job.num_done
            try:
                self._run(job, waiting)
            except OutOfTime:
                self._say(f"{job.title}: stopped at the deadline, {job.share:.0%} done")
                return
            except Exception as error:  # whatever it is, the other cells go on and the summary lists it
                job.failure = f"{type(error).__name__}: {error}"
                self._say(f"{job.title}: failed, {job.failure}")
            finally:
                job.seconds = self._deadline.clock() - started
                job.num_done = _num_done(job)
                job.num_new = job.num_done - num_done
            save()

    def expected_seconds(self, job: Job) -> float | None:
        """Until the rest of a job is done; None if nothing that was trained here tells."""
        pace = self._pace(job)
        return None if pace is None else pace * job.work * _num_groups(job, job.num_left) * (1.0 - job.share)

    def _run(self, job: Job, waiting: Sequence[Config]) -> None:
        together = waiting[0].machine.seeds_per_device
        for start in range(0, len(waiting), together):
            group = waiting[start : start + together]
            job.touched += [config.seed for config in group]
            job.share = 0.0
            watch = _Watch(job, len(group), self._deadline, self._say)
            try:
                records = run_seeds(group, report=watch)
            finally:
                self._learn(job, watch)
            job.num_done += len(records)
        job.share = 0.0

    def _learn(self, job: Job, watch: "_Watch") -> None:
        self._set_up = watch.seconds_to_first_step or self._set_up
        if watch.finished > 0.0:
            for key in _keys(job):
                self._paces.setdefault(key, []).append(watch.seconds / (watch.finished * job.work))

    def _pace(self, job: Job) -> float | None:
        known = next((self._paces[key] for key in _keys(job) if key in self._paces), None)
        return statistics.median(known) if known else None

    def _seconds_of_an_epoch(self, job: Job) -> float:
        pace, config = self._pace(job), job.configs[0]
        num_epochs = config.num_epochs * (2 if config.protocol.retrain else 1)
        return self._set_up + (pace or 0.0) * job.work / num_epochs


class _Watch:
    """Hears how far the seeds of a group are, says it now and then, and ends them at the deadline."""

    def __init__(self, job: Job, num_seeds: int, deadline: Deadline, say: Say) -> None:
        self._job, self._num_seeds, self._deadline, self._say = job, num_seeds, deadline, say
        self._began = self._said = deadline.clock()
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._first_step = self._last_step = self._began
        self._longest_pause = 0.0  # between two steps, which is where evaluation and checkpoints are

    def __call__(self, seed: int, fraction: float) -> None:
        now = self._deadline.clock()
        if not self._first:
            self._first_step = self._last_step = now
        self._longest_pause = max(self._longest_pause, now - self._last_step)
        self._first.setdefault(seed, fraction)
        self._last[seed], self._last_step = fraction, now
        self._job.share = sum(self._last.values()) / self._job.num_left
        if now + self._longest_pause >= self._deadline.end:
            raise OutOfTime
        if now - self._said >= _SECONDS_BETWEEN_LINES and self.finished > 0.0:
            self._said = now
            rest = self.seconds / self.finished * (1.0 - sum(self._last.values()) / self._num_seeds)
            self._say(
                f"  {self._job.share:.0%}, about {rest:.0f} s left; {self._deadline.end - now:.0f} s to the deadline"
            )

    @property
    def seconds_to_first_step(self) -> float:
        return self._first_step - self._began

    @property
    def seconds(self) -> float:
        """Between the first step and the last."""
        return self._last_step - self._first_step

    @property
    def finished(self) -> float:
        """Share of the group's runs that was finished between the first step and the last."""
        return sum(last - self._first[seed] for seed, last in self._last.items()) / self._num_seeds


def _state(config: Config, run_id: str) -> workspace.State:
    return workspace.state(Path(config.machine.results_dir), run_id, config.seed)


def _num_done(job: Job) -> int:
    return sum(_state(config, job.run_id) in ("done", "diverged") for config in job.configs)


def _num_groups(job: Job, num_runs: int) -> int:
    return math.ceil(num_runs / job.configs[0].machine.seeds_per_device)


def _keys(job: Job) -> tuple[tuple[str, ...], ...]:
    """What runs of about the same pace have in common, the nearest kin first."""
    conv, model = str(job.configs[0].conv.get("name")), str(job.configs[0].model.get("name"))
    return (conv, model), (conv,), ()
