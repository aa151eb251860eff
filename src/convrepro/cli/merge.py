"""``convrepro merge ARCHIVE``: records that another machine made, checked and taken in."""

import argparse
from pathlib import Path
from typing import Any

from convrepro.cli import choices


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "merge",
        help="take in the records of an archive from another machine",
        description="Takes records, and nothing else, from a zip file, such as records.zip of a GPU campaign: all that "
        "are not there yet, or none if one of them is no whole record, does not fit its configuration, or differs from "
        "one that is there.",
    )
    parser.add_argument("archive", metavar="ARCHIVE", type=Path)
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro.protocols.identity import run_id_of
    from convrepro.records import archive, workspace

    records_dir = workspace.records_dir(choices.results_dir(arguments))
    merged = archive.merge(arguments.archive, records_dir, run_id_of=run_id_of)
    for names, count in sorted(merged.new.items()):
        print(f"  {' '.join(names)}: {count} new")
    print(f"{sum(merged.new.values())} new records in {records_dir}, {merged.num_known} were there already")
    if merged.new:
        print("`convrepro status` shows how far each table is, `convrepro tables TABLE` prints one")
    return 0
