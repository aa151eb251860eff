"""Attempts at a run: one file each, made exclusively; the newest one says who holds the run, or how the attempt ended.

It needs no locks and no clocks: a file is made by a link, of which one of several succeeds on any shared file system,
and whoever wants a run of another machine watches whether the count in its file goes on.
"""

import dataclasses
import json
import math
import re
import threading
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from convrepro import durable, processes
from convrepro.processes import Process

LEASE_SECONDS = 60.0
_BEATS_PER_LEASE = 4
_SECONDS_BETWEEN_TRIES = 0.01
_NAME = re.compile(r"attempt([1-9]\d{0,8})\.json")

State = Literal["running", "failed", "interrupted"]
Sign = tuple[str, int]  # of life: the token and count of an attempt


class Claimed(Exception):
    """Another process works on the run."""


class Lost(Exception):
    """Another process took the run over, as this one gave no sign of life for a lease."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What the file of an attempt says.

    Args:
        number: of the attempt at this run, from 1 on.
        state: ``running`` until it ends; an attempt that ends with a record leaves no file.
        reason: why it failed or was interrupted.
        token: of this attempt and no other.
        beats: counted up as long as its process lives.
        lease_seconds: of silence after which it may be taken over.
        told_at: when the file was last written, by the clock of that machine, for people.
        config: what it computes.
        process: that works on it.
    """

    number: int
    state: State
    reason: str
    token: str
    beats: int
    lease_seconds: float
    told_at: str
    config: dict[str, Any]
    process: Process


class Claim:
    """A run held by this process. A thread tells the others that it lives; ``end`` must be called."""

    def __init__(self, folder: Path, attempt: Attempt) -> None:
        self.number = attempt.number
        self._folder, self._attempt, self._seconds = folder, attempt, attempt.lease_seconds / _BEATS_PER_LEASE
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        self._beating.start()

    def check(self) -> None:
        """Raises ``Lost`` if another process has taken the run over."""
        newest = latest(self._folder)
        if newest is None or newest.token != self._attempt.token:
            raise Lost(f"another process took {self._folder.name} over; what was done here is discarded.")

    def end(self, state: Literal["failed", "interrupted"] | None, reason: str = "") -> None:
        """Lets go of the run.

        Args:
            state: how it ended; None if there is a record of it, or nothing was begun: its file is removed.
            reason: in one line.
        """
        self._stop()
        with suppress(Lost, OSError):  # on a full disk a file remains that a dead process, or a silent one, holds
            self.check()
            if state is None:
                _path(self._folder, self.number).unlink()
            else:
                self._write(state=state, reason=reason)

    def _stop(self) -> None:
        self._ended.set()
        self._beating.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._seconds):
            with suppress(Lost, OSError):
                self.check()
                self._attempt = dataclasses.replace(self._attempt, beats=self._attempt.beats + 1)
                self._write()

    def _write(self, **changes: Any) -> None:
        self._attempt = dataclasses.replace(self._attempt, **changes, told_at=_now())
        durable.write(_path(self._folder, self.number), _text(self._attempt))


class Watch:
    """Looks at runs that others hold, again and again, by this process's clock.

    Attributes:
        silent: the last sign of life of each that gave none for a lease, by the name of its folder.
    """

    def __init__(self) -> None:
        self.silent: dict[str, Sign] = {}
        self._seen: dict[Path, tuple[Sign, float]] = {}

    def is_free(self, folder: Path, lease_seconds: float) -> bool:
        """Whether a run may be claimed; of two leases, the holder's and the one given, the longer counts."""
        newest = latest(folder)
        if newest is None or not is_held(newest):
            return True
        sign, now = _sign(newest), time.monotonic()
        if self._seen.get(folder, (None, now))[0] != sign:
            self._seen[folder] = sign, now
        is_silent = now - self._seen[folder][1] >= max(lease_seconds, newest.lease_seconds)
        if is_silent:
            self.silent[folder.name] = sign
        return is_silent


def claim(
    folder: Path,
    *,
    config: dict[str, Any] | None = None,
    lease_seconds: float = LEASE_SECONDS,
    silent: Sign | None = None,
) -> Claim:
    """Takes hold of a run that nobody holds, or whose holder is dead.

    A holder on this machine is dead if its process is; any holder is, if it gave no sign of life for a lease.

    Args:
        folder: of the run.
        config: what it computes, for who goes on with it.
        lease_seconds: after which others may take it over.
        silent: the last sign of a holder that was watched for a lease (see ``Watch``).

    Raises:
        Claimed: if another process works on the run, or is believed to.
    """
    while True:
        newest = latest(folder)
        if newest is not None and is_held(newest) and _sign(newest) != silent:
            raise Claimed(f"{newest.process.host} works on {folder.name}.")
        attempt = Attempt(
            number=1 if newest is None else newest.number + 1,
            state="running",
            reason="",
            token=uuid.uuid4().hex,
            beats=0,
            lease_seconds=lease_seconds,
            told_at=_now(),
            config=config or {},
            process=processes.this(),
        )
        path = _path(folder, attempt.number)
        try:
            durable.write_new(path, _text(attempt))
        except FileExistsError:  # another one was faster; its file may not be seen here yet
            time.sleep(_SECONDS_BETWEEN_TRIES)
            continue
        if (newest := latest(folder)) is None or newest.token != attempt.token:  # a later one had begun meanwhile
            path.unlink(missing_ok=True)
            continue
        _remove_before(folder, attempt.number)
        return Claim(folder, attempt)


def note_death(folder: Path, number: int, reason: str) -> None:
    """Notes, for whoever saw a process of this machine die, that the attempt it was at has failed.

    Args:
        folder: of the run.
        number: of the process.
        reason: in one line.

    Raises:
        OSError: if it cannot be written; a dead process holds the run then.
    """
    newest = latest(folder)
    if newest is None or newest.state != "running" or newest.process.number != number:
        return
    if processes.is_alive(newest.process) is False:
        failed = dataclasses.replace(newest, state="failed", reason=reason, told_at=_now())
        durable.write(_path(folder, newest.number), _text(failed))


def latest(folder: Path) -> Attempt | None:
    """The newest attempt at a run; None if there is none, or the newest ended with a record."""
    try:
        numbers = [int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    except OSError:
        return None
    return _read(folder, max(numbers)) if numbers else None


def remove_all(folder: Path) -> None:
    """Removes the attempts at a run that has its record."""
    _remove_before(folder, math.inf)


def _remove_before(folder: Path, number: float) -> None:
    for path in folder.glob("attempt*.json"):
        if (match := _NAME.fullmatch(path.name)) and int(match[1]) < number:
            path.unlink(missing_ok=True)


def is_held(attempt: Attempt) -> bool:
    """Whether somebody works on it, who may be silent."""
    return attempt.state == "running" and processes.is_alive(attempt.process) is not False


def _sign(attempt: Attempt) -> Sign:
    return attempt.token, attempt.beats


def _path(folder: Path, number: int) -> Path:
    return folder / f"attempt{number}.json"


def _text(attempt: Attempt) -> str:
    return json.dumps(dataclasses.asdict(attempt), indent=1) + "\n"


def _read(folder: Path, number: int) -> Attempt | None:
    path = _path(folder, number)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:  # ended meanwhile
        return None
    try:
        content = json.loads(text)
        process = Process(**content.pop("process"))
        attempt = Attempt(**content, process=process)
        if attempt.number == number and attempt.state in get_args(State):
            return attempt
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    # Whoever wrote it may live: it is watched as any other.
    unknown = Process(host="an unknown machine", boot="", number=0, started="")
    return Attempt(
        number=number,
        state="running",
        reason="",
        token=text,
        beats=0,
        lease_seconds=0.0,
        told_at="",
        config={},
        process=unknown,
    )


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %z")
