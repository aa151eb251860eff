"""``convrepro benchmark``: speed and memory of the whole, each with its goal."""

import argparse
from pathlib import Path
from typing import Any

_WIDTH = 160  # characters: a narrower terminal wraps by itself
_OUTPUT = Path("results/benchmarks")


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "benchmark",
        help="measure epochs, cells, operators, start-up, memory and growth against their goals",
        description="Both sides of every comparison in every round. A goal is missed where even the better quartile "
        "misses it; the exit code is then 1. Takes a quarter of an hour on two cores.",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="SECTION",
        default=[],
        help="epochs, cell, operators, layout, start_up, memory, growth or gpu; may be repeated",
    )
    parser.add_argument("--rounds", type=int, help="of every comparison (default: each section's own number)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to try whether everything works")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help=f"of the files (default: {_OUTPUT}; none if --quick)"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="of the data sets (default: that of runs)")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    if arguments.rounds is not None and arguments.rounds < 2:
        raise ValueError(f"`--rounds` must be at least 2, got {arguments.rounds}.")
    output = arguments.output or (None if arguments.quick else _OUTPUT)
    if output is not None and output.exists() and not output.is_dir():
        raise ValueError(f"`--output` must be a folder, got {output}.")

    from convrepro import benchmarks, config_files

    for name in arguments.only:
        config_files.check_name(name, [section.name for section in benchmarks.SECTIONS], kind="section")
    return _measure(arguments, output)


def _measure(arguments: argparse.Namespace, output: Path | None) -> int:
    import torch

    from convrepro import benchmarks
    from convrepro.benchmarks import report, row
    from convrepro.cli.progress import TableProgress
    from convrepro.protocols.composer import compose

    chosen = [section for section in benchmarks.SECTIONS if section.name in arguments.only or not arguments.only]
    possible = [section for section in chosen if section.is_possible()]
    if not possible:
        raise ValueError(f"this machine lacks what {', '.join(arguments.only)} needs.")
    work = {(section.name, 0): section.seconds for section in possible}
    measured = []
    with (
        benchmarks.prepared(
            quick=arguments.quick,
            rounds=arguments.rounds,
            threads=torch.get_num_threads(),
            data_dir=arguments.data or Path(compose([]).machine.data_dir),
        ) as settings,
        TableProgress("benchmark", work, noun="sections") as progress,
    ):
        for section in possible:
            key, title = (section.name, 0), section.title.lower()
            rows = section.rows(
                settings,
                lambda fraction, key=key, title=title: progress.advance(key, title, fraction),  # type: ignore[misc]
            )
            measured.append(report.contents(section, rows, settings))
            if output is not None:
                report.write(output, measured[-1])
            progress.end(key, title)
    _show(measured)
    if output is not None:
        print(f"\nwritten: {output / report.TABLE}")
    return 1 if any(found["verdict"] == row.MISSED for section in measured for found in section["rows"]) else 0


def _show(measured: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from convrepro.benchmarks import report

    console = Console(width=_WIDTH)
    for section in measured:
        shown = Table(title=section["title"], title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("", "median", "quartiles", "goal", "", ""):
            shown.add_column(column, justify="right" if column == "median" else "left")
        for found in section["rows"]:
            amounts = (report.amount(found), report.quartiles(found), report.goal(found))
            shown.add_row(
                found["what"], *(text.replace("[", "\\[") for text in amounts), found["verdict"], found["detail"]
            )
        console.print(shown)
    print(report.goals(measured), end="")
