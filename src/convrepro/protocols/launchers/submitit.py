"""Groups of runs as jobs of SLURM, or as processes of this machine where there is none, by submitit.

Submitit's protocol is a folder: it pickles what a job calls and what that returns into files. The folder lies among the
runs, belongs to one launch and is removed at its end. ``CONVREPRO_SUBMITIT`` says what jobs ask for, such as
``slurm_partition=gpu timeout_min=600``; a job that is out of time saves what it has and is begun again. Where the nodes
have GPUs and this machine has none, it must say ``gpus_per_node=1``.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import joblib
import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError

from convrepro import config_files, interruption
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.launchers import Work, jobs
from convrepro.protocols.launchers.jobs import Errand, Lost
from convrepro.protocols.schema import Config
from convrepro.protocols.train import device_of

VARIABLE = "CONVREPRO_SUBMITIT"
SETTINGS: dict[str, type] = {
    "cluster": str,  # slurm or local
    "timeout_min": int,
    "mem_gb": float,
    "cpus_per_task": int,
    "gpus_per_node": int,
    "slurm_account": str,
    "slurm_array_parallelism": int,
    "slurm_constraint": str,
    "slurm_exclude": str,
    "slurm_nodelist": str,
    "slurm_partition": str,
    "slurm_qos": str,
    "slurm_signal_delay_s": int,
}
_CLUSTERS = ("local", "slurm")
_MINUTES = 24 * 60
_SECONDS_OF_A_SHARED_DISK = 30.0  # until all machines see a file that one has written
_RULER = f"\n{22 * '-'}\n"
_JOBS_OF_AN_ARRAY = 1000  # SLURM's own limit, unless a cluster has another


def run(groups: Sequence[Sequence[Config]], work: Work, *, report: Report) -> Iterator[Outcome]:
    """Outcomes of all groups as they end; see ``convrepro.protocols.launchers``.

    Raises:
        ValueError: if ``CONVREPRO_SUBMITIT`` says what submitit does not know, or a job cannot be submitted.
    """
    asked = settings(os.environ.get(VARIABLE, ""))
    if not groups:
        return
    with interruption.deferred(), jobs.own_folder(groups, "submitit") as folder:
        executor = submitit.AutoExecutor(folder / "jobs", cluster=asked.pop("cluster", None))
        parameters = {"name": "convrepro", "timeout_min": _MINUTES, **_needs(groups), **asked}
        executor.update_parameters(**parameters)
        is_local = executor.cluster == "local"

        def begin(errands: Sequence[Errand]) -> list[_Submitted]:
            return [_Submitted(job, is_local=is_local) for job in _submitted(executor, errands)]

        num_at_once = _num_side_by_side(parameters) if is_local else _JOBS_OF_AN_ARRAY
        yield from jobs.follow(groups, work, begin, folder=folder, num_at_once=num_at_once, report=report)


def settings(text: str) -> dict[str, Any]:
    """What ``CONVREPRO_SUBMITIT`` says.

    Raises:
        ValueError: if a key is unknown, with the nearest one, or a value is not of its type.
    """
    found: dict[str, Any] = {}
    for pair in text.split():
        key, _, value = pair.partition("=")
        config_files.check_name(key, SETTINGS, kind=f"key of {VARIABLE}")
        try:
            found[key] = SETTINGS[key](value)
        except ValueError:
            found[key] = ""
        if not found[key]:
            raise ValueError(f"`{VARIABLE}` must say {key}=<{SETTINGS[key].__name__}>, got {pair!r}.")
    if "cluster" in found:
        config_files.check_name(found["cluster"], _CLUSTERS, kind=f"cluster of {VARIABLE}")
    return found


def _needs(groups: Sequence[Sequence[Config]]) -> dict[str, int]:
    """What every job asks for: enough for each of the groups."""
    machines = [group[0].machine for group in groups]
    gpus = [machine.devices for machine in machines if device_of(machine.accelerator).type == "cuda"]
    cpus = [max(1, machine.threads) * machine.devices for machine in machines]
    return {"cpus_per_task": max(cpus), **({"gpus_per_node": max(gpus)} if gpus else {})}


def _num_side_by_side(parameters: Mapping[str, Any]) -> int:
    """How many jobs this machine takes at a time; all of them would have the same GPUs."""
    return 1 if parameters.get("gpus_per_node") else max(1, int(joblib.cpu_count()) // parameters["cpus_per_task"])


def _submitted(executor: submitit.AutoExecutor, errands: Sequence[Errand]) -> list[submitit.Job[list[Outcome]]]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # which jobs of this machine then never see
    try:
        with submitit.helpers.clean_env():  # else a job that submits hands its own SLURM_... on
            return executor.submit_array(errands)
    except FailedJobError as error:
        raise ValueError(f"submitit cannot submit a job: {' '.join(str(error).split())}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reason(error: Exception) -> str:
    """What a job's trace ends with, which submitit puts between two lines of dashes."""
    said = str(error)
    return jobs.end_of_trace(said.split(_RULER)[1] if said.count(_RULER) > 1 else said)


class _Submitted:
    """A group as a job."""

    def __init__(self, job: submitit.Job[list[Outcome]], *, is_local: bool) -> None:
        self._job, self._is_local = job, is_local
        self._seconds_to_wait = 0.0 if is_local else _SECONDS_OF_A_SHARED_DISK
        self._ended_at: float | None = None

    def outcomes(self) -> list[Outcome] | None:
        if not self._job.done():
            return None
        self._ended_at = self._ended_at or time.monotonic()
        if not self._job.paths.result_pickle.exists():
            if time.monotonic() - self._ended_at < self._seconds_to_wait:
                return None
            raise Lost("ended without a result, as one does that is killed")
        try:
            return self._job.result()
        except (UncompletedJobError, FailedJobError) as error:
            raise Lost(f"failed with {_reason(error)}") from error

    def cancel(self) -> None:
        if not self._is_local:
            self._job.cancel()
        elif not self._job.done():  # its own way would leave a second to save anything
            with suppress(ProcessLookupError):
                os.kill(int(self._job.job_id), signal.SIGTERM)
