"""Arguments that several commands share, and the plan that they choose."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convrepro.protocols.grid import PlannedTable


def add_table(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument("table", metavar="TABLE", nargs="?" if optional else None, help="see `convrepro list tables`")


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", metavar="DIR", default="results", help="records, tables, logs (default: results)")


def add_scaling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", metavar="S", type=_fraction, help="fraction of the epochs, in (0, 1]")
    parser.add_argument("--images", metavar="F", type=_fraction, help="fraction of the training images")
    parser.add_argument("--seeds", metavar="N", type=_count, help="number of seeds (default: the table's)")
    parser.add_argument("--dataset", metavar="NAME", help="run the table on another data set, such as a pack")
    parser.add_argument(
        "--machine", metavar="KEY=VALUE", action="append", default=[], help="where to run: threads=1, data_dir=/data"
    )


def plan_of(arguments: argparse.Namespace) -> "PlannedTable":
    from convrepro.protocols.grid import plan, unmarked

    if not arguments.results:
        raise ValueError("`--results` must name a folder.")
    config_name, marks = unmarked(arguments.table)
    chosen = {
        "scale": arguments.scale,
        "images": arguments.images,
        "num_seeds": arguments.seeds,
        "dataset": arguments.dataset,
    }
    machine = {**dict(_setting(text) for text in arguments.machine), "results_dir": _quoted(arguments.results)}
    return plan(
        config_name,
        machine_overrides=[f"machine.{key}={value}" for key, value in machine.items()],
        **(marks | {key: value for key, value in chosen.items() if value is not None}),
    )


def written_tables(results: Path) -> list[str]:
    """Names of the tables that have files, marks and all; other files in the folder are not ours."""
    from convrepro import config_files
    from convrepro.protocols.grid import unmarked

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
