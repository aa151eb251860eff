"""``convrepro plan TABLE``: every run of a table with its state and expected time."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices
from convrepro.cli.progress import TableProgress, duration
from convrepro.records import workspace

if TYPE_CHECKING:
    from convrepro.protocols.calibration import Speed
    from convrepro.protocols.schema import Config
    from convrepro.protocols.speeds import Speeds
    from convrepro.records.workspace import Run


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "plan",
        help="every run of a table: id, state, expected time; runs nothing",
        description="Times a few training steps of each cell on noise, once; what was measured is kept in the cache.",
    )
    choices.add_table(parser)
    choices.add_scaling(parser)
    choices.add_results(parser)
    choices.add_running(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    """Prints the plan; also of ``convrepro run --dry-run``."""
    choices.check_only(arguments)
    table, results_dir = choices.table_of(arguments), choices.results_dir(arguments)
    names = {cell.run_id: " ".join(cell.labels.values()) for cell in choices.cells_of(table, arguments.only)}
    states = workspace.states(results_dir, [run for run in table.runs() if run[0] in names])
    waiting = [run for run, state in states.items() if state in workspace.OPEN]
    seconds, total = _expected(arguments, waiting, names) if waiting else ({}, "")
    print(f"{table.name}: {table.title}")
    width = max(map(len, names.values()))
    for (run_id, seed), state in states.items():
        expected = duration(seconds[run_id, seed]) if (run_id, seed) in seconds else ""
        print(f"  {run_id}  {names[run_id]:<{width}}  seed {seed}  {state:<11}  {expected:>8}".rstrip())
    print(f"{len(waiting)} runs to do{total}")
    return 0


def _expected(
    arguments: argparse.Namespace, waiting: Sequence["Run"], names: Mapping[str, str]
) -> tuple[dict["Run", float], str]:
    """Seconds of each run, and a word on all of them."""
    from convrepro.protocols.calibration import remove_stale_folders
    from convrepro.protocols.estimate import total_seconds
    from convrepro.protocols.launch import default_launcher, groups_of, num_processes
    from convrepro.protocols.speeds import Speeds

    configs = choices.configs_of(arguments, waiting)
    launcher = arguments.launcher or default_launcher(configs)
    groups, at_once = groups_of(configs, launcher), num_processes(configs, launcher)
    speeds = Speeds(groups, at_once)
    remove_stale_folders(choices.results_dir(arguments))
    _calibrate(speeds, names)
    total = speeds.seconds_to_start() + total_seconds(speeds.by_group(), at_once)
    manner = "one after the other" if at_once == 1 else f"side by side on {at_once} cores"
    return speeds.by_run(), f", about {duration(total)} {manner}"


def _calibrate(speeds: "Speeds", names: Mapping[str, str]) -> None:
    """Measures the speeds that are not known yet, which takes a few seconds each."""
    from convrepro.protocols.identity import run_id

    if speeds.are_known:
        return
    work = {(run_id(group[0]), group[0].seed): 1.0 for group in speeds.unknown()}
    print(
        f"convrepro: the times of {len(work)} networks are measured, a few seconds each; what is measured is kept",
        file=sys.stderr,
        flush=True,
    )
    with TableProgress("calibration", work, noun="networks") as progress:

        def tell(group: Sequence["Config"], speed: "Speed") -> None:
            cell = run_id(group[0])
            progress.end((cell, group[0].seed), f"{names[cell]}: {1000 * speed.step:.3g} ms per step")

        speeds.measure(tell)
