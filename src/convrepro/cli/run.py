"""``convrepro run TABLE``: do what is missing, then print and write the table."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro import config_files
from convrepro.cli import choices, plan, tables
from convrepro.records import workspace

if TYPE_CHECKING:
    from convrepro.protocols.grid import PlannedTable
    from convrepro.protocols.launch import Outcome
    from convrepro.protocols.schema import Config
    from convrepro.records import Cell


def add_to(commands: Any) -> None:
    parser = commands.add_parser("run", help="run what a table lacks, then print it and write it to files")
    choices.add_table(parser)
    choices.add_scaling(parser)
    choices.add_results(parser)
    parser.add_argument(
        "--launcher",
        choices=("serial", "joblib"),
        help="joblib: one run per core; the default where there are several of both",
    )
    parser.add_argument(
        "--only", metavar="LABEL=VALUE[,VALUE]", action="append", default=[], help="run these cells only: model=cnn4"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    planned = choices.plan_of(arguments)
    results_dir = choices.results_dir(arguments)
    if arguments.dry_run:
        plan.print_plan(planned, results_dir)
        return 0
    chosen = _chosen(planned, arguments.only)
    runs = _missing(planned, results_dir, chosen)
    failures = _run(planned, runs, results_dir, arguments.launcher) if runs else []
    complete = tables.show(planned.table, results_dir)
    for failure in failures:
        print(f"convrepro: {failure}", file=sys.stderr)
    return 0 if {cell.run_id for cell in chosen} <= complete else 1


def _chosen(planned: "PlannedTable", only: list[str]) -> list["Cell"]:
    """The cells whose labels are among those asked for."""
    cells = list(planned.table.cells)
    for condition in only:
        label, _, values = condition.partition("=")
        config_files.check_name(label, cells[0].labels, kind="label")
        for value in values.split(","):
            config_files.check_name(value, {cell.labels[label] for cell in planned.table.cells}, kind=label)
        cells = [cell for cell in cells if cell.labels[label] in values.split(",")]
        if not cells:
            raise ValueError(f"no cell of {planned.table.name} is left by --only {' --only '.join(only)}.")
    return cells


def _missing(planned: "PlannedTable", results_dir: Path, cells: list["Cell"]) -> list["Config"]:
    return [
        dataclasses.replace(planned.configs[cell.run_id], seed=seed)
        for cell in cells
        for seed in range(planned.table.num_seeds)
        if workspace.state(results_dir, cell.run_id, seed) not in ("done", "diverged", "unreadable")
    ]


def _run(planned: "PlannedTable", runs: list["Config"], results_dir: Path, launcher: str | None) -> list[str]:
    """Runs what is missing; returns a line for each run that failed."""
    from convrepro.cli.progress import TableProgress
    from convrepro.protocols.estimate import work_of
    from convrepro.protocols.identity import run_id
    from convrepro.protocols.launch import default_launcher, launch
    from convrepro.protocols.train import load_data

    for config in {config.dataset.name: config for config in runs if config.protocol.task != "count"}.values():
        load_data(config)  # so that missing or defective data are found before anything is trained
    workspace.check_writable(results_dir)
    work = work_of({run_id(config): config for config in runs})
    failures, num_elsewhere = [], 0
    names = {cell.run_id: " ".join(cell.labels.values()) for cell in planned.table.cells}
    keys = {id(config): (run_id(config), config.seed) for config in runs}
    with TableProgress(planned.table.name, {key: work[key[0]] for key in keys.values()}) as progress:

        def advance(config: "Config", share: float) -> None:
            cell, seed = keys[id(config)]
            progress.advance((cell, seed), f"{names[cell]} seed {seed}", share)

        for outcome in launch(runs, launcher=launcher or default_launcher(runs), report=advance):
            cell, seed = run_id(outcome.config), outcome.config.seed
            line = f"{names[cell]} seed {seed}: {_result(planned, outcome)}"
            progress.end((cell, seed), line)
            failures += [line] if outcome.failure else []
            num_elsewhere += outcome.is_elsewhere
    if num_elsewhere:
        failures.append(f"{num_elsewhere} runs are left to another process; this command shows them when they are done")
    return failures


def _result(planned: "PlannedTable", outcome: "Outcome") -> str:
    from convrepro.cli.progress import duration

    record = outcome.record
    if outcome.is_elsewhere:
        return "another process works on it"
    if record is None:
        return f"failed, {outcome.failure}"
    if record.status == "diverged":
        return f"diverged, {record.reason}"
    metric = planned.table.metric
    try:
        value = record.metric(metric, planned.table.selection)
    except ValueError as error:  # the table's row says so too
        return str(error)
    if metric.endswith(("_error", "_accuracy")):
        shown = f"{value:.2f} %"
    else:
        shown = f"{value:,.0f}" if metric.startswith("num_") else f"{value:.4g}"
    return f"{metric} {shown} in {duration(record.measured['wall_seconds'])}"
