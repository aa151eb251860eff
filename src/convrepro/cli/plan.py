"""``convrepro plan TABLE``: every run of a table with its state and estimated time."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices
from convrepro.cli.progress import duration

if TYPE_CHECKING:
    from convrepro.protocols.grid import PlannedTable


def add_to(commands: Any) -> None:
    parser = commands.add_parser("plan", help="every run of a table: id, state, estimated time; runs nothing")
    choices.add_table(parser)
    choices.add_scaling(parser)
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    print_plan(choices.plan_of(arguments), choices.results_dir(arguments))
    return 0


def print_plan(planned: "PlannedTable", results_dir: Path) -> None:
    from convrepro.protocols import environment
    from convrepro.protocols.estimate import expected_seconds
    from convrepro.protocols.train import device_of
    from convrepro.records import store, workspace

    accelerator = next(iter(planned.configs.values())).machine.accelerator
    records = store.read_everything(workspace.records_dir(results_dir))
    seconds = expected_seconds(planned, records, environment.device_name(device_of(accelerator)))
    labels = [" ".join(cell.labels.values()) for cell in planned.table.cells]
    width = max(map(len, labels))
    print(f"{planned.table.name}: {planned.table.title}")
    left: list[float | None] = []
    for cell, label in zip(planned.table.cells, labels, strict=True):
        for seed in range(planned.table.num_seeds):
            state = workspace.state(results_dir, cell.run_id, seed)
            is_open = state not in ("done", "diverged", "unreadable")
            left += [seconds[cell.run_id]] if is_open else []
            estimate = duration(seconds[cell.run_id]) if is_open else ""
            print(f"  {cell.run_id}  {label:<{width}}  seed {seed}  {state:<11}  {estimate:>8}".rstrip())
    print(f"{len(left)} runs to do{_total(left)}")


def _total(left: list[float | None]) -> str:
    if not left:
        return ""
    known = [seconds for seconds in left if seconds is not None]
    if not known:
        return "; how long they take is known after a first run here"
    return f", {'about' if len(known) == len(left) else 'at least'} {duration(sum(known))} one after the other"
