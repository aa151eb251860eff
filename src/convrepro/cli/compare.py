"""``convrepro compare CSV``: anybody's numbers beside those that the papers print."""

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "compare",
        help="compare a CSV file with the numbers that the papers print",
        description=(
            "The file has the columns table, dataset, model, conv, metric, and either value (one line per run, "
            "perhaps with seed) or mean, std, n (one line per cell); percentages in percent. The files in "
            "results/tables are such files."
        ),
    )
    parser.add_argument("csv", metavar="CSV", type=Path)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro import reporting

    reporting.show(reporting.compare(arguments.csv))
    return 0
