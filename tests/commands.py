"""Commands in processes of their own, on a tiny table, with faults put into them: kills, full disks, logs."""

import atexit
import csv
import errno
import functools
import io
import json
import multiprocessing
import os
import platform
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from convrepro import config_files, interruption

Fault = Callable[[], None]  # put into a process before its command begins

SERIAL = ("--launcher", "serial", "--machine", "threads=1", "--machine", "accelerator=cpu")
JOBLIB = ("--launcher", "joblib", "--machine", "accelerator=cpu")  # give LOKY_MAX_CPU_COUNT as well
RUN = ("run", "tiny", "--images", "0.1")

_CONTEXT = multiprocessing.get_context("forkserver")
_PRELOADED = [
    *("convrepro.cli.main", "convrepro.cli.progress", "convrepro.protocols.begun", "convrepro.protocols.grid"),
    *("convrepro.protocols.launch", "convrepro.protocols.speeds", "convrepro.reporting", "convrepro.tables"),
    *("sklearn.datasets", "tensorboard.summary", "tests.commands"),
]
_VOLATILE = ("measured", "environment", "sha256")  # of a record: as its class says, and the sum over all of it
_LEFT_OVER = re.compile(r".*\.tmp|.*\.ckpt(\.json)?|attempt\d+\.json")
_STUCK_SECONDS = 120.0


@dataclass(frozen=True)
class Command:
    """``convrepro`` with some arguments, in a process group of its own.

    Args:
        process: that runs it.
        prefix: of the files that its output goes to.
    """

    process: Any
    prefix: Path

    @property
    def pid(self) -> int:
        return int(self.process.pid)

    def wait(self, timeout: float = _STUCK_SECONDS) -> int:
        """Its exit code, negative if a signal ended it; it is killed, and the test fails, if that takes too long."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            self.kill_group()
            raise AssertionError(f"no end after {timeout} s; it said: {self.err()[-2000:]}")
        return int(self.process.exitcode)

    def is_running(self) -> bool:
        return self.process.exitcode is None

    def kill_group(self) -> None:
        """SIGKILL to all processes of the group; returns when the first one is gone."""
        if self.is_running():
            for kill in (os.killpg, os.kill):  # it may not be a group yet
                with suppress(ProcessLookupError):
                    kill(self.pid, signal.SIGKILL)
            self.process.join()

    def send(self, number: int) -> None:
        """A signal to the process alone."""
        os.kill(self.pid, number)

    def out(self) -> str:
        return _text(self.prefix.with_suffix(".out"))

    def err(self) -> str:
        return _text(self.prefix.with_suffix(".err"))


def start(
    arguments: Sequence[str], folder: Path, *, fault: Fault | None = None, environment: Mapping[str, str] | None = None
) -> Command:
    """Begins ``convrepro <arguments>``, forked from a process that has imported everything.

    Args:
        arguments: of the command.
        folder: that it runs in; if it has a folder ``configs``, these are its configs.
        fault: called in the process before the command, and in those that its launcher starts; can be pickled, as
            instances of the classes below can.
        environment: variables besides those of this process.
    """
    said = folder.with_name(f"{folder.name}.said")
    said.mkdir(exist_ok=True)
    prefix = said / f"{time.monotonic_ns()}"
    start_server()
    process = _CONTEXT.Process(target=_main, args=(list(arguments), folder, prefix, fault, dict(environment or {})))
    process.start()
    command = Command(process, prefix)
    atexit.register(command.kill_group)  # where a test fails; else multiprocessing waits for it
    return command


def start_server() -> None:
    """Starts the process that commands, and whatever else tests fork, are forked from."""
    interruption.start_server(*_PRELOADED)


def run(
    arguments: Sequence[str],
    folder: Path,
    *,
    fault: Fault | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = _STUCK_SECONDS,
) -> tuple[int, str, str]:
    """Exit code, output and errors of a whole command; arguments as ``start``."""
    command = start(arguments, folder, fault=fault, environment=environment)
    return command.wait(timeout), command.out(), command.err()


def tiny_table(folder: Path, *, num_cells: int, num_seeds: int, epochs: int) -> None:
    """Configs with a table ``tiny`` of networks of a few weights, in ``folder/configs``; ``RUN`` takes few images.

    Args:
        folder: that commands run in; made if need be.
        num_cells: of the table.
        num_seeds: of each cell.
        epochs: of each run; 0: it counts parameters, which takes no training.
    """
    configs = folder / "configs"
    (configs / "table").mkdir(parents=True)
    for entry in config_files.CONFIG_DIR.iterdir():
        if entry.name != "table":
            (configs / entry.name).symlink_to(entry)
    trained = ["recipe=quickstart", f"recipe.epochs={epochs}", "recipe.milestones=[]", "recipe.batch_size=64"]
    table = {
        "about": "a table for tests",
        "name": "tiny",
        "paper": "",
        "source": "",
        "metric": "test_error" if epochs else "num_parameters",
        "selection": "best_on_validation" if epochs else "last",
        "num_seeds": num_seeds,
        "margin": 0.5,
        "baseline": "",
        "assumptions": [],
        "overrides": ["model.hidden=[8,8]", *(trained if epochs else ["protocol=count"])],
        "grid": [
            {
                "dataset": ["digits"],
                "model": ["lenet"],
                "conv": ["standard"],
                "model.filters": [[1, number] for number in range(1, num_cells + 1)],
            }
        ],
    }
    (configs / "table" / "tiny.yaml").write_text(yaml.safe_dump(table, sort_keys=False))


def records_of(folder: Path, results: str = "results") -> dict[str, dict[str, Any]]:
    """What the records say, by file name, without what two runs of the same may differ in."""
    found = {}
    for path in sorted((folder / results / "records").glob("*")):
        content = json.loads(path.read_text())
        found[path.name] = {key: value for key, value in content.items() if key not in _VOLATILE}
    return found


def tables_of(folder: Path, results: str = "results") -> dict[str, str]:
    """The texts of the tables' files, by name, without the times: ``wall_seconds`` and ``time per run``."""
    return {path.name: _without_times(path) for path in sorted((folder / results / "tables").glob("*"))}


def left_over(folder: Path, results: str = "results") -> list[str]:
    """Temporary files, checkpoints and attempts in a results folder: what a finished sweep must not leave."""
    paths = sorted((folder / results).rglob("*"))
    return [str(path.relative_to(folder)) for path in paths if _LEFT_OVER.fullmatch(path.name)]


@dataclass(frozen=True)
class At:
    """A fault at the k-th call of an operation on files whose path matches.

    Args:
        call: ``open``, of a new temporary file; ``fsync``, of a file or folder; ``replace`` and ``link``, by the path
            that there is afterwards.
        path: a regular expression that is searched in the path.
        number: of the call among those that match, from 1 on.
        what: ``kill``, the whole group; ``stop``, this process, by SIGSTOP; ``full``: no space is left, for this call
            and all that follow.
        after: whether the call is done first.
    """

    call: Literal["open", "fsync", "replace", "link"]
    path: str = ""
    number: int = 1
    what: Literal["kill", "stop", "full"] = "kill"
    after: bool = False

    def __call__(self) -> None:
        operations: dict[str, tuple[Any, str, Callable[..., str]]] = {
            "open": (os, "fdopen", lambda descriptor, *_: _path_of(descriptor)),
            "fsync": (os, "fsync", _path_of),
            "replace": (Path, "replace", lambda _, target: str(target)),
            "link": (os, "link", lambda _, target: str(target)),
        }
        owner, name, path_of = operations[self.call]
        real, num_calls = getattr(owner, name), 0

        @functools.wraps(real)
        def faulty(*arguments: Any, **keywords: Any) -> Any:
            nonlocal num_calls
            is_meant = re.search(self.path, path_of(*arguments)) is not None
            num_calls += is_meant
            if self.what == "full" and is_meant and num_calls >= self.number:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            is_now = is_meant and num_calls == self.number
            if is_now and not self.after:
                self._strike()
            result = real(*arguments, **keywords)
            if is_now and self.after:
                self._strike()
            return result

        setattr(owner, name, faulty)

    def _strike(self) -> None:
        if self.what == "kill":
            os.killpg(0, signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGSTOP)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A line of ``Logged``.

    Args:
        what: ``begun``; ``epoch<k>``, finished and evaluated; ``committed``, a record that nobody else had made.
        run: its folder's name.
        pid: of the process.
        seconds: on a clock that all processes of the machine share.
    """

    what: str
    run: str
    pid: int
    seconds: float


@dataclass(frozen=True)
class Logged:
    """Logs what becomes of runs, in lines that are appended whole."""

    path: Path

    def __call__(self) -> None:
        from convrepro.protocols import run as runs
        from convrepro.records import store
        from convrepro.training import Learner

        write, end_epoch, make = store.write, Learner.end_epoch, runs._records_made

        def logged_write(records_dir: Path, record: Any) -> Path:
            path: Path = write(records_dir, record)
            self._say("committed", path.stem)
            return path

        def logged_end(learner: Learner, share: float) -> None:
            end_epoch(learner, share)
            self._say(f"epoch{learner.num_epochs}", learner.folder.parent.name)

        def logged_make(configs: Sequence[Any], *others: Any) -> Any:
            for config in configs:
                self._say("begun", runs.folder_of(config).name)
            return make(configs, *others)

        store.write, runs._records_made = logged_write, logged_make  # type: ignore[assignment]
        Learner.end_epoch = logged_end  # type: ignore[assignment,method-assign]

    def events(self) -> list[Event]:
        """What has happened."""
        lines = [line.split() for line in _text(self.path).splitlines()]
        return [Event(what=what, run=run, pid=int(pid), seconds=float(at)) for what, run, pid, at in lines]

    def wait_for(self, what: str, *, pid: int | None = None) -> Event:
        """The first such event, of any process or one."""
        deadline = time.monotonic() + _STUCK_SECONDS
        while time.monotonic() < deadline:
            for event in self.events():
                if event.what == what and pid in (None, event.pid):
                    return event
            time.sleep(0.01)
        raise AssertionError(f"{what} never came; the log has {_text(self.path)[-2000:]}")

    def _say(self, what: str, run: str) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{what} {run} {os.getpid()} {time.monotonic()}\n".encode())
        os.close(descriptor)


@dataclass(frozen=True)
class Slow:
    """Makes each epoch take so many seconds longer."""

    seconds: float

    def __call__(self) -> None:
        from convrepro.training import Learner

        end_epoch = Learner.end_epoch

        def slow_end(learner: Learner, share: float) -> None:
            time.sleep(self.seconds)
            end_epoch(learner, share)

        Learner.end_epoch = slow_end  # type: ignore[assignment,method-assign]


@dataclass(frozen=True)
class OnMachine:
    """Lets a process believe that it runs on another machine."""

    name: str

    def __call__(self) -> None:
        platform.node = lambda: self.name


@dataclass(frozen=True)
class All:
    """Several faults, put in one after the other."""

    faults: tuple[Fault, ...]

    def __call__(self) -> None:
        for fault in self.faults:
            fault()


@dataclass(frozen=True)
class _Attempt:
    """What a launcher hands to its processes, with the configs and the fault of the command."""

    work: Callable[..., Any]
    fault: Fault | None

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        _put_in(self.fault)
        return self.work(*arguments, **keywords)


_in_place: list[Fault | None] = []


def _put_in(fault: Fault | None) -> None:
    """Puts a fault into this process, once."""
    if not _in_place:
        _in_place.append(fault)
        if fault is not None:
            fault()


def _main(arguments: list[str], folder: Path, prefix: Path, fault: Fault | None, environment: dict[str, str]) -> None:
    os.setsid()
    for number, ending in ((1, ".out"), (2, ".err")):
        descriptor = os.open(prefix.with_suffix(ending), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    os.environ.update({"OMP_NUM_THREADS": "1", "COLUMNS": "200", **environment})
    os.chdir(folder)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, interruption.SIGNALS)  # which the server is kept from
    from convrepro.cli import main as command
    from convrepro.protocols import launch
    from convrepro.protocols.attempt import attempt

    if (folder / "configs").is_dir():
        config_files.CONFIG_DIR = folder / "configs"
    if fault is not None:
        launch.attempt = _Attempt(attempt, fault)  # type: ignore[attr-defined]
        _put_in(fault)
    sys.exit(command.main(arguments))


def _path_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _without_times(path: Path) -> str:
    text = path.read_text()
    if path.suffix != ".csv":
        return re.sub(r"\b[\d.]+ (s|min|h)\b", "", text)
    rows = list(csv.reader(io.StringIO(text)))
    column = rows[0].index("wall_seconds")
    return "\n".join(",".join(row[:column] + row[column + 1 :]) for row in rows)
