"""``convrepro campaign``: the most wanted cells of several tables, until a deadline; goes on where it stopped."""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro import config_files
from convrepro.cli import choices
from convrepro.cli.progress import duration

if TYPE_CHECKING:
    from convrepro.protocols.campaign import Campaign, Job

SEEDS_TOGETHER = 5  # all of a table's, in one process


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "campaign",
        help="run the most wanted cells of several tables until a deadline",
        description="Works through a list of cells, stops before the deadline, and writes records.zip, which "
        "`convrepro merge` takes in, and the state of unfinished runs: the same command goes on from it with --state.",
    )
    parser.add_argument(
        "--deadline", metavar="SECONDS", type=_seconds, required=True, help="from the start of this command"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="for records.zip and the state")
    parser.add_argument("--state", metavar="DIR", type=Path, help="the --out of the campaign to go on with")
    parser.add_argument("--list", metavar="NAME", default="first_gpu_hours", help="default: first_gpu_hours")
    parser.add_argument("--results", metavar="DIR", help="records, logs (default: a folder that is then removed)")
    choices.add_size_and_machine(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    started = time.monotonic()
    from convrepro.protocols import campaign, campaign_state
    from convrepro.records import workspace

    if arguments.deadline <= campaign.SECONDS_TO_SAVE:
        raise ValueError(
            f"`--deadline` must be more than the {campaign.SECONDS_TO_SAVE:.0f} s that are kept for saving, "
            f"got {arguments.deadline:g}."
        )
    deadline = campaign.Deadline(end=started + arguments.deadline - campaign.SECONDS_TO_SAVE)
    workspace.check_writable(arguments.out)
    with ExitStack() as stack:
        if arguments.results is None:
            arguments.results = stack.enter_context(tempfile.TemporaryDirectory(prefix="convrepro-"))
        results_dir = choices.results_dir(arguments)
        known = campaign_state.restore(arguments.state, results_dir) if arguments.state else set()
        jobs = _jobs(arguments)

        def save() -> int:
            touched = {(job.run_id, seed) for job in jobs for seed in job.touched}
            return campaign_state.save(arguments.out, results_dir, known | touched)

        ongoing = campaign.Campaign(jobs, deadline=deadline, say=_say)
        try:
            ongoing.work(save)
        finally:
            size_bytes, records = save(), arguments.out / campaign_state.RECORDS
            _say(f"written: {records} and the state beside it, {size_bytes:,} bytes in all")
        if records.stat().st_size > campaign_state.MAX_FILE_BYTES:
            _say(f"{records} alone has more than {campaign_state.MAX_FILE_BYTES:,} bytes")
        _print_summary(ongoing, time.monotonic() - started)
    return 1 if any(job.failure for job in jobs) else 0


def _jobs(arguments: argparse.Namespace) -> list["Job"]:
    """The cells of the list, each once, in its order."""
    from convrepro.protocols import campaign

    machine = [f"seeds_per_device={SEEDS_TOGETHER}", *arguments.machine]
    jobs: dict[str, Job] = {}
    for entry in campaign.entries(arguments.list):
        if entry.table not in config_files.names("table"):
            _say(f"{entry.table}: there is no such table yet, it is left out")
            continue
        asked = {**vars(arguments), "table": entry.table, "dataset": entry.dataset, "machine": machine}
        for job in campaign.jobs_of(entry, choices.plan_of(argparse.Namespace(**asked))):
            jobs.setdefault(job.run_id, job)
    return list(jobs.values())


def _print_summary(ongoing: "Campaign", seconds: float) -> None:
    jobs = ongoing.jobs
    num_runs, num_done = sum(len(job.configs) for job in jobs), sum(job.num_done for job in jobs)
    print(
        f"{sum(not job.num_left for job in jobs)} of {len(jobs)} cells and {num_done} of {num_runs} runs are done, "
        f"{sum(job.num_new for job in jobs)} runs of them in these {seconds:.0f} s"
    )
    for job in jobs:
        if job.touched:
            print(f"  {job.title}: {job.num_new} runs in {job.seconds:.0f} s{_still(job)}")
    left = {job.title: ongoing.expected_seconds(job) for job in jobs if job.num_left}
    if left:
        known = [expected for expected in left.values() if expected is not None]
        print(f"left: {len(left)} cells, {_total(known, len(left))}")
    for title, expected in left.items():
        print(f"  {title}: {'about ' if expected is not None else ''}{duration(expected)}")


def _still(job: "Job") -> str:
    if job.failure:
        return f"; failed, {job.failure}"
    return f"; {job.share:.0%} of {job.num_left} more" if job.num_left else ""


def _total(known: list[float], num_left: int) -> str:
    if not known:
        return "how long they take is known after a first run"
    return f"{'about' if len(known) == num_left else 'at least'} {duration(sum(known))}"


def _say(line: str) -> None:
    print(line, flush=True)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, got {text!r}")
    return value
