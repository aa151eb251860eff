"""One run on several devices: a process for each, all of them going through the run with a share of every batch."""

import multiprocessing
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from convrepro import interruption, processes
from convrepro.interruption import Interrupted
from convrepro.training import data_parallel

_CONTEXT = multiprocessing.get_context("forkserver")
_SECONDS_TO_END = 10.0
_SECONDS_TO_SAY_WHY = 1.0

Follow = Callable[[int, Path], None]  # what a process does, from its number and the file by which it meets the others


@dataclass(frozen=True)
class _Other:
    """Another process, and what it says if it fails."""

    process: BaseProcess
    said: Connection

    def failure(self) -> str:
        """Why it has ended; empty as long as it has not, or if it has done its work."""
        with suppress(EOFError):
            if self.said.poll():
                return str(self.said.recv())
        code = self.process.exitcode
        return "" if code in (None, 0) else f"it was ended by signal {-code}" if code < 0 else f"exit code {code}"


@contextmanager
def joined(num_ranks: int, device: torch.device, folder: Path, follow: Follow) -> Iterator[None]:
    """Within it, this process is number 0 of several that train together; the others end with it.

    Args:
        num_ranks: how many; with 1 there are no others.
        device: of this process.
        folder: where they meet, by a file.
        follow: what each of the others does; can be pickled.

    Raises:
        RuntimeError: if one of the others ends before its work is done.
    """
    if num_ranks == 1:
        yield
        return
    store_path = folder / f".ranks.{processes.tag(processes.this())}.{uuid.uuid4().hex}.tmp"
    others: list[_Other] = []
    try:
        interruption.start_server("convrepro.protocols.attempt")
        for rank in range(1, num_ranks):
            others.append(_begun(rank, store_path, follow))  # known one by one: what is begun is ended
        with data_parallel.initialised(0, num_ranks, store_path, device=device, while_waiting=lambda: _check(others)):
            yield
        for other in others:
            other.process.join(_SECONDS_TO_END)
    except RuntimeError:  # what torch raises when another one is gone
        for other in others:
            other.process.join(_SECONDS_TO_SAY_WHY)
        _check(others)
        raise
    finally:
        for other in others:  # where this one was stopped they wait for it, with nothing to save
            other.process.kill()
            other.process.join()
            other.said.close()
        store_path.unlink(missing_ok=True)


def _begun(rank: int, store_path: Path, follow: Follow) -> _Other:
    ours, theirs = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_follow, args=(rank, store_path, follow, theirs))
    process.start()
    theirs.close()
    return _Other(process, ours)


def _check(others: Sequence[_Other]) -> None:
    """Raises RuntimeError if one of the others has failed, and Interrupted if this process is to stop."""
    for rank, other in enumerate(others, start=1):
        if reason := other.failure():
            raise RuntimeError(f"the process of device {rank} of this run failed: {reason}")
    interruption.check()


def _follow(rank: int, store_path: Path, follow: Follow, said: Connection) -> None:
    try:
        interruption.heed_as_child()  # a signal may have come before
        follow(rank, store_path)
    except Interrupted:
        return
    except Exception as error:
        with suppress(OSError):
            said.send(f"{type(error).__name__}: {' '.join(str(error).split())}")
        raise SystemExit(1) from None
