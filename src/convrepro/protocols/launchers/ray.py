"""Groups of runs as tasks of a ray cluster, whose nodes share the file system and have the package.

The cluster is that of ``RAY_ADDRESS``, else the one that ``ray start`` began on this machine, else one of this
machine's cores that lasts as long as the launch. A task whose worker dies, or whose node is lost, is begun again, on
another node if need be.
"""

import os
import signal
import socket
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell of itself to its makers; read at its import

import joblib
import ray
import ray._private.worker as ray_worker
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError, TaskCancelledError

from convrepro import interruption
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.launchers import Work, jobs
from convrepro.protocols.launchers.jobs import Errand, Lost
from convrepro.protocols.schema import Config

_QUIET: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
_PRINTER = "print_to_stdstream"  # a function of ray's own
_SECONDS_TO_ANSWER = 10.0
_STORE_BYTES = 100_000_000  # of shared memory on a cluster of our own: outcomes are small


def run(groups: Sequence[Sequence[Config]], work: Work, *, report: Report) -> Iterator[Outcome]:
    """Outcomes of all groups as they end; see ``convrepro.protocols.launchers``.

    Raises:
        ValueError: if no cluster answers at ``RAY_ADDRESS``, or none of its nodes has what a run asks for.
    """
    if not groups:
        return
    with interruption.deferred(), jobs.own_folder(groups, "ray") as folder, _cluster():
        nodes = [node["Resources"] for node in cast(Any, ray).nodes() if node["Alive"]]
        for group in groups:
            _needs(group[0], nodes)  # what no node has would be waited for

        def begin(errands: Sequence[Errand]) -> list[_Task]:
            return [_Task(errand, _needs(errand.configs[0], nodes)) for errand in errands]

        yield from jobs.follow(groups, work, begin, folder=folder, num_at_once=len(groups), report=report)


@contextmanager
def _cluster() -> Iterator[None]:
    """Connects this process with a cluster."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        _connect()
    finally:
        signal.signal(signal.SIGTERM, before)  # ray has one that leaves at once
    printer = getattr(ray_worker, _PRINTER, None)
    setattr(ray_worker, _PRINTER, _told_by_an_outcome)
    try:
        yield
    finally:
        ray.shutdown()
        setattr(ray_worker, _PRINTER, printer)


def _told_by_an_outcome(data: Any, ignore_prefix: bool = False) -> None:
    """Takes the place of what prints of each lost worker on stdout, where the table goes."""


def _connect() -> None:
    if address := os.environ.get("RAY_ADDRESS"):
        host, _, port = address.rpartition(":")
        try:
            if host and port.isdecimal():  # ray itself tries, and says so, for half a minute
                socket.create_connection((host, int(port)), timeout=_SECONDS_TO_ANSWER).close()
            ray.init(address, **_QUIET)
        except (OSError, RuntimeError) as error:
            advice = "start one, set RAY_AUTH_MODE=token if it asks for one, or unset it"
            raise ValueError(f"no ray cluster lets us in at `RAY_ADDRESS` {address}; {advice}.") from error
        return
    try:
        ray.init(num_cpus=int(joblib.cpu_count()), object_store_memory=_STORE_BYTES, **_QUIET)
    except ValueError:  # there is a cluster, whose size is not ours to choose
        ray.init(**_QUIET)


def _needs(config: Config, nodes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """What a task takes of a node, such as ``{"num_cpus": 2, "num_gpus": 1}``.

    Args:
        config: of a run.
        nodes: of each its resources, such as ``{"CPU": 4.0}``.

    Raises:
        ValueError: if no node has it.
    """
    machine = config.machine
    has_gpus = any(node.get("GPU") for node in nodes)
    takes_gpus = machine.accelerator == "gpu" or (machine.accelerator == "auto" and has_gpus)
    num_cpus, num_gpus = max(1, machine.threads) * machine.devices, machine.devices if takes_gpus else 0
    if not any(node.get("CPU", 0) >= num_cpus and node.get("GPU", 0) >= num_gpus for node in nodes):
        raise ValueError(
            f"no node of the ray cluster has the {num_cpus} cores and {num_gpus} GPUs that `machine` asks for; "
            "set machine.threads, machine.devices or machine.accelerator."
        )
    return {"num_cpus": num_cpus, "num_gpus": num_gpus}


class _Task:
    """A group as a task, in a worker that does nothing else."""

    def __init__(self, errand: Errand, needs: Mapping[str, float]) -> None:
        self._result = cast(Any, ray).remote(max_retries=0, max_calls=1, **needs)(_do).remote(errand)

    def outcomes(self) -> list[Outcome] | None:
        try:
            done, _ = ray.wait([self._result], timeout=0)
            return ray.get(self._result) if done else None
        except TaskCancelledError:
            raise Lost("was asked to stop") from None
        except OutOfMemoryError:
            raise Lost("was ended as its node ran out of memory") from None
        except RayTaskError as error:
            said = "".join(traceback.format_exception_only(error.cause))
            raise Lost(f"failed with {jobs.end_of_trace(said)}") from error
        except RayError as error:
            raise Lost(f"was lost ({type(error).__name__})") from error

    def cancel(self) -> None:
        ray.cancel(self._result, force=False)


def _do(errand: Errand) -> list[Outcome]:
    return errand()
