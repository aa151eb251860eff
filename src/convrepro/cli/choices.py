"""Arguments that several commands share, and the plan that they choose."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrepro.protocols.grid import PlannedTable
    from convrepro.protocols.schema import Config
    from convrepro.records import Cell, Table
    from convrepro.records.workspace import Run


def add_table(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument("table", metavar="TABLE", nargs="?" if optional else None, help="see `convrepro list tables`")


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", metavar="DIR", default="results", help="records, tables, logs (default: results)")


def add_scaling(parser: argparse.ArgumentParser) -> None:
    add_size_and_machine(parser)
    parser.add_argument("--dataset", metavar="NAME", help="run the table on another data set, such as a pack")


def add_size_and_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", metavar="S", type=_fraction, help="fraction of the epochs, in (0, 1]")
    parser.add_argument("--images", metavar="F", type=_fraction, help="fraction of the training images")
    parser.add_argument("--seeds", metavar="N", type=_count, help="number of seeds (default: the table's)")
    parser.add_argument(
        "--machine", metavar="KEY=VALUE", action="append", default=[], help="where to run: threads=1, data_dir=/data"
    )


def add_running(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--launcher",
        choices=("serial", "joblib"),
        help="joblib: one run per core; the default where there are several of both",
    )
    parser.add_argument(
        "--only", metavar="LABEL=VALUE[,VALUE]", action="append", default=[], help="these cells only: model=cnn4"
    )


def cells_of(table: "Table", only: Sequence[str]) -> list["Cell"]:
    """The cells whose labels are among those asked for."""
    from convrepro import config_files

    cells = list(table.cells)
    for condition in only:
        label, _, values = condition.partition("=")
        config_files.check_name(label, table.cells[0].labels, kind="label")
        for value in values.split(","):
            config_files.check_name(value, {cell.labels[label] for cell in table.cells}, kind=label)
        cells = [cell for cell in cells if cell.labels[label] in values.split(",")]
        if not cells:
            raise ValueError(f"no cell of {table.name} is left by --only {' --only '.join(only)}.")
    return cells


def configs_of(arguments: argparse.Namespace, runs: Sequence["Run"]) -> list["Config"]:
    """The configs of some runs of the table that the arguments ask for."""
    configs = plan_of(arguments).configs
    return [dataclasses.replace(configs[run_id], seed=seed) for run_id, seed in runs]


def plan_of(arguments: argparse.Namespace) -> "PlannedTable":
    """The table that the arguments ask for, with the config of each of its cells."""
    from convrepro.protocols.grid import plan

    name, asked = _asked(arguments)
    machine = {**dict(_setting(text) for text in arguments.machine), "results_dir": _quoted(arguments.results)}
    return plan(name, machine_overrides=[f"machine.{key}={value}" for key, value in machine.items()], **asked)


def table_of(arguments: argparse.Namespace) -> "Table":
    """The same table without configs, which takes milliseconds once it is kept."""
    if arguments.machine:  # no part of a table, but it may be wrong
        return plan_of(arguments).table
    from convrepro.protocols import kept_tables

    name, asked = _asked(arguments)
    return kept_tables.table(name, results_dir=results_dir(arguments), **asked)


def _asked(arguments: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """A table's file, and how it is asked for, by the marks of its name or by options."""
    from convrepro.protocols.table_names import unmarked

    if not arguments.results:
        raise ValueError("`--results` must name a folder.")
    name, marks = unmarked(arguments.table)
    options = {
        "scale": arguments.scale,
        "images": arguments.images,
        "num_seeds": arguments.seeds,
        "dataset": arguments.dataset,
    }
    return name, marks | {key: value for key, value in options.items() if value is not None}


def written_tables(results: Path) -> list[str]:
    """Names of the tables that have files, marks and all; other files in the folder are not ours."""
    from convrepro import config_files
    from convrepro.protocols.table_names import unmarked

    known = config_files.names("table")
    return sorted(path.stem for path in (results / "tables").glob("*.csv") if unmarked(path.stem)[0] in known)


def results_dir(arguments: argparse.Namespace) -> Path:
    return Path(arguments.results)


def _setting(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise ValueError(f"`--machine` takes KEY=VALUE, such as threads=1, got {text!r}.")
    return key, value


def _quoted(path: str) -> str:
    """A path as a Hydra override's value, whatever characters it has."""
    return "'" + path.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"must lie in (0, 1], got {text!r}")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 on, got {text!r}")
    return int(text)
