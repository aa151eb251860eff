"""Speeds of this machine: measured once under the conditions of the runs, and kept in the cache."""

import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import torch

import convrepro
from convrepro import durable, interruption
from convrepro.protocols import environment
from convrepro.protocols.calibration import Overheads, Speed, measure, measure_overheads
from convrepro.protocols.estimate import seconds_of, seconds_of_task
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.schema import TRAINED, Config
from convrepro.protocols.train import device_of
from convrepro.records.workspace import Run

_TIMED_CODE = ("conv", "models", "data", "training", "protocols/train.py", "protocols/calibration.py")
_TIMED_OF_MACHINE = ("backend", "precision", "compile")
_TIMED_OF_DATASET = ("num_classes", "in_channels", "image_size")
_NOT_TIMED_OF_RECIPE = ("version", "epochs", "milestones", "decay_factor", "plateau")

Group = Sequence[Config]  # seeds of a cell that are trained together


class Speeds:
    """What is known of the speed of some runs.

    A speed holds for a device, a version of torch and of the code that trains, a number of threads and of processes
    side by side, and for what a step computes; so the cells of several tables, scaled or not, share it.

    Args:
        groups: as ``launch.groups_of`` makes them; at least one.
        num_processes: in which they go side by side.
    """

    def __init__(self, groups: Sequence[Group], num_processes: int) -> None:
        self._groups, self._num_processes = groups, num_processes
        self._path = Path(groups[0][0].machine.cache_dir) / "speeds.json"
        conditions = _conditions(groups[0][0], num_processes)
        self._overheads_key = _key(conditions)
        self._keys = [
            None if group[0].protocol.task not in TRAINED else _key({**conditions, **_what_is_timed(group)})
            for group in groups
        ]
        self._known = _read(self._path)

    def unknown(self) -> list[Group]:
        """A group for each speed that has not been measured yet; groups that train on no data set have none."""
        return list(self._unknown().values())

    def measure(self, tell: Callable[[Group, Speed], None] = lambda group, speed: None) -> None:
        """Measures what is unknown, as many at a time as runs will be, and keeps it.

        Args:
            tell: called after each measurement.

        Raises:
            ValueError: if a network or an optimizer cannot be built.
        """
        unknown = self._unknown()
        if not self.are_known and self._overheads_key not in self._known:
            self._keep(self._overheads_key, self._measured_overheads())
        for key, speed in self._measured(unknown):
            self._keep(key, speed)
            tell(unknown[key], speed)

    @property
    def are_known(self) -> bool:
        keys = {key for key in self._keys if key is not None}
        return not keys or {self._overheads_key, *keys} <= self._known.keys()

    def by_group(self) -> list[float]:
        """Expected seconds of each group, in their order; all speeds must be known."""
        assert self.are_known
        return [
            seconds_of_task(group)
            if key is None
            else seconds_of(group, Speed(**self._known[key]), Overheads(**self._known[self._overheads_key]))
            for group, key in zip(self._groups, self._keys, strict=True)
        ]

    def by_run(self) -> dict[Run, float]:
        """Expected seconds of each run: its share of its group's."""
        return {
            (run_id(config), config.seed): seconds / len(group)
            for group, seconds in zip(self._groups, self.by_group(), strict=True)
            for config in group
        }

    def seconds_to_start(self) -> float:
        """Until each process has begun its first run."""
        found = self._known.get(self._overheads_key)
        return Overheads(**found).process if found else 0.0

    def _unknown(self) -> dict[str, Group]:
        pairs = zip(self._keys, self._groups, strict=True)
        return {key: group for key, group in pairs if key is not None and key not in self._known}

    def _keep(self, key: str, measured: Speed | Overheads) -> None:
        self._known[key] = dataclasses.asdict(measured)
        kept = {**_read(self._path), **self._known}  # another process may have measured others meanwhile
        durable.keep(self._path, {"code": _code(), "speeds": kept})

    def _measured(self, groups: Mapping[str, Group]) -> Iterator[tuple[str, Speed]]:
        if self._num_processes == 1:
            yield from ((key, measure(group)) for key, group in groups.items())
            return
        # While the last is timed the other processes must have something to do: the first groups are timed twice.
        keys = itertools.islice(itertools.cycle(groups), len(groups) + self._num_processes - 1)
        workers = joblib.Parallel(n_jobs=self._num_processes, return_as="generator_unordered", batch_size=1)
        told = set()
        with interruption.kept_from_children():
            measured = workers(joblib.delayed(_keyed)(key, groups[key]) for key in keys)
        for key, speed in measured:
            if key not in told:
                told.add(key)
                yield key, speed

    def _measured_overheads(self) -> Overheads:
        config = self._groups[0][0]
        if self._num_processes == 1:
            return measure_overheads(config)
        workers = joblib.Parallel(n_jobs=self._num_processes, batch_size=1)
        submitted = time.time()
        found = list(workers(joblib.delayed(_begun)(config) for _ in range(self._num_processes)))
        slowest: Overheads = max((overheads for _, overheads in found), key=lambda overheads: overheads.epoch)
        last_begun = max(begun for begun, _ in found)
        return dataclasses.replace(slowest, process=slowest.process + last_begun - submitted)


def _keyed(key: str, group: Group) -> tuple[str, Speed]:
    return key, measure(group)


def _begun(config: Config) -> tuple[float, Overheads]:
    """When a process had started and imported everything, and the overheads."""
    return time.time(), measure_overheads(config)


def _conditions(config: Config, num_processes: int) -> dict[str, Any]:
    device = device_of(config.machine.accelerator)
    return {
        "device": environment.device_name(device),
        "torch": torch.__version__,
        "threads": config.machine.threads or torch.get_num_threads(),
        "num_processes": num_processes,
    }


def _what_is_timed(group: Group) -> dict[str, Any]:
    config, computed = group[0], what_is_computed(group[0])
    return {
        "num_seeds": len(group),
        "conv": computed["conv"],
        "model": computed["model"],
        "dataset": {key: computed["dataset"][key] for key in _TIMED_OF_DATASET},
        "recipe": {key: value for key, value in computed["recipe"].items() if key not in _NOT_TIMED_OF_RECIPE},
        "machine": {key: getattr(config.machine, key) for key in _TIMED_OF_MACHINE},
        "memory_format": config.memory_format,
        "plugins": config.plugins,
    }


def _key(what: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, dict[str, float]]:
    """What has been measured with the code as it is, by key."""
    content = durable.kept(path)
    if not isinstance(content, dict) or content.get("code") != _code() or not isinstance(content.get("speeds"), dict):
        return {}
    return {
        key: entry
        for key, entry in content["speeds"].items()
        if isinstance(entry, dict) and set(entry) in (_fields(Speed), _fields(Overheads))
    }


def _fields(kind: type[Speed | Overheads]) -> set[str]:
    return {entry.name for entry in dataclasses.fields(kind)}


@cache
def _code() -> str:
    """SHA-256 over the code that is timed, as it was when it was imported."""
    package = Path(convrepro.__file__).parent
    files = [file for part in _TIMED_CODE for file in sorted(package.glob(part if "." in part else f"{part}/**/*.py"))]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()
