"""Which process something is, on which machine, and whether it still runs."""

import hashlib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_UNSEEN = ""
_START_TIME = 19  # field of /proc/<pid>/stat, counted after the command's closing bracket


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process, told from every other one that has had its number.

    Args:
        host: name of the machine.
        boot: of the machine, and the namespace of its process numbers: those of a container are its own.
        number: process id.
        started: clock ticks between the boot and the start of the process; empty where the system does not tell.
    """

    host: str
    boot: str
    number: int
    started: str


def this() -> Process:
    """The process that calls."""
    number = os.getpid()
    return Process(host=platform.node(), boot=_boot(), number=number, started=_started(number) or _UNSEEN)


def is_alive(process: Process) -> bool | None:
    """Whether a process still runs; None if that cannot be told from here."""
    if not process.started or (process.host, process.boot) != (platform.node(), _boot()):
        return None
    started = _started(process.number)
    return None if started == _UNSEEN else started == process.started


def tag(process: Process) -> str:
    """A process in a file's name: letters, digits and hyphens."""
    machine = hashlib.sha256(f"{process.host} {process.boot}".encode()).hexdigest()[:8]
    return f"{machine}-{process.number}-{process.started or 0}"


def is_dead(tagged: str) -> bool:
    """Whether the process of a ``tag`` ran on this machine, and runs no more."""
    machine, number, started = tagged.split("-")
    if started == "0" or machine != tag(this()).split("-")[0]:
        return False
    return _started(int(number)) not in (started, _UNSEEN)


def _boot() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {(_PROC / 'self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(number: int) -> str | None:
    """When a process started, if that can be seen; None if there is none, or it has ended and waits for its parent."""
    try:
        fields = (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _UNSEEN if _is_there(number) else None
    return None if fields[0] in "ZX" else fields[_START_TIME]


def _is_there(number: int) -> bool:
    """Whether there is a process of that number; some systems show only the user's own."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
