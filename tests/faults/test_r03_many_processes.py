"""R3: several processes work on the same table, in the same folder."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.commands import SERIAL, Logged, left_over, records_of, start, tiny_table


@pytest.mark.parametrize("num_processes", [2, 8])
def test_each_run_is_executed_once(num_processes: int, tmp_path: Path, figure: Callable[[int, int], int]) -> None:
    num_repetitions = figure(1, 100)
    num_seeds = 5 if num_repetitions > 1 else 1
    for repetition in range(num_repetitions):
        folder = tmp_path / f"repetition{repetition}"
        tiny_table(folder, num_cells=12, num_seeds=num_seeds, epochs=0)
        _run_side_by_side(folder, num_processes, num_runs=12 * num_seeds)


@pytest.mark.large
@pytest.mark.parametrize("num_processes", [2, 8])
def test_each_run_is_trained_once(num_processes: int, tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    tiny_table(folder, num_cells=12, num_seeds=5, epochs=1)
    log = _run_side_by_side(folder, num_processes, num_runs=60)
    assert Counter(event.run for event in log.events() if event.what == "epoch1").total() == 60


def _run_side_by_side(folder: Path, num_processes: int, *, num_runs: int) -> Logged:
    log = Logged(folder / "log")
    arguments = ["run", "tiny", *SERIAL, "--machine", "lease_seconds=20"]  # who waits looks 20 times in it
    running = [start(arguments, folder, fault=log) for _ in range(num_processes)]
    for process in running:
        assert process.wait() == 0, process.err()
        assert f"records: {num_runs} of {num_runs} " in process.out()
    begun, committed = (
        Counter(event.run for event in log.events() if event.what == what) for what in ("begun", "committed")
    )
    assert len(records_of(folder)) == num_runs
    assert set(begun.values()) == set(committed.values()) == {1}
    assert len(begun) == len(committed) == num_runs
    assert left_over(folder) == []
    return log
