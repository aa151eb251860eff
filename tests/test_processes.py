"""Processes by their number and start: a number alone comes back."""

import dataclasses
import multiprocessing
import os
import time

import pytest

from convrepro import processes


def _wait_for(seconds: float) -> None:
    time.sleep(seconds)


def test_a_process_lives_until_it_ends() -> None:
    process = multiprocessing.get_context("fork").Process(target=_wait_for, args=(60,))
    process.start()
    assert process.pid is not None
    try:
        theirs = dataclasses.replace(
            processes.this(), number=process.pid, started=processes._started(process.pid) or ""
        )
        assert theirs.started
        assert processes.is_alive(theirs) is True
        assert not processes.is_dead(processes.tag(theirs))
    finally:
        os.kill(process.pid, 9)
        _wait_until_a_zombie(process.pid)
        assert processes.is_alive(theirs) is False  # it waits for its parent to ask
        process.join()
    assert processes.is_alive(theirs) is False
    assert processes.is_dead(processes.tag(theirs))


def _wait_until_a_zombie(number: int) -> None:
    deadline = time.monotonic() + 10
    while processes._started(number) is not None and time.monotonic() < deadline:
        time.sleep(0.01)


def test_this_process_lives() -> None:
    assert processes.is_alive(processes.this()) is True
    assert not processes.is_dead(processes.tag(processes.this()))


def test_another_process_with_the_same_number_is_not_the_one() -> None:
    assert processes.is_alive(dataclasses.replace(processes.this(), started="1")) is False
    assert processes.is_dead(processes.tag(dataclasses.replace(processes.this(), started="1")))


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"boot": "another boot"}, {"started": ""}])
def test_nothing_is_said_of_processes_that_cannot_be_seen(other: dict[str, str]) -> None:
    process = dataclasses.replace(processes.this(), number=2**22, **{"started": "1", **other})
    assert processes.is_alive(process) is None
    assert not processes.is_dead(processes.tag(process))


def test_a_tag_fits_into_a_file_name() -> None:
    named = processes.tag(dataclasses.replace(processes.this(), host="a/b ..\n"))
    assert named.replace("-", "").isalnum()
