"""R21: a process that does many runs grows neither in memory nor in open files."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import commands
from tests.commands import RUN, SERIAL

NUM_FIRST = 5  # runs, after which all code has run and all that is made once is there
MAX_BYTES = 50 * 2**20
MAX_FILES = 2


@dataclass(frozen=True)
class Measured:
    """Logs bytes of memory, open files and threads each time that a record has been made."""

    path: Path

    def __call__(self) -> None:
        from convrepro.records import store

        write = store.write

        def measured(records_dir: Path, record: Any) -> Path:
            path = write(records_dir, record)
            num_pages = int(Path("/proc/self/statm").read_text().split()[1])
            num_files = len(list(Path("/proc/self/fd").iterdir()))
            with self.path.open("a") as log:
                log.write(f"{num_pages * os.sysconf('SC_PAGESIZE')} {num_files} {threading.active_count()}\n")
            return path

        store.write = measured


def test_memory_and_files_after_many_runs(tmp_path: Path, figure: Callable[[int, int], int]) -> None:
    num_runs = max(figure(20, 500), NUM_FIRST + 1)
    sweep = tmp_path / "sweep"
    commands.tiny_table(sweep, num_cells=1, num_seeds=num_runs, epochs=1)
    code, _, err = commands.run([*RUN, *SERIAL], sweep, fault=Measured(sweep / "log"), timeout=3600)
    assert code == 0, err
    measured = [tuple(map(int, line.split())) for line in (sweep / "log").read_text().splitlines()]
    assert len(measured) == num_runs
    num_bytes, num_files, num_threads = zip(*measured[NUM_FIRST - 1 :], strict=True)
    assert max(num_bytes) - num_bytes[0] < MAX_BYTES * num_runs / 500 + 2**23
    assert max(num_files) - num_files[0] <= MAX_FILES
    assert max(num_threads) <= num_threads[0]
