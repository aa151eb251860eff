"""A run's network, folded, as a file that runs without this project: ONNX, or what ``torch.export`` saves."""

import importlib.util
import io
import json
import shlex
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from convrepro import durable
from convrepro.conv import fold
from convrepro.models import num_macs, num_parameters
from convrepro.protocols.network import build_network
from convrepro.protocols.recompose import config_of, overrides_of
from convrepro.protocols.schema import Config
from convrepro.records import Record, workspace
from convrepro.training import checkpoints

# Shapes: B batch, C channels, H W image, K classes.

_PACKAGES = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "pt2": ()}
_TOLERANCE = 1e-4  # of the largest logit

Logits = Callable[[torch.Tensor], torch.Tensor]


class NoWeights(ValueError):
    """The weights of a run are not on this machine."""


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A written file, and the network in it beside the one that was trained."""

    path: Path
    num_parameters: tuple[int, int]  # of the network as it was trained, and folded
    num_macs: tuple[int, int]
    largest_difference: float  # between the logits of the file and of the network as trained, on random images
    largest_logit: float  # of the network as trained, on the same images
    input_size: str  # (B, C, H, W) in numbers
    output_size: str
    left_as_they_are: tuple[str, ...]  # classes of operators that no convolution computes


def read_weights(
    results_dir: Path, record: Record, selection: str, plugins: Sequence[str] = ()
) -> dict[str, torch.Tensor]:
    """The weights that a run kept.

    Raises:
        NoWeights: if they are not here; says how to have them.
        ValueError: if the run kept none by this rule, or if the file is not what the run wrote.
    """
    name = f"{record.run_id}-seed{record.seed}"
    if record.status == "diverged":
        raise ValueError(f"run {name} diverged, {record.reason}: none of its weights count.")
    if not record.epochs:
        raise ValueError(f"run {name} is a count: it trained nothing.")
    if selection not in record.selected:
        raise ValueError(f"run {name} chose no epoch by {selection!r}; use 'last'.")
    folder = workspace.weights_dir(workspace.run_dir(results_dir, record.run_id, record.seed))
    chosen = record.selected[selection]["epoch"]
    try:
        content = checkpoints.load(folder / f"{selection}.pt")
    except FileNotFoundError:
        train = shlex.join(["convrepro", "train", *overrides_of(record, plugins), "machine.results_dir=again"])
        raise NoWeights(
            f"{folder} has no weights by {selection!r}: records travel by git, weights do not; train it again by "
            f"`{train}` and export it with `--results again`."
        ) from None
    if content["epoch"] != chosen:
        raise ValueError(f"{folder} has the weights of epoch {content['epoch']}, the record chose epoch {chosen:.0f}.")
    weights: dict[str, torch.Tensor] = content["weights"]
    return weights


def export(
    record: Record,
    weights: Mapping[str, torch.Tensor],
    path: Path,
    *,
    selection: str,
    file_format: str,
    plugins: Sequence[str] = (),
) -> Exported:
    """Writes a run's network, folded, to a file that is whole and was read back, or not there.

    Its input "images" takes any number of normalised float32 images (B, C, H, W), its output "logits" has (B, K). The
    run, its selection rule and how to normalise images are in the file's metadata.

    Args:
        record: of the run.
        weights: that the run kept.
        path: of the file.
        selection: rule that chose the weights.
        file_format: ``onnx`` or ``pt2``.
        plugins: names of packages outside this one from which the operator may come.

    Raises:
        ValueError: if a package is missing, the network cannot be built again, the weights are not its own, or the
            file computes something else than the network as it was trained.
        OSError: if the file cannot be written.
    """
    check_packages(file_format)
    config = config_of(record, plugins)
    network = build_network(config).eval()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"the weights are not those of run {record.run_id}: {error}") from error
    folded = fold(network)
    content, logits_of = _WRITERS[file_format](folded, _random_images(config, 2), _metadata(record, config, selection))
    batches = [_random_images(config, num_images) for num_images in (1, 5)]
    with torch.no_grad():
        found_BK, expected_BK = (torch.cat([one(x_BCHW) for x_BCHW in batches]) for one in (logits_of, network))
    difference, largest = (found_BK - expected_BK).abs().max().item(), expected_BK.abs().max().item()
    if not difference <= _TOLERANCE * max(largest, 1.0):
        raise ValueError(f"the exported network's logits differ by {difference:.1e} from those of up to {largest:.1e}.")
    durable.write(path, content)
    size_CHW = (config.dataset.in_channels, *config.dataset.image_size)
    return Exported(
        path=path,
        num_parameters=(num_parameters(network), num_parameters(folded)),
        num_macs=(num_macs(network, size_CHW), num_macs(folded, size_CHW)),
        largest_difference=difference,
        largest_logit=largest,
        input_size=f"(B, {', '.join(map(str, size_CHW))})",
        output_size=f"(B, {config.dataset.num_classes})",
        left_as_they_are=tuple(
            sorted({type(layer).__name__ for layer in folded.modules() if hasattr(layer, "to_conv2d")})
        ),
    )


def check_packages(file_format: str) -> None:
    """Raises ValueError unless there is such a format, and what it needs is installed."""
    if file_format not in _PACKAGES:
        raise ValueError(f"`file_format` must be one of {', '.join(_PACKAGES)}, got {file_format!r}.")
    missing = [package for package in _PACKAGES[file_format] if importlib.util.find_spec(package) is None]
    if missing:
        raise ValueError(f"the format {file_format} needs {', '.join(missing)}: `pip install 'convrepro[export]'`.")


def _metadata(record: Record, config: Config, selection: str) -> dict[str, str]:
    return {
        "run_id": record.run_id,
        "seed": str(record.seed),
        "selection": selection,
        "num_classes": str(config.dataset.num_classes),
        "mean": json.dumps(config.dataset.mean),  # of the channels, for grey levels in [0, 1]
        "std": json.dumps(config.dataset.std),
    }


def _random_images(config: Config, num_images: int) -> torch.Tensor:
    size_BCHW = (num_images, config.dataset.in_channels, *config.dataset.image_size)
    return torch.randn(size_BCHW, generator=torch.Generator().manual_seed(num_images))


def _traced(network: nn.Module, x_BCHW: torch.Tensor) -> ExportedProgram:
    program = torch.export.export(network, (x_BCHW,), dynamic_shapes=({0: Dim("batch")},))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return program


def _onnx(network: nn.Module, x_BCHW: torch.Tensor, metadata: Mapping[str, str]) -> tuple[bytes, Logits]:
    """The file's bytes, and what onnxruntime computes from them."""
    import onnxruntime

    with _without_torchs_own_warnings():
        program = torch.onnx.export(
            _traced(network, x_BCHW),
            dynamo=True,
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes=({0: "batch"},),
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return content, lambda x_BCHW: torch.from_numpy(session.run(["logits"], {"images": x_BCHW.numpy()})[0])


def _pt2(network: nn.Module, x_BCHW: torch.Tensor, metadata: Mapping[str, str]) -> tuple[bytes, Logits]:
    """The file's bytes, and what ``torch.export.load`` makes of them."""
    buffer = io.BytesIO()
    with _without_torchs_own_warnings():
        torch.export.save(_traced(network, x_BCHW), buffer, extra_files={"metadata.json": json.dumps(metadata)})
        loaded = torch.export.load(io.BytesIO(buffer.getvalue())).module()
    return buffer.getvalue(), loaded


_WRITERS = {"onnx": _onnx, "pt2": _pt2}


@contextmanager
def _without_torchs_own_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*", category=FutureWarning)
        yield
