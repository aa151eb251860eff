"""``convrepro run TABLE``: do what is missing, then print and write the table."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices, plan, tables
from convrepro.cli.errors import one_line
from convrepro.records import workspace

if TYPE_CHECKING:
    from convrepro.protocols.attempt import Outcome
    from convrepro.protocols.schema import Config
    from convrepro.records import Record, Table


def add_to(commands: Any) -> None:
    parser = commands.add_parser("run", help="run what a table lacks, then print it and write it to files")
    choices.add_table(parser)
    choices.add_scaling(parser)
    choices.add_results(parser)
    choices.add_running(parser)
    parser.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    parser.add_argument("--retry-failed", action="store_true", help="run again what failed, and nothing else")
    parser.add_argument(
        "--restart", action="store_true", help="begin anew the cells that were begun with another configuration"
    )
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    if arguments.dry_run:
        return plan.command(arguments)
    choices.check_only(arguments)
    table, results_dir = choices.table_of(arguments), choices.results_dir(arguments)
    chosen = [cell.run_id for cell in choices.cells_of(table, arguments.only)]
    wanted = [run for run in table.runs() if run[0] in chosen]
    workspace.clean(results_dir, wanted)
    states = workspace.states(results_dir, wanted)
    open_states = ("failed",) if arguments.retry_failed else workspace.OPEN
    open_runs = [run for run, state in states.items() if state in open_states]
    failures = []
    if arguments.retry_failed and not open_runs:
        print(f"convrepro: no run of {table.name} has failed", file=sys.stderr)
    if open_runs:
        workspace.check_writable(results_dir)  # before the configs, which take seconds
        failures = _run(table, choices.configs_of(arguments, open_runs), arguments)
    complete = tables.show(table, results_dir)
    for failure in failures:
        print(f"convrepro: {one_line(failure)}", file=sys.stderr)
    return 0 if set(chosen) <= complete else 1


def _run(table: "Table", runs: list["Config"], arguments: argparse.Namespace) -> list[str]:
    """Runs what is missing; returns a line for each run that failed."""
    from convrepro.cli.progress import TableProgress
    from convrepro.protocols import begun
    from convrepro.protocols.identity import run_id
    from convrepro.protocols.launch import default_launcher, launch
    from convrepro.protocols.network import check_pretrained
    from convrepro.protocols.schema import TRAINED
    from convrepro.protocols.train import check_backend, device_of, load_data

    check_backend(runs[0], device_of(runs[0].machine.accelerator))
    check_pretrained(runs)  # as below; first, for it takes less time
    for config in {config.dataset.name: config for config in runs if config.protocol.task in TRAINED}.values():
        load_data(config)  # so that missing or defective data are found before anything is trained
    begun.note(table, runs, choices.results_dir(arguments), restart=arguments.restart)
    launcher = arguments.launcher or default_launcher(runs)
    failures = []
    names = {cell.run_id: " ".join(cell.labels.values()) for cell in table.cells}
    metrics = {cell.run_id: cell.metrics or (table.metric,) for cell in table.cells}
    with TableProgress(table.name, _work(runs, launcher)) as progress:

        def advance(config: "Config", share: float) -> None:
            cell, seed = run_id(config), config.seed
            progress.advance((cell, seed), f"{names[cell]} seed {seed}", share)

        for outcome in launch(runs, launcher=launcher, report=advance):
            cell, seed = run_id(outcome.config), outcome.config.seed
            line = f"{names[cell]} seed {seed}: {_result(outcome, metrics[cell], table.selection)}"
            if outcome.is_interrupted:  # the last line says so, of all
                continue
            if outcome.is_elsewhere:
                progress.note(line)
                continue
            progress.end((cell, seed), line)
            failures += [line] if outcome.failure else []
    workspace.clean(choices.results_dir(arguments), [(run_id(config), config.seed) for config in runs])
    return failures


def _work(runs: list["Config"], launcher: str) -> dict[tuple[str, int], float]:
    """Of each run its seconds, where `convrepro plan` has measured all of them, else its multiply-accumulates."""
    from convrepro.protocols.estimate import work_of
    from convrepro.protocols.identity import run_id
    from convrepro.protocols.launch import groups_of, num_processes
    from convrepro.protocols.speeds import Speeds

    speeds = Speeds(groups_of(runs, launcher), num_processes(runs, launcher))
    if speeds.are_known:
        return speeds.by_run()
    work = work_of({run_id(config): config for config in runs})
    return {(run_id(config), config.seed): work[run_id(config)] for config in runs}


def _result(outcome: "Outcome", metrics: Sequence[str], selection: str) -> str:
    """What a run found of the metrics that its table shows of its cell."""
    from convrepro.cli.progress import duration

    record = outcome.record
    if outcome.is_elsewhere:
        return "another process works on it; waiting for it"
    if record is None:
        return f"failed, {outcome.failure}"
    if record.status == "diverged":
        return f"diverged, {record.reason}"
    try:
        shown = ", ".join(_shown(record, metric, selection) for metric in metrics)
    except ValueError as error:  # the table's row says so too
        return str(error)
    return f"{shown} in {duration(record.measured['wall_seconds'])}"


def _shown(record: "Record", metric: str, selection: str) -> str:
    from convrepro.tables.row import LOSS_OF_ACCURACY
    from convrepro.tables.values import rule_of

    if metric == LOSS_OF_ACCURACY:  # which no run has by itself
        metric = "test_accuracy"
    value = record.metric(metric, rule_of(metric, selection))
    if metric.endswith(("_error", "_accuracy")):
        return f"{metric} {value:.2f} %"
    is_large = metric.startswith("num_") or abs(value) >= 1000.0
    return f"{metric} {value:,.0f}" if is_large else f"{metric} {value:.4g}"
