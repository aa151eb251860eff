"""``convrepro status [TABLE]``: what the disk says of the runs of a table, or of all tables."""

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from convrepro import config_files
from convrepro.cli import choices

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
        _print_cells(choices.plan_of(arguments).table, arguments)
        return 0
    names = sorted({*config_files.names("table"), *choices.written_tables(choices.results_dir(arguments))})
    for name in names:
        arguments.table = name
        table = choices.plan_of(arguments).table
        states = Counter(state for cell in table.cells for state in _states(table, cell.run_id, arguments))
        print(f"{name:<{max(map(len, names))}}  {_counted(states)}")
    return 0


def _print_cells(table: "Table", arguments: argparse.Namespace) -> None:
    from convrepro.records import workspace

    labels = [" ".join(cell.labels.values()) for cell in table.cells]
    for cell, label in zip(table.cells, labels, strict=True):
        states = _states(table, cell.run_id, arguments)
        print(f"{cell.run_id}  {label:<{max(map(len, labels))}}  {_counted(Counter(states))}")
        for seed, state in enumerate(states):
            if state == "failed":
                reason = workspace.failure(choices.results_dir(arguments), cell.run_id, seed)
                print(f"    seed {seed}: {reason}")


def _states(table: "Table", run_id: str, arguments: argparse.Namespace) -> list[str]:
    from convrepro.records import workspace

    results_dir = choices.results_dir(arguments)
    return [workspace.state(results_dir, run_id, seed) for seed in range(table.num_seeds)]


def _counted(states: Counter[str]) -> str:
    total = sum(states.values())
    others = [f"{states[state]} {state}" for state in _ORDER[1:] if states[state]]
    return ", ".join([f"{states['done']} of {total} done", *others])
