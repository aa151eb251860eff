"""``convrepro smoke``: one step of every cell of every table, without data."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from convrepro import config_files, interruption
from convrepro.cli.errors import one_line

if TYPE_CHECKING:
    from convrepro.protocols.schema import Config


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "smoke",
        help="one training step and one evaluation of every cell of every table, on images of noise",
        description="Builds every cell's network and takes one training step and one evaluation of each of its "
        "phases, on two images of noise on the CPU: whether every cell can run at all. Needs no data, leaves nothing. "
        "Exit code 1 if a cell fails.",
    )
    parser.add_argument("tables", metavar="TABLE", nargs="*", help="see `convrepro list tables` (default: all)")
    parser.set_defaults(command=_command)


def _command(arguments: argparse.Namespace) -> int:
    from joblib import Parallel, delayed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    started = time.monotonic()
    cells = _cells(arguments.tables or config_files.names("table"))
    num_cells, failures = sum(len(of_table) for of_table in cells.values()), []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("smoke", total=num_cells)
        parallel = Parallel(n_jobs=len(os.sched_getaffinity(0)), return_as="generator")
        work = ((name, label, config) for name, of_table in cells.items() for label, config in of_table)
        with interruption.kept_from_children():
            results = parallel(delayed(_smoke)(*one) for one in work)
        seconds = dict.fromkeys(cells, 0.0)
        for name, label, problem, took in results:
            progress.advance(task)
            seconds[name] += took
            failures += [f"{name}: {label}: {problem}"] if problem else []
    for name, of_table in cells.items():
        print(f"{name:24} {len(of_table):4} cells  {seconds[name]:6.1f} s")
    for failure in failures:
        print(f"convrepro: {failure}", file=sys.stderr)
    whole = f"{num_cells - len(failures)} of {num_cells} cells of {len(cells)} tables take a step"
    print(f"{whole}, in {time.monotonic() - started:.0f} s")
    return 1 if failures else 0


def _cells(tables: list[str]) -> "dict[str, list[tuple[str, Config]]]":
    """Labels and config of each table's cells; one that stands in several tables is the first one's."""
    from convrepro.protocols.grid import plan

    seen: set[str] = set()
    found: dict[str, list[tuple[str, Config]]] = {}
    for name in tables:
        planned = plan(name, machine_overrides=["machine.accelerator=cpu", "machine.threads=1"])
        new = [cell for cell in planned.table.cells if cell.run_id not in seen]
        seen |= {cell.run_id for cell in new}
        found[name] = [(" ".join(cell.labels.values()), planned.configs[cell.run_id]) for cell in new]
    return found


def _smoke(name: str, label: str, config: "Config") -> tuple[str, str, str, float]:
    """The cell, what is wrong with it (empty if nothing is), and the seconds that it took."""
    import torch

    from convrepro.protocols.smoke import smoke

    torch.set_num_threads(1)
    started, problem = time.monotonic(), ""
    with tempfile.TemporaryDirectory(prefix="convrepro-") as folder:
        try:
            smoke(config, Path(folder))
        except Exception as error:
            problem = f"{type(error).__name__}: {one_line(error)}"
    return name, label, problem, time.monotonic() - started
