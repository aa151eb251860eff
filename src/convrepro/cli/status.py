"""``convrepro status [TABLE]``: what the disk says of the runs of a table, or of all tables."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro import config_files
from convrepro.cli import choices
from convrepro.records import workspace

if TYPE_CHECKING:
    from convrepro.records import Table

_ORDER = ("done", "diverged", "running", "interrupted", "failed", "missing", "unreadable")


def add_to(commands: Any) -> None:
    parser = commands.add_parser("status", help="how far each table is: runs done, running, failed, missing")
    choices.add_table(parser, optional=True)
    choices.add_scaling(parser)
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    if arguments.table is not None:
        _print_cells(choices.table_of(arguments), choices.results_dir(arguments))
        _say_if_missing(choices.results_dir(arguments))
        return 0
    names = sorted({*config_files.names("table"), *choices.written_tables(choices.results_dir(arguments))})
    tables = {}
    for name in names:
        arguments.table = name
        tables[name] = choices.table_of(arguments, with_stand_ins=False)
    runs = {name: table.runs() for name, table in tables.items()}
    states = workspace.states(choices.results_dir(arguments), {run for several in runs.values() for run in several})
    for name in names:
        print(f"{name:<{max(map(len, names))}}  {_counted(states[run] for run in runs[name])}")
    _say_if_missing(choices.results_dir(arguments))
    return 0


def _say_if_missing(results_dir: Path) -> None:
    if results_dir != Path("results") and not results_dir.is_dir():
        print(f"convrepro: there is no folder {results_dir} yet", file=sys.stderr)


def _print_cells(table: "Table", results_dir: Path) -> None:
    states = workspace.states(results_dir, table.runs())
    labels = [" ".join(cell.labels.values()) for cell in table.cells]
    for cell, label in zip(table.cells, labels, strict=True):
        runs = [(cell.run_id, seed) for seed in range(table.num_seeds)]
        print(f"{cell.run_id}  {label:<{max(map(len, labels))}}  {_counted(states[run] for run in runs)}")
        for run_id, seed in runs:
            if states[run_id, seed] in ("running", "interrupted", "failed"):
                said = ": ".join(filter(None, [states[run_id, seed], workspace.ending(results_dir, run_id, seed)]))
                print(f"    seed {seed} {said}")


def _counted(states: Iterable[str]) -> str:
    counts = Counter(states)
    others = [f"{counts[state]} {state}" for state in _ORDER[1:] if counts[state]]
    return ", ".join([f"{counts['done']} of {counts.total()} done", *others])
