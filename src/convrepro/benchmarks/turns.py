"""Work in processes of their own that take turns: each has threads and memory as a user's run has them."""

import multiprocessing
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any, TypeVar

Pause = Callable[[], None]
Work = tuple[Callable[..., None], tuple[Any, ...]]  # a function that takes a Pause first, and its other arguments
Result = TypeVar("Result")
_PRELOADED = ["convrepro.benchmarks.baselines", "convrepro.protocols.launch"]
_SECONDS_TO_END = 10.0


class Stopped(BaseException):
    """Nobody waits for more; no failure, so nothing that catches failures may catch it."""


class Turns:
    """A function in a process of its own that does nothing while others have their turn.

    Args:
        work: called with a function ``pause``, then ``arguments``; calls ``pause`` wherever a turn ends. Its turns
            must not run out. All of it can be pickled.
    """

    def __init__(self, work: Callable[..., None], *arguments: Any) -> None:
        self._connection, theirs = _context().Pipe()
        self._process = _context().Process(target=_serve, args=(theirs, work, arguments))
        self._process.start()
        theirs.close()

    def __call__(self) -> float:
        """Lets it go on until it pauses.

        Returns:
            Seconds of this turn.

        Raises:
            RuntimeError: if the work failed or ended; says why.
        """
        try:
            self._connection.send(None)
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            answer = "its process ended"
        if isinstance(answer, str):
            raise RuntimeError(f"a side of the benchmark failed: {answer}.")
        return float(answer)

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.join(_SECONDS_TO_END)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()


@contextmanager
def taking_turns(works: Mapping[str, Work]) -> Iterator[dict[str, Turns]]:
    """A process for each work, as long as it is entered."""
    with ExitStack() as stack:
        processes = {}
        for name, (work, arguments) in works.items():
            processes[name] = Turns(work, *arguments)
            stack.callback(processes[name].close)
        yield processes


def call(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns in a fresh process."""
    with ProcessPoolExecutor(max_workers=1, mp_context=_context(), initializer=_begin) as executor:
        return executor.submit(function, *arguments).result()


def _context() -> ForkServerContext:
    """Processes are forked from one that has imported what they need, and has done nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's, which then ends this process
    warnings.simplefilter("ignore")  # Lightning's, about few workers and short epochs
    multiprocessing.set_start_method(None, force=True)  # the system's own for processes that the work starts


def _serve(connection: Connection, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    _begin()
    started = 0.0

    def wait() -> None:
        nonlocal started
        try:
            connection.recv()
        except (EOFError, ConnectionError):
            raise Stopped from None
        started = time.perf_counter()

    def pause() -> None:
        seconds = time.perf_counter() - started
        try:
            connection.send(seconds)
        except ConnectionError:
            raise Stopped from None
        wait()

    try:
        wait()
        work(pause, *arguments)
        connection.send("it had no more turns")
    except Stopped:
        pass
    except Exception as error:
        connection.send(f"{type(error).__name__}: {error}")
