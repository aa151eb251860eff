"""``convrepro campaign``: the most wanted cells of several tables, until a deadline; goes on where it stopped."""

import argparse
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices
from convrepro.cli.progress import duration

if TYPE_CHECKING:
    from convrepro.protocols.campaign import Campaign, Entry, Job

SEEDS_TOGETHER = 5  # all of a table's, in one process


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "campaign",
        help="run the most wanted cells of several tables until a deadline",
        description="Works through a list of cells, stops before the deadline or at SIGTERM, and writes records.zip, "
        "which `convrepro merge` takes in, and the state of unfinished runs: the same command goes on from it with "
        "--state. Both are also written about every minute. The weights of finished runs do not travel: they stay in "
        "--results.",
    )
    parser.add_argument(
        "--deadline", metavar="SECONDS", type=_seconds, required=True, help="from the start of this command"
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="for records.zip and the state")
    parser.add_argument("--state", metavar="DIR", type=Path, help="the --out of the campaign to go on with")
    parser.add_argument("--list", metavar="NAME", default="first_gpu_hours", help="default: first_gpu_hours")
    parser.add_argument("--results", metavar="DIR", help="records, weights, logs (default: a folder that is removed)")
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
        stack.enter_context(_terminated(deadline.come))
        if arguments.results is None:
            arguments.results = stack.enter_context(tempfile.TemporaryDirectory(prefix="convrepro-"))
        results_dir = choices.results_dir(arguments)
        known = campaign_state.restore(arguments.state, results_dir) if arguments.state else set()
        entries = campaign.entries(arguments.list)
        there = [entry for entry in entries if entry.is_there]
        ongoing = campaign.Campaign(there, _plan(arguments), deadline=deadline, say=_say)
        for entry in entries:
            if entry not in there:
                _say(f"{entry.table}: there is no such table yet, it is left out")

        def save() -> int:
            touched = {(job.run_id, seed) for job in ongoing.jobs for seed in job.touched}
            return campaign_state.save(arguments.out, results_dir, known | touched)

        try:
            ongoing.work(save)
        finally:
            size_bytes, records = save(), arguments.out / campaign_state.RECORDS
            _say(f"written: {records} and the state beside it, {size_bytes:,} bytes in all")
        if records.stat().st_size > campaign_state.MAX_FILE_BYTES:
            _say(f"{records} alone has more than {campaign_state.MAX_FILE_BYTES:,} bytes")
        _print_summary(ongoing, time.monotonic() - started)
    return 1 if any(job.failure for job in ongoing.jobs) else 0


@contextmanager
def _terminated(stop: Callable[[], None]) -> Iterator[None]:
    """Within it, SIGTERM calls ``stop`` instead of ending the process."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _plan(arguments: argparse.Namespace) -> Callable[["Entry"], list["Job"]]:
    from convrepro.protocols import campaign

    machine = [f"seeds_per_device={SEEDS_TOGETHER}", *arguments.machine]

    def plan(entry: "Entry") -> list["Job"]:
        asked = {
            **vars(arguments),
            "table": entry.table,
            "dataset": [entry.dataset] if entry.dataset else [],
            "machine": machine,
        }
        return campaign.jobs_of(entry, choices.plan_of(argparse.Namespace(**asked)))

    return plan


def _print_summary(ongoing: "Campaign", seconds: float) -> None:
    jobs = ongoing.jobs
    num_runs, num_done = sum(len(job.configs) for job in jobs), sum(job.num_done for job in jobs)
    print(
        f"{sum(not job.num_left for job in jobs)} of {len(jobs)} cells and {num_done} of {num_runs} runs are done, "
        f"{sum(job.num_new for job in jobs)} runs of them in these {seconds:.0f} s"
    )
    for job in jobs:
        if job.touched or job.failure:
            print(f"  {job.title}: {job.num_new} runs in {job.seconds:.0f} s{_still(job)}")
    left = {job.title: ongoing.expected_seconds(job) for job in jobs if job.num_left}
    if left:
        known = [expected for expected in left.values() if expected is not None]
        print(f"left: {len(left)} cells, {_total(known, len(left))}")
    for title, expected in left.items():
        print(f"  {title}: {'about ' if expected is not None else ''}{duration(expected)}")
    if ongoing.waiting:
        print(f"and {len(ongoing.waiting)} entries of the list that were not reached")
    for entry in ongoing.waiting:
        print(f"  {entry.title}")


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
