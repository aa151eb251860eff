"""Arguments that several commands share, and the plan that they choose."""

import argparse
import dataclasses
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrepro.protocols.grid import PlannedTable
    from convrepro.protocols.schema import Config
    from convrepro.records import Cell, Table
    from convrepro.records.workspace import Run

_MAX_CHARACTERS = 90  # of a list of cells in one line


def add_table(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument("table", metavar="TABLE", nargs="?" if optional else None, help="see `convrepro list tables`")


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", metavar="DIR", default="results", help="records, tables, logs (default: results)")


def add_scaling(parser: argparse.ArgumentParser) -> None:
    add_size_and_machine(parser)
    parser.add_argument(
        "--dataset",
        metavar="[OWN=]NAME",
        action="append",
        default=[],
        help="another data set, such as a pack, in the place of the table's only one, or of its data set OWN",
    )


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
        choices=("serial", "joblib", "ray", "submitit"),
        help="joblib: one run per core, the default where there are several of both; ray, submitit: on a cluster",
    )
    parser.add_argument(
        "--only", metavar="LABEL=VALUE[,VALUE]", action="append", default=[], help="these cells only: model=cnn4"
    )


def cells_of(table: "Table", conditions: Sequence[str]) -> list["Cell"]:
    """The cells whose labels are among those asked for.

    Args:
        table: whose cells.
        conditions: such as ``model=cnn4,resnet20``; ``conv.points=`` for cells without that label. The metric counts as
            a label.

    Raises:
        ValueError: if a label or value is in no cell, or no cell has them all; names the nearest.
    """
    from convrepro import config_files

    labels = [_labels(table, cell) for cell in table.cells]
    asked = []
    for condition in conditions:
        label, _, values = condition.partition("=")
        config_files.check_name(label, {label for own in labels for label in own}, kind="label")
        for value in values.split(","):
            config_files.check_name(value, {known for own in labels for known in own.get(label, [""])}, kind=label)
        asked.append((label, set(values.split(","))))
    num_met = [sum(not values.isdisjoint(own.get(label, [""])) for label, values in asked) for own in labels]
    if max(num_met) == len(asked):
        return [cell for cell, met in zip(table.cells, num_met, strict=True) if met == len(asked)]
    nearest = table.cells[num_met.index(max(num_met))]
    shown = " ".join(f"{label}={value}" for label, value in nearest.labels.items())
    raise ValueError(f"no cell of {table.name} has {' '.join(conditions)}; the nearest is {shown}.")


def check_only(arguments: argparse.Namespace) -> None:
    """Raises ValueError if `--only` names a network or operator that is not in the table; before it is expanded."""
    from convrepro import config_files
    from convrepro.protocols.table_names import unmarked

    blocks = config_files.load("table", unmarked(arguments.table)[0]).get("grid") or []
    for condition in arguments.only:
        label, _, values = condition.partition("=")
        if label in ("model", "conv"):
            known = {str(name) for block in blocks for name in block.get(label, [])}
            for value in values.split(","):
                config_files.check_name(value, known, kind=label)


def cell_of(table: "Table", conditions: Sequence[str]) -> "Cell":
    """The one cell whose labels are those asked for.

    Raises:
        ValueError: as ``cells_of``, or if there are several; lists them.
    """
    cells = cells_of(table, conditions)
    if len(cells) == 1:
        return cells[0]
    varying = _varying(table, cells)
    shown = [" ".join(f"{label}={_text(table, cell, label)}" for label in varying) for cell in cells]
    while len(", ".join(shown)) > _MAX_CHARACTERS:
        shown.pop()
    more = f" and {len(cells) - len(shown)} more" if len(shown) < len(cells) else ""
    raise ValueError(
        f"{len(cells)} cells of {table.name} are {' '.join(conditions)}: {', '.join(shown)}{more}; name one."
    )


def singled_out(table: "Table", cell: "Cell") -> list[str]:
    """The conditions that only this cell of its table meets, of the labels that vary there."""
    conditions: list[str] = []
    for label in _varying(table, table.cells):
        condition = f"{label}={_text(table, cell, label)}"
        if len(cells_of(table, [*conditions, condition])) < len(cells_of(table, conditions)):
            conditions.append(condition)
    return conditions


def _labels(table: "Table", cell: "Cell") -> dict[str, tuple[str, ...]]:
    """The values of each label of a cell; only ``metric`` has several."""
    labels = {label: (value,) for label, value in cell.labels.items()}
    return {**labels, "metric": cell.metrics or (table.metric,)}


def _text(table: "Table", cell: "Cell", label: str) -> str:
    return _labels(table, cell).get(label, ("",))[0]


def _varying(table: "Table", cells: Sequence["Cell"]) -> list[str]:
    """The labels that tell the cells apart."""
    labels = dict.fromkeys(label for cell in cells for label in _labels(table, cell))
    return [label for label in labels if len({_text(table, cell, label) for cell in cells}) > 1]


def configs_of(arguments: argparse.Namespace, runs: Sequence["Run"]) -> list["Config"]:
    """The configs of some runs of the table that the arguments ask for."""
    configs = plan_of(arguments).configs
    return [dataclasses.replace(configs[run_id], seed=seed) for run_id, seed in runs]


def plan_of(arguments: argparse.Namespace, *, with_stand_ins: bool = True) -> "PlannedTable":
    """The table that the arguments ask for, with the config of each of its cells."""
    from convrepro.protocols.grid import plan

    name, asked = _asked(arguments, with_stand_ins=with_stand_ins)
    machine = {**_settings(arguments), "results_dir": _quoted(arguments.results)}
    return plan(name, machine_overrides=[f"machine.{key}={value}" for key, value in machine.items()], **asked)


def table_of(arguments: argparse.Namespace, *, with_stand_ins: bool = True) -> "Table":
    """The same table without configs, which takes milliseconds once it is kept.

    Args:
        arguments: of the command line.
        with_stand_ins: whether a data set that is not here may be replaced by the one that its config names, which
            is said on stderr; otherwise the table is exactly the one that its name and the options tell.
    """
    for own, other in _stand_ins(arguments).items() if with_stand_ins else ():
        print(
            f"convrepro: no files of {own} in {_data_dir(arguments)}, {other} stands in for it; "
            f"`--dataset {own}={own}` asks for it nevertheless",
            file=sys.stderr,
        )
    if arguments.machine:  # no part of a table, but it may be wrong
        return plan_of(arguments, with_stand_ins=with_stand_ins).table
    from convrepro.protocols import kept_tables

    name, asked = _asked(arguments, with_stand_ins=with_stand_ins)
    return kept_tables.table(name, results_dir=results_dir(arguments), **asked)


def _asked(arguments: argparse.Namespace, *, with_stand_ins: bool) -> tuple[str, dict[str, Any]]:
    """A table's file, and how it is asked for, by the marks of its name or by options."""
    from convrepro.protocols.table_names import unmarked

    if not arguments.results:
        raise ValueError("`--results` must name a folder.")
    name, marks = unmarked(arguments.table)
    options = {"scale": arguments.scale, "images": arguments.images, "num_seeds": arguments.seeds}
    asked = marks | {key: value for key, value in options.items() if value is not None}
    own, replaced = _replaced(arguments)
    replaced |= _stand_ins(arguments) if with_stand_ins else {}
    # A table with one data set has one name, however it is said that this one is replaced.
    datasets = {"" if len(own) == 1 else ours: other for ours, other in replaced.items() if ours != other}
    return name, asked | {"datasets": datasets}


def _stand_ins(arguments: argparse.Namespace) -> dict[str, str]:
    """Those of the table's data sets that nothing is said about."""
    from convrepro.cli.replacements import stand_ins

    own, replaced = _replaced(arguments)
    return {} if "" in replaced else stand_ins([name for name in own if name not in replaced], _data_dir(arguments))


def _replaced(arguments: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """The table's data sets, and those of them that the table's name or `--dataset` replaces."""
    from convrepro.cli.replacements import datasets_of, replacements
    from convrepro.protocols.table_names import unmarked

    name, marks = unmarked(arguments.table)
    own = datasets_of(name)
    only = own[0] if len(own) == 1 else ""
    said = {**marks.get("datasets", {}), **replacements(arguments.dataset, own)}
    return own, {ours or only: other for ours, other in said.items()}


def _data_dir(arguments: argparse.Namespace) -> Path:
    """As ``configs/machine`` has it."""
    return Path(_settings(arguments).get("data_dir") or os.environ.get("CONVREPRO_DATA", "data"))


def written_tables(results: Path) -> list[str]:
    """Names of the tables that have files, marks and all; other files in the folder are not ours."""
    from convrepro import config_files
    from convrepro.protocols.table_names import unmarked

    known = config_files.names("table")
    return sorted(path.stem for path in (results / "tables").glob("*.csv") if unmarked(path.stem)[0] in known)


def results_dir(arguments: argparse.Namespace) -> Path:
    return Path(arguments.results)


def results_option(results_dir: Path) -> str:
    """What a command that is suggested must have for this folder; empty for the default one."""
    return "" if results_dir == Path("results") else f" --results {shlex.quote(str(results_dir))}"


def _settings(arguments: argparse.Namespace) -> dict[str, str]:
    """What `--machine` says."""
    pairs = [text.partition("=") for text in arguments.machine]
    if wrong := ["".join(pair) for pair in pairs if not pair[1]]:
        raise ValueError(f"`--machine` takes KEY=VALUE, such as threads=1, got {wrong[0]!r}.")
    return {key: value for key, _, value in pairs}


def _quoted(path: str) -> str:
    """A path as a Hydra override's value, whatever characters it has."""
    path = re.sub(r"(\\*)\$\{", r"\1\1\\${", path)  # no interpolation
    return "'" + re.sub(r"(\\*)('|$)", _escaped, path) + "'"


def _escaped(found: re.Match[str]) -> str:
    """A quote, or the end; backslashes count only before these."""
    return 2 * found[1] + ("\\'" if found[2] else "")


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
