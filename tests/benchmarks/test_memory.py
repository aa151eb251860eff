import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from convrepro.benchmarks import memory
from convrepro.benchmarks.settings import Settings
from convrepro.benchmarks.workload import workload

needs_linux = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs Linux")
MEBIBYTE = 2**20


def test_the_goal_is_the_data_set_and_an_epoch_of_each_run(settings: Settings) -> None:
    """240 images of 3 x 32 x 32 bytes; an epoch of 200 of them has four bytes a value."""
    config = workload(settings, model="cnn4", num_train=200, num_epochs=1)
    assert memory.allowed_bytes(config, 0) == 240 * 3072
    assert memory.allowed_bytes(config, 2) == 240 * 3072 + 2 * 200 * 3072 * 4


@needs_linux
def test_peak_is_the_most_that_was_ever_held() -> None:
    before = memory._most_bytes()
    np.ones(40 * MEBIBYTE, dtype=np.uint8)
    np.ones(200 * MEBIBYTE, dtype=np.uint8)
    assert memory._most_bytes() >= 200 * MEBIBYTE
    assert memory._most_bytes() >= before


@needs_linux
def test_bytes_of_a_child() -> None:
    """A child that holds 64 MiB of its own has them, and what it shares in part."""
    code = "held = b'x' * (64 << 20); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in memory.children()
        assert 64 * MEBIBYTE < memory.proportional_bytes([child.pid]) < 128 * MEBIBYTE
        child.communicate(b"\n")
    assert child.pid not in memory.children()
    assert memory.proportional_bytes([child.pid]) == 0


@needs_linux
def test_one_run_in_a_fresh_process(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    idle = [(300 * MEBIBYTE, 300 * MEBIBYTE + 1), (300 * MEBIBYTE, 310 * MEBIBYTE), (500 * MEBIBYTE, 521 * MEBIBYTE)]
    calls = []

    def call(function: object, *arguments: object) -> tuple[int, int]:
        calls.append((function, arguments))
        return idle[len(calls) - 1]

    monkeypatch.setattr(memory, "call", call)
    config = workload(settings, model="cnn4", num_train=200, num_epochs=1)
    monkeypatch.setattr(memory, "whole_data_set", lambda *_, **__: config)
    first, later, both = memory.rows(settings, lambda fraction: None)
    assert [row.values for row in (later, both)] == [[10.0], [21.0]]
    assert [row.verdict for row in (first, later, both)] == ["met", "MISSED", "MISSED"]
    (one, (run,)), (other, (again,)), (side_by_side, (warm_up, runs)) = calls
    assert one is other is memory.peak_of_run
    assert side_by_side is memory.peak_side_by_side
    assert len({run.seed, again.seed, *(config.seed for config in runs)}) == 4  # each is a run that has no record
    assert len({config.machine.cache_dir for config in (run, again, *runs)}) == 1
    assert len(warm_up) == 2


def test_a_real_run_has_a_peak(settings: Settings) -> None:
    before, peak = memory.peak_of_run(workload(settings, model="cnn4", num_train=50, num_epochs=1))
    assert 0 < before <= peak


@needs_linux
def test_workers_are_those_that_the_warm_up_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warm-up leaves a process, which takes 64 MiB more during the runs."""
    code = "print(flush=True); input(); held = b'x' * (64 << 20); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:

        def run_all(runs: list[str], *, launcher: str) -> None:
            assert launcher == "joblib"
            if runs == ["runs"]:
                child.stdin.write(b"\n")
                child.stdin.flush()
            child.stdout.readline()
            time.sleep(0.2)

        monkeypatch.setattr(memory, "run_all", run_all)
        monkeypatch.setattr(memory, "workers_ended", contextlib.nullcontext)
        monkeypatch.setattr(memory, "children", lambda: [child.pid])
        idle, most = memory.peak_side_by_side(["warm-up"], ["runs"])
        child.communicate(b"\n")
    assert 0 < idle < 64 * MEBIBYTE <= most - idle


@needs_linux
def test_samples_are_taken_as_long_as_it_is_entered() -> None:
    with memory._sampled([os.getpid()]) as samples:
        while len(samples) < 3:
            pass
    num_taken = len(samples)
    assert max(samples) > 10 * MEBIBYTE
    assert len(samples) == num_taken
