"""``convrepro benchmark-operators``: what each operator's step costs against the plain convolution's."""

import argparse
import csv
import io
from pathlib import Path
from typing import Any

_COLUMNS = {  # of the CSV file -> on the screen
    "operator": "operator",
    "what": "what",
    "kernel_size": "kernel",
    "channels": "channels",
    "image_side": "side",
    "our_milliseconds": "ours, ms",
    "plain_milliseconds": "plain, ms",
    "ratio": "ratio",
    "low_quartile": "low",
    "high_quartile": "high quartile",
    "goal": "goal",
    "verdict": "",
}
_WIDTH = 140  # characters: a narrower terminal wraps by itself


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "benchmark-operators",
        help="time every operator against the plain convolution with the same output",
        description="Ratios within one process, both sides in every round. A training step is a forward and a backward "
        "pass, to the parameters and the input. A goal is missed where even the lower quartile lies above it; the exit "
        "code is then 1.",
    )
    parser.add_argument("--rounds", type=int, default=20, help="paired measurements of each ratio (default: 20)")
    parser.add_argument("--batch-size", type=int, default=128, help="images of a batch (default: 128)")
    parser.add_argument("--threads", type=int, help="threads that torch may use (default: one per core)")
    parser.add_argument("--only", action="append", metavar="OPERATOR", help="name in configs/conv; may be repeated")
    parser.add_argument("--output", type=Path, help="CSV file to write the ratios to as well")
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro import config_files

    for option, least in (("rounds", 2), ("batch_size", 1), ("threads", 1)):
        value = getattr(arguments, option)
        if value is not None and value < least:
            raise ValueError(f"`--{option.replace('_', '-')}` must be at least {least}, got {value}.")
    for name in arguments.only or []:
        config_files.check_name(name, config_files.names("conv"), kind="conv")
    from convrepro.benchmarks.operators import NOT_TIMED

    for name in arguments.only or []:
        if name in NOT_TIMED:
            raise ValueError(
                f"`--only {name}` times nothing: standard is what the others are timed against, dk_first is dk."
            )
    if arguments.output is not None and (arguments.output.is_dir() or not arguments.output.parent.is_dir()):
        raise ValueError(f"`--output` must be a file in a folder that exists, got {arguments.output}.")
    return _measure_and_show(arguments)


def _measure_and_show(arguments: argparse.Namespace) -> int:
    import torch
    from rich import box
    from rich.console import Console
    from rich.progress import track
    from rich.table import Table

    from convrepro import durable
    from convrepro.benchmarks import comparisons
    from convrepro.training import keep_freed_memory

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as in training
    chosen = [
        comparison
        for comparison in comparisons(batch_size=arguments.batch_size)
        if not arguments.only or comparison.conv in arguments.only
    ]
    rows, words = [], []
    for comparison in track(chosen, description="operators", console=Console(stderr=True), transient=True):
        ratio = comparison.measure(arguments.rounds)
        words.append(comparison.word(ratio))
        rows.append(
            (
                comparison.conv,
                comparison.what,
                f"{comparison.kernel_size}",
                f"{comparison.channels}",
                f"{comparison.side}",
                f"{1e3 * ratio.our_seconds:.2f}",
                f"{1e3 * ratio.their_seconds:.2f}",
                f"{ratio.spread.median:.3f}",
                f"{ratio.spread.low:.3f}",
                f"{ratio.spread.high:.3f}",
                "" if comparison.goal is None else f"{comparison.goal:.2f}",
                words[-1],
            )
        )
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column, title in _COLUMNS.items():
        is_text = column in ("operator", "what", "verdict")
        shown.add_column(title, justify="left" if is_text else "right", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    console = Console(width=_WIDTH)
    console.print(shown)
    print(
        f"Medians of {arguments.rounds} paired rounds; batches of {arguments.batch_size}, threads: "
        f"{torch.get_num_threads()}, channels-last, float32. Plain: the convolution with the same output."
    )
    print(f"goals met: {words.count('met')} of {len(words) - words.count('')}")
    if arguments.output is not None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
        durable.write(arguments.output, text.getvalue())
    return 1 if "MISSED" in words else 0
