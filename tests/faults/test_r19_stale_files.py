"""R19: what a thousand killed processes left is in nobody's way."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import commands
from tests.commands import RUN, SERIAL

from convrepro import processes
from convrepro.processes import Process
from convrepro.records import attempts

NUM_STALE = 1000
MAX_SECONDS = 1.0
DEAD = dataclasses.replace(processes.this(), started="1")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    commands.tiny_table(folder, num_cells=2, num_seeds=2, epochs=1)
    assert commands.run([*RUN, *SERIAL], folder)[0] == 0
    return folder


def _temporary_names(process: Process) -> list[str]:
    """As ``durable.write`` has them."""
    return [
        f".{name}.{processes.tag(process)}.{number:08d}.tmp"
        for number in range(NUM_STALE // 4)
        for name in ("epoch1.ckpt", "0123456789abcdef-seed0.json", "attempt1.json", "tiny.csv")
    ]


def _seconds(command: Callable[[], object]) -> float:
    """The least of three."""
    found = []
    for _ in range(3):
        started = time.monotonic()
        command()
        found.append(time.monotonic() - started)
    return min(found)


def test_temporary_files_of_dead_processes_are_removed(whole: Path) -> None:
    def run() -> None:
        assert commands.run([*RUN, *SERIAL], whole)[0] == 0

    expected, results = commands.tables_of(whole), whole / "results"
    before = _seconds(run)
    folders = [results, results / "records", results / "tables", *results.glob("runs/*/train")]
    elsewhere = dataclasses.replace(DEAD, host="elsewhere")
    for number, name in enumerate(_temporary_names(DEAD)):
        (folders[number % len(folders)] / name).write_bytes(b"{" * 100)
    for name in _temporary_names(elsewhere)[:4]:
        (results / "records" / name).write_bytes(b"{" * 100)
    started = time.monotonic()
    run()
    assert time.monotonic() - started <= before + MAX_SECONDS
    # Whether a process of another machine is dead cannot be told from here: they are ignored.
    assert commands.left_over(whole) == [f"results/records/{name}" for name in sorted(_temporary_names(elsewhere)[:4])]
    assert commands.tables_of(whole) == expected
    for name in _temporary_names(elsewhere)[:4]:
        (results / "records" / name).unlink()


def _stale(folder: Path, *, number: int = 1) -> None:
    attempt = attempts.Attempt(
        number=number,
        state="running",
        reason="",
        token="0",
        lease_seconds=60.0,
        beats=3,
        told_at="",
        config={},
        process=DEAD,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"attempt{number}.json").write_text(json.dumps(dataclasses.asdict(attempt)))


def test_claims_of_dead_processes_are_taken_over_or_ignored(tmp_path: Path, whole: Path) -> None:
    def status() -> tuple[int, str, str]:
        return commands.run(["status", "tiny"], sweep)

    sweep = tmp_path / "sweep"
    commands.tiny_table(sweep, num_cells=2, num_seeds=NUM_STALE // 2, epochs=0)
    (sweep / "results").mkdir()
    before = _seconds(status)
    ids = [line.split()[0] for line in status()[1].splitlines()]
    for run_id in ids:
        for seed in range(NUM_STALE // 2):
            _stale(sweep / "results" / "runs" / f"{run_id}-seed{seed}", number=1 + seed % 3)
    assert _seconds(status) <= before + MAX_SECONDS
    out = status()[1]
    assert out.count(f"0 of {NUM_STALE // 2} done, {NUM_STALE // 2} interrupted\n") == 2
    assert "seed 1 interrupted: its process ended without a word, killed or out of memory (attempt 2)" in out

    # Those of other tables' runs are ignored, its own two are taken over.
    small = ["run", "tiny", "--seeds", "1", *SERIAL]
    started = time.monotonic()
    assert commands.run(small, sweep)[0] == 0
    with_stale = time.monotonic() - started
    started = time.monotonic()
    assert commands.run([*small, "--results", "fresh"], sweep)[0] == 0
    assert with_stale <= time.monotonic() - started + MAX_SECONDS
    assert commands.records_of(sweep) == commands.records_of(sweep, "fresh")
