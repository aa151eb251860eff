"""Seeds of one cell, from their configs to their records."""

import contextlib
import math
import resource
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convrepro.data import ImageSet
from convrepro.models import facts_of, num_macs, num_operator_layers, num_parameters
from convrepro.protocols import environment
from convrepro.protocols.filter_learning import learn_from
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.network import build_network, pretrained_sha256, start_network
from convrepro.protocols.outcome import Outcome
from convrepro.protocols.phases import Phase, phases_of
from convrepro.protocols.schema import TRAINED, Config
from convrepro.protocols.selection import rules_of_latest, select
from convrepro.protocols.step_timing import time_steps
from convrepro.protocols.train import (
    Report,
    device_of,
    load_data,
    make_learner,
    make_optimizer,
    train_phase,
)
from convrepro.records import Record, store, workspace
from convrepro.training import KeepWeights, Learner, keep_freed_memory

_DEFAULT_THREADS = torch.get_num_threads()

SeedReport = Callable[[int, float], None]


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
    records = run_seeds([config], report=lambda seed, fraction: report(fraction))
    if config.seed not in records:
        raise workspace.Claimed(f"another process works on seed {config.seed} of {run_id(config)}.")
    return records[config.seed]


def run_seeds(configs: Sequence[Config], *, report: SeedReport = lambda seed, fraction: None) -> dict[int, Record]:
    """Runs seeds of one cell together in this process; each leaves the record that it leaves alone.

    Args:
        configs: of one cell, each with its seed.
        report: called with a seed and the finished fraction of its run, in [0, 1], after each step. What it raises ends
            the runs; they go on after their last finished epoch when they are run again.

    Returns:
        The records that lie on the disk afterwards, by seed; a seed that another process works on is left out.

    Raises:
        ValueError, OSError: as ``run``.
    """
    config = configs[0]
    results_dir, identity = Path(config.machine.results_dir), run_id(config)
    assert all(run_id(other) == identity for other in configs)
    records = _records_of(configs)
    waiting = [other for other in configs if other.seed not in records]
    if not waiting:
        return records
    # What cannot be built or read is found before anything is written.
    for other in waiting if config.recipe.pretrained else [config]:  # each seed starts from weights of its own
        start_network(other)
    make_optimizer(config)
    data = load_data(config) if config.protocol.task in (*TRAINED, "filters") else None
    with contextlib.ExitStack() as claims:
        claimed = [other for other in waiting if _is_claimed_for(other, claims)]
        records |= _records_of(claimed)  # of what another process has finished meanwhile
        claimed = [other for other in claimed if other.seed not in records]
        for other in claimed:
            workspace.clear_failure(results_dir, identity, other.seed)
        torch.set_num_threads(config.machine.threads or _DEFAULT_THREADS)
        keep_freed_memory()
        try:
            for record in _records_made(claimed, data, report):
                store.write(workspace.records_dir(results_dir), record)
                records[record.seed] = record
        except Exception as error:
            for other in claimed:
                if other.seed not in records:
                    workspace.write_failure(results_dir, identity, other.seed, f"{type(error).__name__}: {error}")
            raise
        for other in claimed:
            _tidy(_folder(other), records[other.seed])
    return records


def _records_made(configs: Sequence[Config], data: ImageSet | None, report: SeedReport) -> Iterator[Record]:
    if data is not None and all(config.protocol.task in TRAINED for config in configs):
        return _train(configs, data, report)
    return _untrained(configs, data)


def _records_of(configs: Sequence[Config]) -> dict[int, Record]:
    found = {
        config.seed: store.read(workspace.records_dir(Path(config.machine.results_dir)), run_id(config), config.seed)
        for config in configs
    }
    return {seed: record for seed, record in found.items() if record is not None}


def _is_claimed_for(config: Config, claims: contextlib.ExitStack) -> bool:
    try:
        claims.enter_context(workspace.claim(_folder(config)))
    except workspace.Claimed:
        return False
    return True


def _folder(config: Config) -> Path:
    return workspace.run_dir(Path(config.machine.results_dir), run_id(config), config.seed)


def _tidy(folder: Path, record: Record) -> None:
    """Removes what a finished run no longer needs."""
    for checkpoint in folder.glob("*/*.ckpt*"):
        checkpoint.unlink()
    if record.status == "diverged":  # no epoch of it counts
        shutil.rmtree(workspace.weights_dir(folder), ignore_errors=True)
    if record.config["protocol"]["task"] not in TRAINED:
        shutil.rmtree(folder)


def _untrained(configs: Sequence[Config], data: ImageSet | None) -> Iterator[Record]:
    """Records of tasks that train no network on a data set, one seed after the other."""
    for config in configs:
        task = config.protocol.task
        device = device_of(config.machine.accelerator if task.endswith("_timing") else "cpu")
        made_with = environment.describe(device, config, 1)
        match task:
            case "filters":
                assert data is not None
                outcome = learn_from(config, data.train)
            case "step_timing" | "inference_timing":
                outcome = time_steps(config, device)
            case _:
                facts = facts_of(build_network(config))
                outcome = Outcome(selected={"last": facts} if facts else {})
        yield _record(
            config,
            build_network(config),
            status="diverged" if outcome.reason else "done",
            reason=outcome.reason,
            splits={},
            epochs=_compact({"train": outcome.epochs}),
            selected=outcome.selected,
            measured=_measured(device, num_images=0, seconds=outcome.seconds),
            environment=made_with,
        )


@dataclass
class _Progress:
    """What a seed has to show after the phases so far."""

    network: nn.Module | None = None
    histories: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # by phase
    seconds: float = 0.0
    num_images: int = 0
    reason: str = ""  # why it diverged
    backends: list[str] = field(default_factory=list)  # that trained it, by phase

    def add(self, phase: Phase, learner: Learner, backend: str) -> None:
        self.backends.append(backend)
        self.network, self.reason = learner.network, learner.reason
        self.histories[phase.name] = learner.history
        self.seconds += sum(learner.epoch_seconds)
        self.num_images += len(learner.epoch_seconds) * len(phase.train)


def _train(configs: Sequence[Config], data: ImageSet, report: SeedReport) -> Iterator[Record]:
    if not configs:
        return
    if configs[0].protocol.random_test and len(configs) > 1:  # their images differ: one after the other
        for config in configs:
            yield from _train([config], data, report)
        return
    config, device = configs[0], device_of(configs[0].machine.accelerator)
    made_with = environment.describe(device, config, len(configs))  # before training: the checkout may change
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    phases, splits = phases_of(config, data.to(device))
    if data.content_sha256:
        splits["content"] = {"num_images": len(data.train) + len(data.test), "sha256": data.content_sha256}
    started_from = {other.seed: pretrained_sha256(other) for other in configs}
    progress = {other.seed: _Progress() for other in configs}
    for position, phase in enumerate(phases):
        learners = [
            make_learner(
                other,
                device=device,
                folder=_folder(other) / phase.name,
                report=partial(_report_phase, report, other.seed, position, len(phases)),
                after_epoch=_weights_kept(other, progress[other.seed]) if phase.name == "train" else None,
            )
            for other in configs
            if not progress[other.seed].reason
        ]
        if not learners:
            break
        backend = train_phase(learners, config, phase)
        for learner in learners:
            progress[learner.seed].add(phase, learner, backend)
    for other in configs:
        yield _trained(other, progress[other.seed], splits, device, made_with | started_from[other.seed])


def _report_phase(report: SeedReport, seed: int, num_before: int, num_phases: int, fraction: float) -> None:
    report(seed, (num_before + fraction) / num_phases)


def _weights_kept(config: Config, so_far: _Progress) -> KeepWeights:
    """Keeps weights of the phase that is reported, as the phase before it chose, if there is one."""
    selecting = so_far.histories.get("select", {}).get(f"validation_{config.accuracy}")
    rules = partial(rules_of_latest, num_epochs=config.num_epochs, validation=selecting, accuracy=config.accuracy)
    return KeepWeights(workspace.weights_dir(_folder(config)), rules)


def _trained(
    config: Config,
    found: _Progress,
    splits: dict[str, dict[str, Any]],
    device: torch.device,
    made_with: dict[str, Any],
) -> Record:
    assert found.network is not None
    chooser = found.histories.get("select", found.histories.get("train", {}))
    is_done = not found.reason
    return _record(
        config,
        found.network,
        status="done" if is_done else "diverged",
        reason=found.reason,
        splits=splits,
        epochs=_compact(found.histories),
        selected=select(
            found.histories["train"], validation=chooser.get(f"validation_{config.accuracy}"), accuracy=config.accuracy
        )
        if is_done
        else {},
        measured=_measured(device, num_images=found.num_images, seconds=found.seconds),
        environment=made_with | {"backend": " and ".join(dict.fromkeys(found.backends))},
    )


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


def _compact(histories: dict[str, dict[str, list[float]]]) -> dict[str, list[float | None]]:
    """Metrics per epoch to six digits; those of the phase that only selects are named so."""
    return {
        metric if phase == "train" else f"{phase}_{metric}": [
            float(f"{value:.6g}") if math.isfinite(value) else None for value in values
        ]
        for phase, history in histories.items()
        for metric, values in history.items()
    }
