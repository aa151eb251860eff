"""The wish to stop, from a signal or a lost parent: heeded where work can be resumed, at once everywhere else."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # schedulers send USR1 some time before they kill


class Interrupted(BaseException):
    """Work was asked to stop; what it had is saved. No failure of the work.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__("stopped with its command" if _wish.is_child else f"stopped by {signal.Signals(number).name}")

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after any other signal."""
        return 130 if self.number == signal.SIGINT else 143


class _Wish:
    """What this process was asked."""

    def __init__(self) -> None:
        self.number = 0  # of the first signal; 0: none
        self.num_deferring = 0  # of `deferred` that are entered
        self.is_child = False  # whether the end of its parent is a wish to stop
        self.tell: list[Callable[[int], None]] = []  # what passes a signal on
        self.leave: list[Callable[[], None]] = []  # what a process that leaves at once still does


_wish = _Wish()


@contextmanager
def heeded() -> Iterator[None]:
    """Within it, SIGINT, SIGTERM and SIGUSR1 raise ``Interrupted``, or do so at the end of ``deferred``.

    A second SIGINT ends the process at once. Does nothing in another thread than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _on_signal) for number in SIGNALS}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)  # whoever started the process may have kept them from it
    _wish.number = 0
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in before.items():
            signal.signal(number, handler)
        _wish.number = 0


def heed_as_child() -> None:
    """Makes a process of ``multiprocessing`` heed SIGTERM, SIGUSR1 and the end of its parent, which Ctrl-C is for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _on_signal)
    _wish.number, _wish.is_child = 0, True
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGUSR1))  # it may be begun without them


def start_server(*modules: str) -> None:
    """Starts the process that those of ``multiprocessing`` are forked from; one that there is stays as it is.

    It heeds no signals, also not while it imports, and they those that they ask for (``heed_as_child``).

    Args:
        modules: that it imports, once for all of them.
    """
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(modules))
    resource_tracker.ensure_running()  # which is started first, and then lets all signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def kept_from_children() -> Iterator[None]:
    """Within it, processes of joblib may be started that never see Ctrl-C, which is this one's."""
    from joblib.externals.loky.backend import resource_tracker as of_joblib

    for tracker in (resource_tracker, of_joblib):  # started with the first of them, they let all signals through again
        tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@contextmanager
def deferred() -> Iterator[None]:
    """Within it, a signal only makes ``requested`` true; one that nobody heeded is heard when it ends."""
    check()
    _wish.num_deferring += 1
    try:
        yield
    finally:
        _wish.num_deferring -= 1
    if not _wish.num_deferring:
        check()


@contextmanager
def passed_on(tell: Callable[[int], None], *, leave: Callable[[], None]) -> Iterator[None]:
    """Within it, signals are deferred, and told to others.

    Args:
        tell: called with the number of a signal, in the main thread, whatever it does.
        leave: called before this process leaves at once.
    """
    _wish.tell.append(tell)
    _wish.leave.append(leave)
    try:
        with deferred():
            yield
    finally:
        _wish.tell.remove(tell)
        _wish.leave.remove(leave)


def requested() -> bool:
    """Whether the process is to stop."""
    if _wish.is_child and not _wish.number:
        parent = multiprocessing.parent_process()
        _wish.number = 0 if parent is None or parent.is_alive() else signal.SIGTERM
    return _wish.number != 0


def ask() -> None:
    """Makes this process stop as SIGTERM does, once what goes on can be saved."""
    _wish.number = _wish.number or signal.SIGTERM


def forget() -> None:
    """Ends a request that was heeded."""
    _wish.number = 0


def is_deferred() -> bool:
    """Whether something goes on that heeds a request by itself."""
    return _wish.num_deferring > 0


def check() -> None:
    """Raises ``Interrupted`` if the process is to stop."""
    if requested():
        raise Interrupted(_wish.number)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    is_first = not _wish.number
    if number == signal.SIGINT and not is_first:
        for leave in _wish.leave:
            leave()
        if sys.stderr.isatty():
            os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # a progress bar has hidden the cursor
        os._exit(130)
    _wish.number = _wish.number or number
    for tell in _wish.tell:
        tell(number)
    if is_first and not _wish.num_deferring:
        raise Interrupted(number)
