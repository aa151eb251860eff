"""What a run found, as its record says it."""

import math
import resource
import sys
from typing import Any

import torch
from torch import nn

from convrepro.models import num_macs, num_operator_layers, num_parameters
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.schema import Config
from convrepro.records import Record


def make_record(config: Config, network: nn.Module, **outcome: Any) -> Record:
    return Record(
        run_id=run_id(config),
        seed=config.seed,
        config=what_is_computed(config),
        names={
            "conv": config.conv.get("name", ""),
            "model": config.model.get("name", ""),
            "dataset": config.dataset.name,
            "recipe": config.recipe.name,
            "protocol": config.protocol.name,
        },
        official_data=config.dataset.official,
        scaled=config.is_scaled,
        num_parameters=num_parameters(network),
        num_macs=num_macs(network, (config.dataset.in_channels, *config.dataset.image_size)),
        num_operator_layers=num_operator_layers(network),
        **outcome,
    )


def measured(device: torch.device, *, num_images: int, seconds: float) -> dict[str, Any]:
    """Time and speed of training with the evaluation after each epoch, and the most memory that was held.

    Of seeds that are trained together, each has its share of the time, and the memory of all. On a CPU the memory is
    the process's, so never less than that of an earlier run in the same process.
    """
    if device.type == "cuda":
        peak_bytes = torch.cuda.max_memory_reserved(device)  # graphs reserve what they use in turn
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {
        "wall_seconds": seconds,
        "images_per_second": num_images / seconds if seconds else 0.0,
        "peak_memory_bytes": peak_bytes,
    }


def compact(histories: dict[str, dict[str, list[float]]]) -> dict[str, list[float | None]]:
    """Metrics per epoch to six digits; those of the phase that only selects are named so."""
    return {
        metric if phase == "train" else f"{phase}_{metric}": [
            float(f"{value:.6g}") if math.isfinite(value) else None for value in values
        ]
        for phase, history in histories.items()
        for metric, values in history.items()
    }
