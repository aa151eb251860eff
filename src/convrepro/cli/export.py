"""``convrepro export RUN``: a trained network as a file that runs without this project."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convrepro.cli import choices

if TYPE_CHECKING:
    from convrepro.records import Record

_FORMATS = ("onnx", "pt2")
_SELECTIONS = ("best_on_validation", "last")  # whose weights are kept; the first that a run has is the default


def add_to(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a run's network, folded, as ONNX or torch.export's pt2",
        description="The network takes normalised images (B, C, H, W) and gives logits; operators are folded into "
        "ordinary layers. `convrepro plan TABLE` shows the ids of runs.",
    )
    parser.add_argument("run", metavar="RUN", help="id of the run, or its beginning; with -seedN where it has several")
    parser.add_argument("--format", choices=_FORMATS, default=_FORMATS[0], help=f"default: {_FORMATS[0]}")
    parser.add_argument(
        "--selection", choices=_SELECTIONS, help="which epoch's weights; default: best_on_validation if there is one"
    )
    parser.add_argument("--output", metavar="FILE", type=Path, help="default: in the run's folder, named by selection")
    parser.add_argument(
        "--plugin",
        metavar="PACKAGE",
        action="append",
        default=[],
        help="your own package that the run's operator is from",
    )
    choices.add_results(parser)
    parser.set_defaults(command=command)


def command(arguments: argparse.Namespace) -> int:
    from convrepro.records import store, workspace

    results_dir = choices.results_dir(arguments)
    record = store.find(workspace.records_dir(results_dir), arguments.run)
    selection = arguments.selection or next((rule for rule in _SELECTIONS if rule in record.selected), "last")
    folder = workspace.run_dir(results_dir, record.run_id, record.seed)
    path = arguments.output or folder / "export" / f"{selection}.{arguments.format}"
    if path.suffix != f".{arguments.format}" or path.is_dir():
        raise ValueError(f"`--output` must be a file that ends in .{arguments.format}, got {path}.")

    from convrepro.protocols.export import NoWeights, check_packages, export, read_weights

    check_packages(arguments.format)
    try:
        weights = read_weights(results_dir, record, selection, arguments.plugin)
    except NoWeights as error:  # on one line, but uncut: it has the command that makes them
        print(f"convrepro: {error}", file=sys.stderr)
        return 2
    exported = export(
        record, weights, path, selection=selection, file_format=arguments.format, plugins=arguments.plugin
    )
    print(f"{_label(record)}, weights of epoch {record.selected[selection]['epoch']:.0f} ({selection})")
    for what, (trained, folded) in (
        ("parameters", exported.num_parameters),
        ("multiply-accumulates", exported.num_macs),
    ):
        print(f"{what}: {trained:,} as trained, {folded:,} folded")
    print(
        f"largest difference to the network as trained: {exported.largest_difference:.1e}, "
        f"of logits up to {exported.largest_logit:.1f} (random images)"
    )
    if exported.left_as_they_are:
        print(f"weights depend on the image, so not folded: {', '.join(exported.left_as_they_are)}")
    print(f"input: images {exported.input_size}, float32, in [0, 1], then normalised by the mean and std in the file")
    print(f"output: logits {exported.output_size}")
    print(f"written: {exported.path} ({exported.path.stat().st_size:,} bytes)")
    return 0


def _label(record: "Record") -> str:
    names = " ".join(record.names[group] for group in ("dataset", "model", "conv"))
    return f"{names} seed {record.seed} (run {record.run_id})"
