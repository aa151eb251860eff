"""Cells of several tables, the most wanted first, until a deadline."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files, interruption
from convrepro.durable import DiskFull
from convrepro.interruption import Interrupted
from convrepro.protocols.estimate import work_of
from convrepro.protocols.grid import PlannedTable
from convrepro.protocols.run import run_seeds
from convrepro.protocols.schema import Config
from convrepro.records import store, workspace

SECONDS_TO_SAVE = 15.0  # kept free before a deadline: for what runs between two steps, and for writing the state
SECONDS_BETWEEN_SAVES = 60.0
_SECONDS_BETWEEN_LINES = 30.0
_SECONDS_WORTH_BEGINNING = 60.0  # what is done of an epoch is saved
_SECONDS_APART = 1e-3  # reports that follow each other faster are of steps that were found to be finished together

Say = Callable[[str], None]  # a line on what goes on


@dataclass(kw_only=True)
class Entry:
    """Cells of one table; an entry of ``cells`` in ``configs/campaign``.

    Args:
        table: file in ``configs/table``.
        dataset: a data set to take the place of the table's own, such as a pack of it.
        only: values of labels; a cell counts if each of these labels has one of its values.
        optional: whether the entry is left out as long as there is no such table.
    """

    table: str
    dataset: str | None = None
    only: dict[str, list[str]] = field(default_factory=dict)
    optional: bool = False

    @property
    def title(self) -> str:
        chosen = [f"{label}={','.join(values)}" for label, values in self.only.items()]
        return " ".join([self.table, *([self.dataset] if self.dataset else []), *chosen])

    @property
    def is_there(self) -> bool:
        return self.table in config_files.names("table")


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


@dataclass(kw_only=True)
class Deadline:
    """A moment at which work must have stopped.

    Args:
        end: on the clock.
        clock: in seconds.
    """

    end: float
    clock: Callable[[], float] = time.monotonic

    @property
    def seconds_left(self) -> float:
        return self.end - self.clock()

    def come(self) -> None:
        """It is now, if it was later."""
        self.end = min(self.end, self.clock())


class OutOfTime(BaseException):
    """The deadline was reached in the middle of a run; no failure of the run."""


def entries(name: str) -> list[Entry]:
    """The entries of ``configs/campaign/<name>.yaml``.

    Raises:
        ValueError: if there is no such file, it does not fit, or names a table that is not there and not optional.
    """
    content = config_files.load("campaign", name)
    try:
        file = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(_File), content))
    except OmegaConfBaseException as error:
        raise ValueError(f"configs/campaign/{name}.yaml: {str(error).splitlines()[0]}") from error
    assert isinstance(file, _File)
    for entry in file.cells:
        if not entry.optional:
            config_files.check_name(entry.table, config_files.names("table"), kind="table")
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
    """Works through the cells of entries in their order, each cell once.

    An entry is planned when its turn comes, the first at once: what is wrong with all of them is then found before any
    work. ``jobs`` are the cells of the entries so far, ``waiting`` are the other entries.

    Args:
        entries: of tables that are there.
        plan: from an entry to its cells.
        deadline: for the last step; what follows it (writing the state) has its own time.
        say: called now and then.
    """

    def __init__(
        self, entries: Sequence[Entry], plan: Callable[[Entry], Sequence[Job]], *, deadline: Deadline, say: Say
    ) -> None:
        self.jobs: list[Job] = []
        self.waiting = list(entries)
        self._plan, self._deadline, self._say = plan, deadline, say
        self._paces: dict[tuple[str, ...], list[float]] = {}  # a group's seconds per multiply-accumulate of one run
        self._set_up = 0.0  # seconds before the first step of the last group
        self._plan_next()

    def work(self, save: Callable[[], object]) -> None:
        """Runs what the jobs lack until all is done or the deadline is reached; a job that fails stops no other.

        No job is begun for which there is less time than for an epoch, or a minute's part of one, as far as those
        before it tell.

        Args:
            save: called after each job that has ended, and about every minute within one, between two epochs.
        """
        self._save, self._saved = save, self._deadline.clock()
        for job in self._in_turn():
            waiting = self._waiting_of(job)
            if not waiting:
                continue
            if (left := self._deadline.seconds_left) <= (needed := self._seconds_needed(job)):
                self._say(f"{job.title} is left: {left:.0f} s to the deadline, it needs about {needed:.0f} s")
                return
            self._say(f"{job.title}: {len(waiting)} runs, {left:.0f} s to the deadline")
            started, num_done = self._deadline.clock(), job.num_done
            try:
                self._run(job, waiting)
            except OutOfTime:
                self._say(f"{job.title}: stopped at the deadline, {job.share:.0%} done")
                return
            except DiskFull:
                raise
            except Exception as error:  # whatever it is, the other cells go on and the summary lists it
                job.failure = f"{type(error).__name__}: {error}"
                self._say(f"{job.title}: failed, {job.failure}")
            finally:
                job.seconds = self._deadline.clock() - started
                job.num_done = _num_done(job)
                job.num_new = job.num_done - num_done
            self._save_now()

    def _in_turn(self) -> Iterator[Job]:
        """Jobs, planned when they are needed and there is time."""
        num_given = 0
        while num_given < len(self.jobs) or (self.waiting and self._deadline.seconds_left > 0.0):
            if num_given == len(self.jobs):
                self._plan_next()
                continue
            yield self.jobs[num_given]
            num_given += 1

    def _plan_next(self) -> None:
        for job in self._plan(self.waiting[0]) if self.waiting else ():
            if job.run_id not in {known.run_id for known in self.jobs}:
                job.num_done = _num_done(job)
                self.jobs.append(job)
        del self.waiting[:1]

    def _waiting_of(self, job: Job) -> list[Config]:
        """Runs of a job that can be done; says which cannot, for their records are broken."""
        records_dir = workspace.records_dir(Path(job.configs[0].machine.results_dir))
        _, defects = store.read_all(records_dir, [job.run_id], [config.seed for config in job.configs])
        if defects:
            job.failure = " ".join(defects)
            self._say(f"{job.title}: {job.failure}")
        return [
            config for config in job.configs if _state(config, job.run_id) in workspace.OPEN
        ]  # "running" may be over by now

    def _save_now(self) -> None:
        self._save()
        self._saved = self._deadline.clock()

    def _save_now_and_then(self) -> None:
        """Called between two epochs: there is then a new checkpoint of each seed, and none is being written."""
        if self._deadline.clock() - self._saved < SECONDS_BETWEEN_SAVES:
            return
        try:
            self._save_now()
        except (OSError, ValueError) as error:  # the runs are not to blame, and the next save may do
            self._say(f"  not saved: {error}")

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
            watch = _Watch(job, len(group), self._deadline, self._say, self._save_now_and_then)
            try:
                records = run_seeds(group, report=watch)
            except Interrupted:
                if not watch.is_over:
                    raise
                interruption.forget()
                raise OutOfTime from None
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

    def _seconds_needed(self, job: Job) -> float:
        """To get on with a job: until its first step, and for an epoch, or a minute if that is less."""
        epoch = (self._pace(job) or 0.0) * job.work / _num_epochs(job)
        return self._set_up + min(epoch, _SECONDS_WORTH_BEGINNING)


class _Watch:
    """Hears how far the seeds of a group are, says it now and then, and ends them at the deadline.

    Args:
        job: of the group.
        num_seeds: of the group.
        deadline: of the last step.
        say: called with a line.
        between_epochs: called at the first step of an epoch.
    """

    def __init__(
        self, job: Job, num_seeds: int, deadline: Deadline, say: Say, between_epochs: Callable[[], None]
    ) -> None:
        self._job, self._num_seeds, self._deadline, self._say = job, num_seeds, deadline, say
        self._between_epochs = between_epochs
        self._began = self._said = deadline.clock()
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self._first_report = self._first_step = self._last_step = self._began
        self.is_over = False  # whether the deadline has come
        self._is_first = True  # as long as all reports are of the steps that were found finished first
        self._longest_pause = 0.0  # between two reports: a chunk of steps, an evaluation, checkpoints, a save

    def __call__(self, seed: int, fraction: float) -> None:
        now = self._deadline.clock()
        if not self._last:
            self._first_report = self._last_step = now
        pause = now - self._last_step
        self._longest_pause = max(self._longest_pause, pause)
        self._is_first = self._is_first and pause < _SECONDS_APART
        if self._is_first:
            self._first[seed], self._first_step = fraction, now
        self._first.setdefault(seed, fraction)
        begins_epoch = self._epoch(fraction) > self._epoch(self._last.get(seed, 0.0))
        self._last[seed], self._last_step = fraction, now
        self._job.share = sum(self._last.values()) / self._job.num_left
        if now + self._longest_pause >= self._deadline.end:
            self._stop()
        if now - self._said >= _SECONDS_BETWEEN_LINES and self.finished > 0.0:
            self._said = now
            rest = self.seconds / self.finished * (1.0 - sum(self._last.values()) / self._num_seeds)
            self._say(
                f"  {self._job.share:.0%}, about {rest:.0f} s left; {self._deadline.end - now:.0f} s to the deadline"
            )
        if begins_epoch:
            self._between_epochs()

    def _stop(self) -> None:
        """Has a training save what it has of an epoch; ends here what knows nothing of that."""
        self.is_over = True
        if not interruption.is_deferred():
            raise OutOfTime
        interruption.ask()

    @property
    def seconds_to_first_step(self) -> float:
        return self._first_report - self._began

    @property
    def seconds(self) -> float:
        """Between the end of the first steps and that of the last."""
        return self._last_step - self._first_step

    @property
    def finished(self) -> float:
        """Share of the group's runs that was finished in these seconds."""
        return sum(last - self._first[seed] for seed, last in self._last.items()) / self._num_seeds

    def _epoch(self, fraction: float) -> int:
        """1-based, of the last step that was done; rounding errors of the fraction make no other."""
        return math.ceil(fraction * _num_epochs(self._job) - 1e-6)


def _state(config: Config, run_id: str) -> workspace.State:
    return workspace.state(Path(config.machine.results_dir), run_id, config.seed)


def _num_done(job: Job) -> int:
    return sum(_state(config, job.run_id) in ("done", "diverged") for config in job.configs)


def _num_epochs(job: Job) -> int:
    """Of all phases of a run."""
    config = job.configs[0]
    return config.num_epochs * (2 if config.protocol.retrain else 1)


def _num_groups(job: Job, num_runs: int) -> int:
    return math.ceil(num_runs / job.configs[0].machine.seeds_per_device)


def _keys(job: Job) -> tuple[tuple[str, ...], ...]:
    """What runs of about the same pace have in common, the nearest kin first."""
    conv, model = str(job.configs[0].conv.get("name")), str(job.configs[0].model.get("name"))
    return (conv, model), (conv,), ()
