"""``convrepro list``: tables, datasets, models, operators, with one line each."""

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convrepro import config_files
from convrepro.cli import choices

_KINDS = {"tables": "table", "datasets": "dataset", "models": "model", "operators": "conv", "recipes": "recipe",
          "protocols": "protocol"}  # fmt: skip
_KIND_OF = {group: kind for kind, group in _KINDS.items()}  # `conv`, as in conv=dk, means operators
_LABELS = ("dataset", "model", "conv")


def add_to(commands: Any) -> None:
    parser = commands.add_parser("list", help="what there is: tables, datasets, models, operators, ...")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"any of {', '.join(_KINDS)}; all by default")
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    asked = [_KIND_OF.get(kind, kind) for kind in arguments.kinds]
    for kind in asked:
        config_files.check_name(kind, _KINDS, kind="kind")
    for kind in asked or _KINDS:
        if kind == "tables":
            _print_tables(choices.results_dir(arguments))
        else:
            _print_configs(kind)
        print()
    return 0


def _print_configs(kind: str) -> None:
    group = _KINDS[kind]
    names = config_files.names(group)
    width = max(map(len, names), default=0)
    print(f"{kind}  (choose with {group}=NAME)")
    for name in names:
        print(f"  {name:<{width}}  {config_files.load(group, name)['about']}")


def _print_tables(results_dir: Path) -> None:
    """Every table by its paper: how many of its runs have a record, what it shows, what it costs."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from convrepro.reporting.console import terminal

    files = {name: config_files.load("table", name) for name in config_files.names("table")}
    states = _states(files, results_dir)
    by_paper: dict[str, list[str]] = {}
    for name in sorted(files, key=lambda name: (not files[name]["paper"], files[name]["paper"], _in_order(name))):
        by_paper.setdefault(files[name]["paper"] or "in no paper", []).append(name)
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for title in ("  table", "runs", "here", "shows"):
        shown.add_column(title, no_wrap=title != "shows", justify="right" if title == "runs" else "left")
    for paper, names in by_paper.items():
        shown.add_row(Text(paper, style="bold"))
        for name in names:
            shown.add_row(*map(Text, (f"  {name}", *states[name], _about(files[name]))))
        shown.add_section()
    print("tables  (run with make reproduce-table TABLE=NAME)")
    terminal().print(shown)
    if unknown := sum(not state for _, state in states.values()):
        print(f"what is here of {unknown} tables is not known; `convrepro status` finds it, the first time in seconds")


def _about(file: Mapping[str, Any]) -> str:
    source = f" ({file['source']})" if file["source"] else ""
    cost = f". Cost: {file['cost']}" if file.get("cost") else ""
    return f"{file['about']}{source}{cost}"


def _states(files: Mapping[str, Mapping[str, Any]], results_dir: Path) -> dict[str, tuple[str, str]]:
    """Of each table how many of its runs have a record, and a word; the word is empty if its runs are not known yet."""
    from convrepro.protocols import kept_tables
    from convrepro.records import store, workspace

    kept = kept_tables.those_kept(files, results_dir=results_dir)
    there = {path.name for path in workspace.records_dir(results_dir).glob("*.json")}
    states = {}
    for name, file in files.items():
        if name not in kept:
            states[name] = (str(_num_runs(file)), "")
            continue
        runs = kept[name].runs()
        num_there = sum(store.path_of(results_dir, *run).name in there for run in runs)
        word = "complete" if num_there == len(runs) else "partial" if num_there else "none"
        states[name] = (f"{num_there}/{len(runs)}", word)
    return states


def _num_runs(file: Mapping[str, Any]) -> int:
    """Cells of the grid times seeds, without expanding it."""
    cells = (
        math.prod(len(values) for axis, values in block.items() if axis in _LABELS or "." in axis)
        for block in file["grid"]
    )
    return int(file["num_seeds"]) * sum(cells)


def _in_order(name: str) -> list[tuple[int, str]]:
    """So that dk_table10 comes after dk_table9."""
    head = name.rstrip("0123456789")
    return [(0, head), (int(name[len(head) :] or 0), "")]
