"""Claims: exclusive, told to be alive, taken over from the dead and the silent, and numbered."""

import dataclasses
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from convrepro import durable, processes
from convrepro.processes import Process
from convrepro.records import attempts
from convrepro.records.attempts import Claimed, Lost

LEASE = 0.4


@pytest.fixture
def held(tmp_path: Path) -> Iterator[attempts.Claim]:
    claim = attempts.claim(tmp_path, lease_seconds=LEASE)
    yield claim
    claim.end(None)


def _by_another(folder: Path, *, process: Process | None = None) -> None:
    """Makes the newest attempt another process's."""
    newest = attempts.latest(folder)
    assert newest is not None
    process = process or dataclasses.replace(processes.this(), host="elsewhere")
    text = attempts._text(dataclasses.replace(newest, token="theirs", process=process))
    durable.write(attempts._path(folder, newest.number), text)


def test_a_claim_is_exclusive(tmp_path: Path, held: attempts.Claim) -> None:
    for silent in (None, ("another", 0)):
        with pytest.raises(Claimed, match=r" works on .*\.$"):
            attempts.claim(tmp_path, lease_seconds=LEASE, silent=silent)
    held.check()


def _taken_over(folder: Path) -> attempts.Claim:
    """By who watches until the holder is dead or was silent for a lease."""
    watch, deadline = attempts.Watch(), time.monotonic() + 30
    while not watch.is_free(folder, LEASE):
        assert time.monotonic() < deadline
        time.sleep(LEASE / 20)
    return attempts.claim(folder, lease_seconds=LEASE, silent=watch.silent.get(folder.name))


def test_it_says_who_holds_the_run_and_what_it_computes(tmp_path: Path) -> None:
    claim = attempts.claim(tmp_path, config={"conv": {"a": 1}})
    newest = attempts.latest(tmp_path)
    assert newest is not None
    assert (newest.number, newest.state, newest.config) == (1, "running", {"conv": {"a": 1}})
    assert newest.process == processes.this()
    claim.end(None)
    assert attempts.latest(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_an_ended_attempt_keeps_its_reason_and_the_next_has_the_next_number(tmp_path: Path, state: str) -> None:
    attempts.claim(tmp_path).end(state, "no data")  # type: ignore[arg-type]
    newest = attempts.latest(tmp_path)
    assert newest is not None
    assert (newest.number, newest.state, newest.reason) == (1, state, "no data")
    second = attempts.claim(tmp_path)
    assert second.number == 2
    assert [path.name for path in tmp_path.iterdir()] == ["attempt2.json"]
    second.end(None)


def _hold(folder: Path, held: Event) -> None:
    attempts.claim(folder)
    held.set()
    time.sleep(60)


def _holding(folder: Path) -> BaseProcess:
    """A process that holds a run."""
    context = multiprocessing.get_context("fork")
    is_held = context.Event()
    process = context.Process(target=_hold, args=(folder, is_held))
    process.start()
    assert is_held.wait(30)
    return process


def test_the_run_of_a_dead_process_of_this_machine_is_taken_over_at_once(tmp_path: Path) -> None:
    process = _holding(tmp_path)
    with pytest.raises(Claimed):
        attempts.claim(tmp_path)
    process.kill()
    process.join()
    claim = attempts.claim(tmp_path)  # the lease is a minute
    assert claim.number == 2
    claim.end(None)


def test_a_death_is_noted_of_the_process_that_died_and_no_other(tmp_path: Path) -> None:
    process = _holding(tmp_path)
    assert process.pid is not None
    attempts.note_death(tmp_path, process.pid, "it lives")
    process.kill()
    process.join()
    attempts.note_death(tmp_path, os.getpid(), "another one")
    newest = attempts.latest(tmp_path)
    assert newest is not None
    assert (newest.state, newest.reason) == ("running", "")
    attempts.note_death(tmp_path, process.pid, "no memory")
    newest = attempts.latest(tmp_path)
    assert newest is not None
    assert (newest.state, newest.reason) == ("failed", "no memory")


def test_a_silent_holder_of_another_machine_is_taken_over_after_a_lease_by_who_watches(tmp_path: Path) -> None:
    first = attempts.claim(tmp_path, lease_seconds=LEASE)
    _by_another(tmp_path)
    with pytest.raises(Claimed, match="elsewhere works on"):
        attempts.claim(tmp_path, lease_seconds=LEASE)
    began = time.monotonic()
    second = _taken_over(tmp_path)
    assert time.monotonic() - began >= LEASE
    assert second.number == 2
    with pytest.raises(Lost, match=r"took .* over; what was done here is discarded"):
        first.check()
    first.end("failed", "of no interest to anybody")
    assert [path.name for path in tmp_path.iterdir()] == ["attempt2.json"]
    second.check()
    second.end(None)


def test_a_holder_that_gives_signs_of_life_is_never_robbed(tmp_path: Path, held: attempts.Claim) -> None:
    """Its process cannot be seen from here: only the signs count."""
    stop = threading.Event()

    def disguise() -> None:
        newest = attempts.latest(tmp_path)
        assert newest is not None
        beats = newest.beats
        while not stop.wait(LEASE / 10):
            beats += 1
            elsewhere = dataclasses.replace(newest.process, host="elsewhere")
            durable.write(
                attempts._path(tmp_path, 1), attempts._text(dataclasses.replace(newest, beats=beats, process=elsewhere))
            )

    thread = threading.Thread(target=disguise)
    thread.start()
    try:
        watch, end = attempts.Watch(), time.monotonic() + 4 * LEASE
        while time.monotonic() < end:
            assert not watch.is_free(tmp_path, LEASE)
            time.sleep(LEASE / 20)
        assert watch.silent == {}
    finally:
        stop.set()
        thread.join()
    held.check()


def test_of_two_leases_the_longer_one_counts(tmp_path: Path) -> None:
    """A holder that has time to be silent is not robbed by who is in a hurry."""
    claim = attempts.claim(tmp_path, lease_seconds=60)
    _by_another(tmp_path)
    watch = attempts.Watch()
    for _ in range(3):
        assert not watch.is_free(tmp_path, LEASE)
        time.sleep(LEASE)
    claim.end(None)


def test_a_run_is_free_when_it_has_ended(tmp_path: Path) -> None:
    watch, claim = attempts.Watch(), attempts.claim(tmp_path)
    assert not watch.is_free(tmp_path, LEASE)
    claim.end("interrupted", "")
    assert watch.is_free(tmp_path, LEASE)


def test_beats_are_counted_while_it_lives(tmp_path: Path, held: attempts.Claim) -> None:
    deadline = time.monotonic() + 30
    while (newest := attempts.latest(tmp_path)) is not None and newest.beats < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert newest is not None
    assert newest.beats >= 2


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    for trial in range(20):
        folder = tmp_path / str(trial)
        attempts.claim(folder).end("interrupted", "")
        claims: list[attempts.Claim] = []
        barrier = threading.Barrier(8)

        def try_it(
            folder: Path = folder, claims: list[attempts.Claim] = claims, barrier: threading.Barrier = barrier
        ) -> None:
            barrier.wait()
            try:
                claims.append(attempts.claim(folder))
            except Claimed:
                return

        threads = [threading.Thread(target=try_it) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(claims) == 1
        claims[0].end(None)


def test_who_was_slow_to_see_that_a_later_attempt_has_begun_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It saw attempt 1 ended; then attempts 2 and 3 came, and 2 was removed: attempt 2 can be made once more."""
    attempts.claim(tmp_path).end("interrupted", "")
    stale, real = attempts.latest(tmp_path), attempts.latest
    attempts.claim(tmp_path).end("interrupted", "")
    third = attempts.claim(tmp_path)
    answers = iter([stale])
    monkeypatch.setattr(attempts, "latest", lambda folder: next(answers, None) or real(folder))
    with pytest.raises(Claimed):
        attempts.claim(tmp_path)
    monkeypatch.undo()
    third.check()
    assert [path.name for path in tmp_path.iterdir()] == ["attempt3.json"]
    third.end(None)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"number": 1}', "\0", '{"process": 3}'])
def test_a_broken_file_is_watched_as_any_other_holder(tmp_path: Path, text: str) -> None:
    (tmp_path / "attempt7.json").write_text(text)
    with pytest.raises(Claimed, match="an unknown machine works on"):
        attempts.claim(tmp_path, lease_seconds=LEASE)
    claim = _taken_over(tmp_path)
    assert claim.number == 8
    claim.end(None)


def test_times_of_files_mean_nothing(tmp_path: Path, held: attempts.Claim) -> None:
    for moment in (0, 4102444800):  # 1970, 2100
        os.utime(tmp_path / "attempt1.json", (moment, moment))
        with pytest.raises(Claimed):
            attempts.claim(tmp_path, lease_seconds=LEASE)


def test_other_files_are_no_attempts(tmp_path: Path) -> None:
    for name in ("attempt0.json", "attempt01.json", "attempt.json", "attempt1.json.tmp", "attemptx.json"):
        (tmp_path / name).write_text(json.dumps({}))
    assert attempts.latest(tmp_path) is None
