"""``convrepro merge SOURCE ...``: records that other machines made, checked and taken in."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices
from convrepro.cli.errors import one_line

if TYPE_CHECKING:
    from convrepro.records.merging import Source

_MOST_LINES = 20


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "merge",
        help="take in the records of other results folders, or of archives, from other machines",
        description="Takes records, and nothing else, from results folders and from zip files, such as records.zip of "
        "a GPU campaign: all that are not there yet, or none if one of them is no whole record, does not fit its "
        "configuration, or differs from another one of the same run.",
    )
    parser.add_argument("sources", metavar="SOURCE", type=Path, nargs="+", help="a results folder or an archive")
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro.records import merging, workspace

    records_dir = workspace.records_dir(choices.results_dir(arguments))
    sources = [_source(path) for path in arguments.sources]
    for source in sources:
        if names := source.passed_over:
            listed = ", ".join(map(ascii, names[:3])) + (", ..." if len(names) > 3 else "")
            _say(f"{source.path}: passed over {len(names)} that are not named as records: {listed}")
    try:
        merged = merging.merge(sources, records_dir)
    except merging.Refused as error:
        for reason in error.reasons[:_MOST_LINES]:
            _say(reason)
        if (more := len(error.reasons) - _MOST_LINES) > 0:
            _say(f"{more} more like these; nothing was merged")
        return 2
    for source, its in zip(sources, merged, strict=True):
        print(f"{source.path}: {sum(its.new.values())} new, {its.num_known} known")
        for names, count in sorted(its.new.items()):
            print(f"  {' '.join(names)}: {count} new")
    num_new, num_known = sum(sum(its.new.values()) for its in merged), sum(its.num_known for its in merged)
    print(f"{num_new} new records in {records_dir}, {num_known} were there already")
    if num_new:
        print("`convrepro status` shows how far each table is, `convrepro tables TABLE` prints one")
    return 0


def _source(path: Path) -> "Source":
    from convrepro.protocols.identity import run_id_of
    from convrepro.records import archive, merging

    return (merging.of_results if path.is_dir() else archive.source)(path, run_id_of=run_id_of)


def _say(text: str) -> None:
    print(f"convrepro: {one_line(ValueError(text))}", file=sys.stderr)
