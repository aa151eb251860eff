"""The most memory that runs take, over what a process has once it has imported everything."""

import dataclasses
import os
import resource
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from convrepro.benchmarks.cell import run_all, seeds_of, workers_ended
from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.turns import call
from convrepro.benchmarks.workload import whole_data_set, workload
from convrepro.protocols.run import run
from convrepro.protocols.schema import Config

_MEBIBYTE = 2**20
_FLOAT_BYTES = 4
_SECONDS_BETWEEN_SAMPLES = 0.02
_FEW_FILTERS = ("model.filters=2",)  # so that images are all that counts
_PROCESSES = Path("/proc")


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """A run on all of CIFAR-10 of a network that takes next to nothing, and another; then two side by side."""
    config = whole_data_set(settings, model="cnn4", num_epochs=1, overrides=_FEW_FILTERS)
    found: list[Row] = []
    for what in ("the first run of a data set", "a later run"):
        imported, peak = call(peak_of_run, _with_another_seed(config, len(found)))
        detail = f"beside {_mebibytes(imported)} of Python and libraries"
        found.append(_row(config, what, 1, peak - imported, detail))
        advance(0.3 * len(found))
    if not (_PROCESSES / "self" / "smaps_rollup").exists():
        return found  # only Linux says which pages processes share
    warm_up = workload(settings, model="cnn4", num_train=100, num_epochs=1, overrides=_FEW_FILTERS)
    idle, peak = call(peak_side_by_side, seeds_of(warm_up, 2), [_with_another_seed(config, seed) for seed in (2, 3)])
    detail = f"beside {_mebibytes(idle)} of idle processes; pages that they share are counted once"
    return [*found, _row(config, "two runs side by side (joblib)", 2, peak - idle, detail)]


def peak_of_run(config: Config) -> tuple[int, int]:
    """Bytes of this process before a run, and the most during it."""
    before = _most_bytes()
    run(config)
    return before, _most_bytes()


def peak_side_by_side(warm_up: Sequence[Config], runs: Sequence[Config]) -> tuple[int, int]:
    """Bytes of the worker processes before ``runs`` and the most during them, sampled.

    ``warm_up`` is run before, so that the workers are there and have imported everything.
    """
    with workers_ended():
        run_all(warm_up, launcher="joblib")
        workers = children()
        idle = proportional_bytes(workers)
        with _sampled(workers) as samples:
            run_all(runs, launcher="joblib")
    return idle, max(samples)


def children() -> list[int]:
    """Ids of this process's children. Linux only."""
    found = []
    for path in _PROCESSES.glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            # "id (name) state parent ...", where a name may have blanks and brackets
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def proportional_bytes(processes: Sequence[int]) -> int:
    """Resident bytes of processes; a page that n processes share counts for 1/n in each of them. Linux only."""
    return sum(_bytes(f"{process}/smaps_rollup", "Pss") for process in processes)


def allowed_bytes(config: Config, num_runs: int) -> int:
    """The goal: the data set once as uint8, and for each run one epoch's batches as float32."""
    data = config.dataset
    num_values = data.in_channels * data.image_size[0] * data.image_size[1]
    epoch = data.num_train_images * num_values * _FLOAT_BYTES
    return (data.num_train_images + data.num_test_images) * num_values + num_runs * epoch


def _with_another_seed(config: Config, seed: int) -> Config:
    """A run that has no record yet, with what earlier ones left in the cache."""
    return dataclasses.replace(config, seed=seed)


def _row(config: Config, what: str, num_runs: int, num_bytes: int, detail: str) -> Row:
    uint8 = allowed_bytes(config, 0)
    return Row(
        what=f"{what}: peak above the idle process",
        unit="MiB",
        values=[num_bytes / _MEBIBYTE],
        goal=Goal(most=allowed_bytes(config, num_runs) / _MEBIBYTE),
        detail=f"{num_bytes / uint8:.1f} times the uint8 data set of {_mebibytes(uint8)}; {detail}",
    )


def _mebibytes(num_bytes: int) -> str:
    return f"{num_bytes / _MEBIBYTE:,.0f} MiB"


def _most_bytes() -> int:
    """The most resident bytes of this process so far."""
    if (_PROCESSES / "self" / "status").exists():
        return _bytes("self/status", "VmHWM")  # ru_maxrss is the parent's where that was larger
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _bytes(file: str, key: str) -> int:
    """A line ``key:   123 kB`` of a file in ``/proc``; 0 if the process has ended."""
    try:
        lines = (_PROCESSES / file).read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


@contextmanager
def _sampled(processes: Sequence[int]) -> Iterator[list[int]]:
    """Bytes of processes, again and again as long as it is entered."""
    samples, done = [0], threading.Event()

    def sample() -> None:
        while not done.wait(_SECONDS_BETWEEN_SAMPLES):
            samples.append(proportional_bytes(processes))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()
