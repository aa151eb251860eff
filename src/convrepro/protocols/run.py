"""One seed of one cell, from its config to its record."""

import math
import resource
import shutil
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convrepro.data import ImageSet
from convrepro.models import facts_of, num_macs, num_operator_layers, num_parameters
from convrepro.protocols import environment
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.phases import phases_of
from convrepro.protocols.schema import Config
from convrepro.protocols.selection import rules_of_latest, select
from convrepro.protocols.train import Report, build_network, device_of, load_data, make_optimizer, train_phase
from convrepro.records import Record, store, workspace
from convrepro.training import KeepWeights, keep_freed_memory

_DEFAULT_THREADS = torch.get_num_threads()


def run(config: Config, *, report: Report = lambda fraction: None) -> Record:
    """Runs one seed of one cell, or returns its record if there is one.

    An interrupted run goes on after its last finished epoch.

    Args:
        config: of the cell, with its seed.
        report: called with the finished fraction of the run, in [0, 1].

    Returns:
        The record that lies on the disk afterwards.

    Raises:
        workspace.Claimed: if another process works on the run.
        ValueError, OSError: if the config cannot be built, or the data are missing or not what they should be.
    """
    results_dir, identity = Path(config.machine.results_dir), run_id(config)
    folder = workspace.run_dir(results_dir, identity, config.seed)
    records_dir = workspace.records_dir(results_dir)
    if (record := store.read(records_dir, identity, config.seed)) is not None:
        return record
    # What cannot be built or read is found before anything is written.
    build_network(config)
    make_optimizer(config)
    data = load_data(config) if config.protocol.task == "classification" else None
    with workspace.claim(folder):
        if (record := store.read(records_dir, identity, config.seed)) is not None:
            return record
        workspace.clear_failure(results_dir, identity, config.seed)
        torch.set_num_threads(config.machine.threads or _DEFAULT_THREADS)
        keep_freed_memory()
        try:
            record = _count(config) if data is None else _classify(config, data, folder, report)
            store.write(records_dir, record)
        except Exception as error:
            workspace.write_failure(results_dir, identity, config.seed, f"{type(error).__name__}: {error}")
            raise
        for checkpoint in folder.glob("*/*.ckpt*"):
            checkpoint.unlink()
        if record.status == "diverged":  # no epoch of it counts
            shutil.rmtree(workspace.weights_dir(folder), ignore_errors=True)
    if config.protocol.task == "count":
        shutil.rmtree(folder)
    return record


def _count(config: Config) -> Record:
    device = torch.device("cpu")
    network = build_network(config)
    facts = facts_of(network)
    return _record(
        config,
        network,
        status="done",
        splits={},
        epochs={},
        selected={"last": facts} if facts else {},
        measured=_measured(device, num_images=0, seconds=0.0),
        environment=environment.describe(device),
    )


def _classify(config: Config, data: ImageSet, folder: Path, report: Report) -> Record:
    device = device_of(config.machine.accelerator)
    made_with = environment.describe(device)  # before training, during which the checkout may change
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    phases, splits = phases_of(config.protocol, data)
    histories: dict[str, dict[str, list[float]]] = {}
    seconds, num_images = 0.0, 0
    for position, phase in enumerate(phases):

        def report_phase(fraction: float, num_before: int = position) -> None:
            report((num_before + fraction) / len(phases))

        callbacks = [_weights_kept(config, folder, histories.get("select", {}))] if phase.name == "train" else []
        classifier, reason = train_phase(
            config, phase, device=device, folder=folder / phase.name, report=report_phase, callbacks=callbacks
        )
        histories[phase.name] = classifier.history
        seconds += sum(classifier.epoch_seconds)
        num_images += len(classifier.epoch_seconds) * len(phase.train)
        if reason:
            break
    chooser = histories.get("select", histories.get("train", {}))
    return _record(
        config,
        classifier.network,
        status="diverged" if reason else "done",
        reason=reason,
        splits=splits,
        epochs=_compact(histories),
        selected={} if reason else select(histories["train"], validation=chooser.get("validation_accuracy")),
        measured=_measured(device, num_images=num_images, seconds=seconds),
        environment=made_with,
    )


def _weights_kept(config: Config, folder: Path, selecting: Mapping[str, Sequence[float]]) -> KeepWeights:
    """Keeps weights of the phase that is reported; ``selecting`` is the history of the phase before it, if any."""
    rules = partial(rules_of_latest, num_epochs=config.num_epochs, validation=selecting.get("validation_accuracy"))
    return KeepWeights(workspace.weights_dir(folder), rules)


def _record(config: Config, network: nn.Module, **outcome: Any) -> Record:
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


def _measured(device: torch.device, *, num_images: int, seconds: float) -> dict[str, Any]:
    """Time and speed of training with the evaluation after each epoch, and the most memory that was held.

    On a CPU the memory is the process's, so never less than that of an earlier run in the same process.
    """
    if device.type == "cuda":
        peak_bytes = torch.cuda.max_memory_allocated(device)
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {
        "wall_seconds": seconds,
        "images_per_second": num_images / seconds if seconds else 0.0,
        "peak_memory_bytes": peak_bytes,
    }


def _compact(histories: dict[str, dict[str, list[float]]]) -> dict[str, list[float | None]]:
    """Metrics per epoch to six digits; those of the phase that only selects are named so."""
    return {
        metric if phase == "train" else f"{phase}_{metric}": [
            float(f"{value:.6g}") if math.isfinite(value) else None for value in values
        ]
        for phase, history in histories.items()
        for metric, values in history.items()
    }
