"""Signals: at once where nothing is to be saved, later where something is, and never twice in vain."""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from convrepro import interruption
from convrepro.interruption import Interrupted


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    with interruption.heeded():
        yield


def _send(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(0.01)  # the handler runs between two instructions


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 143)])
def test_a_signal_interrupts_with_its_exit_code(number: int, exit_code: int) -> None:
    with pytest.raises(Interrupted, match=f"stopped by {signal.Signals(number).name}") as raised:
        _send(number)
    assert raised.value.exit_code == exit_code
    assert interruption.requested()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_deferred_signal_is_a_request_until_the_end(number: int) -> None:
    before_the_end = []

    def work() -> None:
        with interruption.deferred():
            before_the_end.append(interruption.requested())
            with interruption.deferred():
                _send(number)
            before_the_end.append(interruption.requested())

    with pytest.raises(Interrupted):
        work()
    assert before_the_end == [False, True]


def test_what_is_deferred_is_checked_before_it_begins() -> None:
    with pytest.raises(Interrupted):
        _send(signal.SIGTERM)
    with pytest.raises(Interrupted), interruption.deferred():
        pytest.fail("nothing is begun after a request")


def test_a_second_termination_does_not_disturb_what_is_being_saved() -> None:
    with pytest.raises(Interrupted):
        _send(signal.SIGTERM)
    _send(signal.SIGTERM)
    _send(signal.SIGUSR1)


def test_signals_are_passed_on() -> None:
    told: list[int] = []

    def work() -> None:
        with interruption.passed_on(told.append, leave=lambda: None):
            _send(signal.SIGUSR1)
            _send(signal.SIGTERM)

    with pytest.raises(Interrupted):
        work()
    assert told == [signal.SIGUSR1, signal.SIGTERM]


def test_handlers_and_wishes_end_with_the_command() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted), interruption.heeded():
        _send(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert not interruption.requested()


def test_a_second_interrupt_leaves_at_once() -> None:
    program = """
import os, signal, time
from convrepro import interruption
with interruption.heeded(), interruption.passed_on(lambda number: None, leave=lambda: print("left", flush=True)):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
    print("still here", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "left\n", "")


def _child(said: Connection) -> None:
    interruption.heed_as_child()
    os.kill(os.getpid(), signal.SIGINT)  # the parent's
    said.send(os.getpid())
    deadline = time.monotonic() + 30
    while not interruption.requested() and time.monotonic() < deadline:
        time.sleep(0.01)
    said.send(interruption.requested())


def _parent(said: Connection) -> None:
    multiprocessing.get_context("fork").Process(target=_child, args=(said,)).start()
    os._exit(0)  # without waiting for it


def test_a_child_whose_parent_is_gone_is_to_stop() -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    context.Process(target=_parent, args=(theirs,)).start()
    assert ours.poll(30)
    assert ours.recv() > 0
    assert ours.poll(30)
    assert ours.recv() is True


def test_processes_of_joblib_never_see_an_interrupt() -> None:
    program = """
import signal, joblib
from convrepro import interruption
def blocks(_):
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
with interruption.kept_from_children():
    found = joblib.Parallel(n_jobs=2, return_as="generator")(joblib.delayed(blocks)(one) for one in range(2))
print(list(found), blocks(0))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("[True, True] False\n", "")


def _tell_what_its_server_blocks(theirs: Connection) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    interruption.start_server("torch")  # takes long enough to look at it
    pid = multiprocessing.forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    blocked = int(Path(f"/proc/{pid}/status").read_text().split("SigBlk:")[1].split()[0], 16)
    theirs.send([number for number in range(1, 32) if blocked >> (number - 1) & 1])
    theirs.send(sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks at processes in /proc")
def test_no_signal_reaches_the_server_that_processes_are_forked_from() -> None:
    """Also not while it imports what they need: a Ctrl-C goes to all processes of a terminal."""
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell_what_its_server_blocks, args=(theirs,))
    process.start()
    theirs.close()
    assert ours.recv() == sorted(interruption.SIGNALS)
    assert ours.recv() == []
    process.join(60)
    assert process.exitcode == 0
