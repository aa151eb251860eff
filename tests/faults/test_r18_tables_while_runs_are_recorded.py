"""R18: a table that is built while others write records is that of one moment.

Four processes write records, each its own runs in an order that is known here. The ledger is the four lists of records
that were written, and a prefix of it is the beginning of each: what can have been there at one moment. A table is of
such a prefix if no run is in it without all that the same process wrote before; and it must be the table that these
records make in memory.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.faults.invented_tables import record, run_id, table

from convrepro.records import Record, store
from convrepro.tables import build

Figure = Callable[[int, int], int]
NUM_WRITERS = 4
WRITER = """
import sys, time
from pathlib import Path
from convrepro.records import store
from convrepro.records.record import from_json
records = [from_json(path.read_bytes()) for path in sorted(Path(sys.argv[1]).iterdir())]
print("ready", flush=True)
sys.stdin.readline()
for number, record in enumerate(records):
    store.write(Path(sys.argv[2]), record)
    if number % 5 == 4:  # between are moments in which several come while a table is read
        time.sleep(5 * float(sys.argv[3]))
"""


def _ledger(num_runs: int) -> list[list[Record]]:
    """What each process writes: every fourth run in the order in which a table is read, or against it."""
    runs = [record(str(number // 5), number % 5, 90.0 + number / 64) for number in range(NUM_WRITERS * num_runs)]
    return [runs[first::NUM_WRITERS][:: 1 if first % 2 else -1] for first in range(NUM_WRITERS)]


def _start(folder: Path, records_dir: Path, records: list[Record], pause_seconds: float) -> subprocess.Popen[str]:
    folder.mkdir()
    for number, each in enumerate(records):
        store.write(folder, each).rename(folder / f"{number:06}.json")
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(records_dir), str(pause_seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_every_table_is_of_a_prefix_of_the_ledger(tmp_path: Path, figure: Figure) -> None:
    num_tables, num_runs = figure(100, 1000), figure(10, 50)
    ledger = _ledger(num_runs)
    by_run = {(each.run_id, each.seed): each for records in ledger for each in records}
    whole = table(tuple(str(number) for number in range(NUM_WRITERS * num_runs // 5)), 5)
    assert {cell.run_id for cell in whole.cells} == {run for run, _ in by_run} >= {run_id("1")}
    records_dir = tmp_path / "records"
    writers = [
        _start(tmp_path / str(number), records_dir, records, figure(60, 200) / 1000)
        for number, records in enumerate(ledger)
    ]
    seen = set()
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            assert writer.stdin is not None
            print(file=writer.stdin, flush=True)
        num_built = 0
        while num_built < num_tables or any(writer.poll() is None for writer in writers):
            found, defects = store.read_all(records_dir, [cell.run_id for cell in whole.cells], range(5))
            built = build(whole, found, None)
            num_built += 1
            runs = {(row.run_id, seed) for row in built.rows for seed in row.values}
            assert defects == []
            for records in ledger:
                is_there = [(each.run_id, each.seed) in runs for each in records]
                assert is_there == sorted(is_there, reverse=True)
            assert built == build(whole, [by_run[run] for run in runs], None)
            seen.add(len(runs))
    finally:
        for writer in writers:
            writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * NUM_WRITERS
    assert max(seen) == len(by_run)
    assert len(seen) > 1  # not of the end alone; of how many moments is the machine's affair
