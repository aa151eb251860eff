"""``convrepro tables``: print tables, and write them to files, from the records that there are."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices
from convrepro.cli.errors import one_line
from convrepro.durable import DiskFull

if TYPE_CHECKING:
    from convrepro.records import Table


def add_to(commands: Any) -> None:
    parser = commands.add_parser("tables", help="print tables from their records and write their files; runs nothing")
    choices.add_table(parser, optional=True)
    choices.add_scaling(parser)
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    results_dir = choices.results_dir(arguments)
    asked = arguments.table
    names = [asked] if asked is not None else choices.written_tables(results_dir)
    if not names:
        print(f"no table in {results_dir / 'tables'} yet; `convrepro run quickstart` makes one")
    is_complete = []
    for name in names:
        arguments.table = name
        table = choices.table_of(arguments, with_stand_ins=asked is not None)
        is_complete.append(show(table, results_dir) == {cell.run_id for cell in table.cells})
        print()
    return 0 if all(is_complete) else 1


def show(table: "Table", results_dir: Path) -> set[str]:
    """Builds a table from its records, prints it, writes its files; returns the run ids of complete cells.

    Raises:
        DiskFull: if its files cannot be written for that reason; for any other it is said and goes on.
    """
    from convrepro import papers, reporting, tables
    from convrepro.records import store, workspace

    records_dir = workspace.records_dir(results_dir)
    run_ids = [cell.run_id for cell in table.cells]
    records, defects = store.read_all(records_dir, run_ids, range(table.num_seeds))
    built = tables.build(table, records, papers.load(table.paper) if table.paper else None)
    reporting.show(built)
    try:
        paths = reporting.write_all(built, results_dir / "tables", records)
        print(f"written: {results_dir / 'tables' / table.name}.{{{','.join(paths)}}}")
    except DiskFull:
        raise
    except OSError as error:
        print(f"convrepro: the table's files could not be written: {one_line(error)}", file=sys.stderr)
    print(f"records: {len(records)} of {len(table.cells) * table.num_seeds} in {records_dir}")
    states = workspace.states(results_dir, table.runs()).values()
    if ended := [f"{list(states).count(state)} {state}" for state in ("failed", "interrupted") if state in states]:
        command = f"convrepro status {table.name}{choices.results_option(results_dir)}"
        print(f"runs without a record: {', '.join(ended)}; `{command}` says why")
    for defect in defects:
        print(f"convrepro: {one_line(ValueError(defect))}", file=sys.stderr)
    return {row.run_id for row in built.rows if row.is_complete}
