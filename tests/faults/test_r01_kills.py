"""R1: sweeps that are killed, again and again, and resumed until they are done."""

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests import commands
from tests.commands import JOBLIB, RUN, SERIAL, All, At, Command, Event, Logged

NUM_RUNS = 12
NUM_EPOCHS = 3

# Where a process can die, by what it is about to do or has just done there.
POINTS = [
    At("open", r"/\.attempt"),
    At("link", r"/attempt\d+\.json"),
    At("link", r"/attempt\d+\.json", after=True),
    At("open", r"/\.epoch\d\.ckpt\.[^j]"),
    At("fsync", r"/\.epoch\d\.ckpt\.[^j]"),
    At("replace", r"\.ckpt$"),
    At("replace", r"\.ckpt$", after=True),
    At("replace", r"\.ckpt\.json$"),
    At("replace", r"/weights/"),
    At("open", r"/records/\."),
    At("fsync", r"/records/\."),
    At("link", r"records/"),
    At("link", r"records/", after=True),
    At("fsync", r"/records$", after=True),
    At("open", r"/tables/\."),
    At("replace", r"tables/"),
]


@dataclass(frozen=True)
class Finished:
    """What a sweep leaves that nothing disturbed.

    Args:
        records: as ``records_of``.
        tables: as ``tables_of``.
        weights: bytes by path below the runs.
        seconds: that its runs take.
    """

    records: dict[str, dict[str, Any]]
    tables: dict[str, str]
    weights: dict[str, bytes]
    seconds: float


class Sweep:
    """A sweep in a folder of its own that is begun again after each kill."""

    def __init__(self, folder: Path, launcher: Sequence[str], *, num_workers: int) -> None:
        commands.tiny_table(folder, num_cells=4, num_seeds=NUM_RUNS // 4, epochs=NUM_EPOCHS)
        self.folder, self.num_kills, self._num_workers = folder, 0, num_workers
        self._arguments = [*RUN, *launcher, "--machine", "lease_seconds=10"]
        self._environment = {"LOKY_MAX_CPU_COUNT": str(num_workers)}
        self._log = Logged(folder / "log")
        self._inodes: dict[str, int] = {}  # of the records, at the last end
        self._num_events = 0  # likewise

    def killed_after(self, seconds: float, *, at_work: bool) -> bool:
        """Whether it was still running then, and is killed.

        Args:
            seconds: from its start on, or from the first event on that it logs.
            at_work: whether the latter.
        """
        command = commands.start(self._arguments, self.folder, fault=self._log, environment=self._environment)
        while at_work and command.is_running() and len(self.events()) == self._num_events:
            time.sleep(0.01)
        command.process.join(seconds)
        command.kill_group()
        return self._was_killed(command)

    def killed_at(self, point: At) -> bool:
        """Whether it came to a point that kills it."""
        fault = All((self._log, point))
        return self._was_killed(
            commands.start(self._arguments, self.folder, fault=fault, environment=self._environment)
        )

    def resume(self) -> None:
        """Runs it to its end."""
        command = commands.start(self._arguments, self.folder, fault=self._log, environment=self._environment)
        assert not self._was_killed(command)
        assert "written: " in command.out(), command.err()

    def events(self) -> list[Event]:
        return self._log.events()

    def check(self, expected: Finished) -> None:
        """What holds of a sweep that is done, however often it was killed."""
        assert len(expected.records) == NUM_RUNS
        assert commands.records_of(self.folder) == expected.records
        assert commands.tables_of(self.folder) == expected.tables
        assert _weights(self.folder) == expected.weights
        assert commands.left_over(self.folder) == []
        events = self.events()
        assert len(_epochs(events)) == NUM_RUNS * NUM_EPOCHS
        # A run that has its record is never begun, trained or committed again.
        last = {event.run: place for place, event in enumerate(events)}
        for place, event in enumerate(events):
            assert event.what != "committed" or last[event.run] == place

    def _was_killed(self, command: Command) -> bool:
        """Waits for the end, and checks what holds after each."""
        code = command.wait()
        assert code in (0, -9), command.err()
        self.num_kills += code == -9
        # A record that is there stays, and is not written again.
        inodes = {path.name: path.stat().st_ino for path in (self.folder / "results" / "records").glob("*.json")}
        assert self._inodes.items() <= inodes.items()
        # What the kill before has cost: each worker at most the epoch that had no checkpoint yet.
        events = self.events()
        before, since = _epochs(events[: self._num_events]), _epochs(events[self._num_events :])
        assert sum((before & since).values()) <= self._num_workers
        self._inodes, self._num_events = inodes, len(events)
        return code == -9


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("uninterrupted") / "sweep"
    sweep = Sweep(folder, SERIAL, num_workers=1)
    sweep.resume()
    first, *_, last = sweep.events()
    return Finished(
        commands.records_of(folder), commands.tables_of(folder), _weights(folder), last.seconds - first.seconds
    )


def test_killed_at_random_times(tmp_path: Path, uninterrupted: Finished, figure: Callable[[int, int], int]) -> None:
    _kill(tmp_path, SERIAL, uninterrupted, num_workers=1, num_kills=figure(20, 400))


@pytest.mark.large
def test_killed_at_random_times_with_two_workers(
    tmp_path: Path, uninterrupted: Finished, figure: Callable[[int, int], int]
) -> None:
    """All processes of the group at once, after they have taken seconds to import everything."""
    _kill(tmp_path, JOBLIB, uninterrupted, num_workers=2, num_kills=figure(2, 100), at_work=True)


def test_killed_at_each_named_point(tmp_path: Path, uninterrupted: Finished, figure: Callable[[int, int], int]) -> None:
    generator = random.Random(1)
    waiting = [point for point in POINTS for _ in range(min(figure(1, 10), 10))]
    for number in itertools.count():
        sweep = Sweep(tmp_path / f"sweep{number}", SERIAL, num_workers=1)
        while waiting:
            point = waiting[0]
            at = At(point.call, point.path, number=generator.randint(1, 2), after=point.after)
            if not sweep.killed_at(at):  # it is done, or has too little left
                break
            waiting.pop(0)
        sweep.resume()
        sweep.check(uninterrupted)
        assert sweep.num_kills > 0, f"a new sweep never comes to {waiting[:1]}"
        if not waiting:
            break


def _kill(
    folder: Path,
    launcher: Sequence[str],
    expected: Finished,
    *,
    num_workers: int,
    num_kills: int,
    at_work: bool = False,
) -> None:
    """Kills sweeps, one after the other, until there were so many kills, at random times."""
    generator = random.Random(num_workers)
    left = num_kills
    for sweep in _sweeps(folder, launcher, num_workers):
        while left and sweep.killed_after(generator.uniform(0.0, expected.seconds / 4), at_work=at_work):
            left -= 1
        sweep.resume()
        sweep.check(expected)
        if not left:
            return


def _sweeps(folder: Path, launcher: Sequence[str], num_workers: int) -> Iterator[Sweep]:
    for number in itertools.count():
        yield Sweep(folder / f"sweep{number}", launcher, num_workers=num_workers)


def _epochs(events: Sequence[Event]) -> Counter[tuple[str, str]]:
    return Counter((event.run, event.what) for event in events if event.what.startswith("epoch"))


def _weights(folder: Path) -> dict[str, bytes]:
    runs = folder / "results" / "runs"
    return {str(path.relative_to(runs)): path.read_bytes() for path in sorted(runs.glob("*/weights/*"))}
