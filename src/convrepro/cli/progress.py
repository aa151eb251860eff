"""Progress of a table and of its current runs, with an estimate of the time left."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from convrepro.records.workspace import Run


def duration(seconds: float | None) -> str:
    """Seconds as people say them: ``42 s``, ``3 min``, ``5.2 h``; ``?`` if unknown."""
    if seconds is None:
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


class TableProgress:
    """A bar for the table and one for each current run on a terminal; everywhere a line per finished run.

    Args:
        title: of the table.
        work: of each run that is to do, in any unit: the share that is finished gives the time left.
        noun: what they are called together.
    """

    def __init__(self, title: str, work: Mapping[Run, float], *, noun: str = "runs") -> None:
        self._title, self._noun = title, noun
        self._work = dict(work)
        self._share = dict.fromkeys(work, 0.0)
        self._ended: set[Run] = set()
        self._started = time.monotonic()
        self._console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TaskProgressColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not sys.stderr.isatty(),
            transient=True,
        )
        self._table_bar = self._bars.add_task(title, total=1.0, note="")
        self._run_bars: dict[Run, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def advance(self, run: Run, label: str, share: float) -> None:
        """Notes how much of a run is done, in [0, 1]."""
        if run in self._ended:
            return
        if not self._run_bars and not self._ended:
            self._started = time.monotonic()  # processes took seconds to start, which the others will not
        self._share[run] = share
        if run not in self._run_bars:
            self._run_bars[run] = self._bars.add_task(f"  {label}", total=1.0, note="")
        self._bars.update(self._run_bars[run], completed=share)
        self._draw()

    def end(self, run: Run, line: str) -> None:
        """Notes that a run has ended, and prints a line about it."""
        self._ended.add(run)
        self._share[run] = 1.0
        if run in self._run_bars:
            self._bars.remove_task(self._run_bars.pop(run))
        parts = [f"[{len(self._ended)}/{len(self._work)}] {line}", self._left()]
        text = ", ".join(filter(None, parts))
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._draw()

    def note(self, line: str) -> None:
        """Prints a line about a run that goes on."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _draw(self) -> None:
        self._bars.update(
            self._table_bar,
            description=f"{self._title}: {len(self._ended)} of {len(self._work)} {self._noun}",
            completed=self._finished(),
            note=self._left(),
        )

    def _finished(self) -> float:
        total = sum(self._work.values())
        return sum(self._work[run] * share for run, share in self._share.items()) / total if total else 1.0

    def _left(self) -> str:
        finished = self._finished()
        if not 0.0 < finished < 1.0:
            return ""
        return f"about {duration((time.monotonic() - self._started) * (1.0 - finished) / finished)} left"
