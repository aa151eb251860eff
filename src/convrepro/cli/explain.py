"""``convrepro explain TABLE CELL``: why a cell's result is not the paper's, as far as records tell."""

import argparse
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices
from convrepro.cli.errors import one_line

if TYPE_CHECKING:
    from convrepro.records import Cell, Table


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "explain",
        help="why a cell's result is not the paper's: verdict, counts, deviations, data, versions, curves",
        description="For example `convrepro explain dk_table5 model=cnn4 conv=dk`. Reads records only; the exit "
        "code is 1 while some of the cell's are missing.",
    )
    choices.add_table(parser)
    parser.add_argument("cell", metavar="LABEL=VALUE", nargs="+", help="what names the cell, as of `run --only`")
    choices.add_scaling(parser)
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro import papers, tables
    from convrepro.records import store, workspace
    from convrepro.reporting.explain import explain
    from convrepro.reporting.explain_console import show_explanation

    table, results_dir = choices.table_of(arguments), choices.results_dir(arguments)
    cell = choices.cell_of(table, arguments.cell)
    records_dir = workspace.records_dir(results_dir)
    # Of all cells: what a row says may need another's, such as the baseline's.
    records, defects = store.read_all(records_dir, [cell.run_id for cell in table.cells], range(table.num_seeds))
    paper = papers.load(table.paper) if table.paper else None
    states = workspace.states(results_dir, [(cell.run_id, seed) for seed in range(table.num_seeds)])
    without_record = {
        seed: ": ".join(filter(None, [state, workspace.ending(results_dir, cell.run_id, seed)]))
        for (_, seed), state in states.items()
        if state not in ("done", "diverged")
    }
    explanation = explain(
        tables.build(table, records, paper),
        table,
        records,
        paper,
        run_id=cell.run_id,
        without_record=without_record,
        command=_run_command(arguments, table, cell),
    )
    show_explanation(explanation)
    for defect in defects:
        print(f"convrepro: {one_line(ValueError(defect))}", file=sys.stderr)
    return 1 if without_record else 0


def _run_command(arguments: argparse.Namespace, table: "Table", cell: "Cell") -> str:
    """The command that runs the cell: the table as it was asked for, and the labels that single the cell out."""
    asked: Mapping[str, Any] = {
        "--scale": arguments.scale,
        "--images": arguments.images,
        "--seeds": arguments.seeds,
        "--results": arguments.results if arguments.results != "results" else None,
    }
    options = [f"{option} {shlex.quote(str(value))}" for option, value in asked.items() if value is not None]
    options += [f"--dataset {shlex.quote(text)}" for text in arguments.dataset]
    options += [f"--machine {shlex.quote(text)}" for text in arguments.machine]
    options += [f"--only {shlex.quote(condition)}" for condition in choices.singled_out(table, cell)]
    return " ".join(["convrepro run", arguments.table, *options])
