import os
import time
from pathlib import Path

import pytest

from convrepro.benchmarks import turns


def count(pause: turns.Pause, path: Path) -> None:
    number = 0
    while True:
        number += 1
        path.write_text(f"{number} {os.getpid()}")
        pause()


def fail(pause: turns.Pause, reason: str) -> None:
    pause()
    raise ValueError(reason)


def end(pause: turns.Pause) -> None:
    pass


def sleep(pause: turns.Pause, seconds: float) -> None:
    while True:
        time.sleep(seconds)
        pause()


def test_a_side_works_in_its_turn_only_and_in_its_own_process(tmp_path: Path) -> None:
    path = tmp_path / "count"
    with turns.taking_turns({"count": (count, (path,))}) as processes:
        for number in ("1", "2", "3"):
            processes["count"]()
            found, process = path.read_text().split()
            assert found == number
            assert int(process) != os.getpid()
    with pytest.raises(ProcessLookupError):
        os.kill(int(process), 0)
    assert path.read_text().split()[0] == "3"


def test_seconds_are_those_of_the_turn() -> None:
    with turns.taking_turns({"sleep": (sleep, (0.05,))}) as processes:
        processes["sleep"]()
        time.sleep(0.2)  # not its turn
        assert 0.05 <= processes["sleep"]() < 0.2


def test_a_failure_is_told() -> None:
    with turns.taking_turns({"fail": (fail, ("out of luck",))}) as processes:
        processes["fail"]()
        with pytest.raises(RuntimeError, match=r"a side of the benchmark failed: ValueError: out of luck\."):
            processes["fail"]()


def test_work_that_ends_too_early_is_told() -> None:
    with (
        turns.taking_turns({"end": (end, ())}) as processes,
        pytest.raises(RuntimeError, match="it had no more turns"),
    ):
        processes["end"]()


def test_a_process_that_died_is_told() -> None:
    with (
        turns.taking_turns({"die": (die, ())}) as processes,
        pytest.raises(RuntimeError, match="its process ended"),
    ):
        processes["die"]()


def die(pause: turns.Pause) -> None:
    os._exit(1)


def test_a_call_is_made_in_another_process() -> None:
    assert turns.call(os.getpid) != os.getpid()
