"""The tasks of timing: what a training step and a forward pass take (ACONV, Sec. 4.5; disentangled, Table 1f)."""

import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from convrepro.protocols.network import fresh_network
from convrepro.protocols.outcome import Outcome
from convrepro.protocols.schema import Config
from convrepro.protocols.train import make_learner
from convrepro.training import matrix_precision

_LEAST_ROUNDS = 5
_MOST_ROUNDS = 100
_LEAST_ROUND_SECONDS = 0.02  # of a round: a shorter one is mostly the noise of the machine
_WARM_UPS = 2
_MEMORY_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}


def time_steps(config: Config, device: torch.device, *, seconds: float = 3.0) -> Outcome:
    """Times the config's network on random images of its data set's shape, in batches of the recipe's size.

    ``train_step_microseconds`` is what training does with a batch that lies on the device: forward and backward pass,
    what the recipe does to gradients and apertures, and the step of its optimizer; without CUDA graphs.
    ``inference_milliseconds_per_image`` is the forward pass of a batch in evaluation mode over its number of images; no
    operator is folded and nothing is compiled. Both are medians of rounds of at least 20 ms, at least five of them,
    after steps that are not counted. The task ``step_timing`` measures the former, ``inference_timing`` the latter.

    The times are this machine's and this moment's. Each cell of a table is a run of its own and its seeds are repeats:
    cells are not measured in turn, and where other work or heat slows the machine between them, their ratio moves too.
    Run such a table on a machine with nothing else to do, one run at a time; the record names the device and its
    threads. ``convrepro benchmark`` measures operators in turn with the plain convolution.

    Args:
        config: whose network classifies. The seed draws weights and images.
        device: where it runs.
        seconds: that rounds are repeated for.

    Raises:
        ValueError: if the network does not return one number for each class.
    """
    started, task = time.monotonic(), config.protocol.task
    learner = make_learner(config, device=device, folder=Path(), make_network=fresh_network)
    network, dataset, batch_size = learner.network, config.dataset, config.recipe.batch_size
    generator = torch.Generator().manual_seed(config.seed)
    x_BCHW = torch.randn(batch_size, dataset.in_channels, *dataset.image_size, generator=generator).to(device)
    labels_B = torch.randint(dataset.num_classes, (batch_size,), generator=generator).to(device)
    x_BCHW = x_BCHW.contiguous(memory_format=_MEMORY_FORMATS[config.memory_format])
    measured = {}
    with matrix_precision(learner.precision):
        network.eval()
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=learner.precision == "bfloat16"),
        ):
            found = tuple(network(x_BCHW[:1]).shape)
            if found != (1, dataset.num_classes):
                raise ValueError(
                    f"`protocol.task` {task} needs a network that classifies, with logits "
                    f"{(1, dataset.num_classes)} of an image, got {found}."
                )
            if task == "inference_timing":
                forward = _median_seconds(lambda: network(x_BCHW), device, seconds)
                measured["inference_milliseconds_per_image"] = 1e3 * forward / batch_size
        if task == "step_timing":
            network.train()
            step = _median_seconds(lambda: learner.step(x_BCHW, labels_B), device, seconds)
            measured["train_step_microseconds"] = 1e6 * step
    return Outcome(
        selected={"last": {metric: float(f"{value:.6g}") for metric, value in measured.items()}},
        seconds=time.monotonic() - started,
    )


def _median_seconds(work: Callable[[], object], device: torch.device, total: float) -> float:
    """Of one piece of work: the median of rounds, each of as many pieces as make it long enough."""
    shortest = min(_seconds(work, 1, device) for _ in range(_WARM_UPS))
    repeats = max(1, math.ceil(_LEAST_ROUND_SECONDS / max(shortest, 1e-6)))
    rounds: list[float] = []
    started = time.perf_counter()
    while len(rounds) < _LEAST_ROUNDS or (time.perf_counter() - started < total and len(rounds) < _MOST_ROUNDS):
        rounds.append(_seconds(work, repeats, device))
    return statistics.median(rounds)


def _seconds(work: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Of one piece of work, on average over ``repeats`` in a row."""
    _synchronize(device)
    started = time.perf_counter()
    for _ in range(repeats):
        work()
    _synchronize(device)
    return (time.perf_counter() - started) / repeats


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
