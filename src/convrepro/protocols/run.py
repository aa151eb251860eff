"""Seeds of one cell, from their configs to their records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from convrepro import durable, interruption
from convrepro.data import ImageSet
from convrepro.models import facts_of
from convrepro.protocols import environment, ranks
from convrepro.protocols.claimed import claimed, commit, folder_of, records_of
from convrepro.protocols.filter_learning import learn_from
from convrepro.protocols.identity import run_id
from convrepro.protocols.network import build_network, pretrained_sha256, start_network
from convrepro.protocols.outcome import Outcome
from convrepro.protocols.phases import Phase, phases_of
from convrepro.protocols.recording import compact, make_record, measured
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
from convrepro.records import Record, workspace
from convrepro.records.attempts import Claim, Claimed, Sign
from convrepro.training import KeepWeights, Learner, data_parallel, keep_freed_memory

_DEFAULT_THREADS = torch.get_num_threads()

SeedReport = Callable[[int, float], None]


def run(config: Config, *, report: Report = lambda fraction: None) -> Record:
    """Runs one seed of one cell, or returns its record if there is one.

    An interrupted run goes on after its last checkpoint.

    Args:
        config: of the cell, with its seed.
        report: called with the finished fraction of the run, in [0, 1].

    Returns:
        The record that lies on the disk afterwards.

    Raises:
        Claimed: if another process works on the run.
        ValueError, OSError: if the config cannot be built, or the data are missing or not what they should be.
    """
    records = run_seeds([config], report=lambda seed, fraction: report(fraction))
    if config.seed not in records:
        raise Claimed(f"another process works on seed {config.seed} of {run_id(config)}.")
    return records[config.seed]


def run_seeds(
    configs: Sequence[Config],
    *,
    report: SeedReport = lambda seed, fraction: None,
    silent: Mapping[str, Sign] | None = None,
) -> dict[int, Record]:
    """Runs seeds of one cell together in this process; each leaves the record that it leaves alone.

    Args:
        configs: of one cell, each with its seed.
        report: called with a seed and the finished fraction of its run, in [0, 1], after each step. What it raises ends
            the runs; they go on after their last checkpoint when they are run again.
        silent: the last sign of life of processes that were watched for a lease, by the name of the run's folder: their
            runs are taken over.

    Returns:
        The records that lie on the disk afterwards, by seed; a seed that another process works on is left out.

    Raises:
        Lost: if another process took a run over, as this one gave no sign of life for a lease.
        DiskFull: if nothing more can be written.
        ValueError, OSError: as ``run``.
    """
    config = configs[0]
    results_dir, identity = Path(config.machine.results_dir), run_id(config)
    assert all(run_id(other) == identity for other in configs)
    assert len({other.seed for other in configs}) == len(configs)
    records = records_of(configs)
    waiting = [other for other in configs if other.seed not in records]
    if not waiting:
        return records
    # What cannot be written, built or read is found before anything is done.
    workspace.check_writable(results_dir)
    for other in waiting if config.recipe.pretrained else [config]:  # each seed starts from weights of its own
        start_network(other)
    make_optimizer(config)
    data = load_data(config) if config.protocol.task in (*TRAINED, "filters") else None
    with claimed(waiting, records, silent or {}) as claims:
        records |= records_of(waiting)  # of what another process has finished meanwhile
        held = [other for other in waiting if other.seed in claims and other.seed not in records]
        torch.set_num_threads(config.machine.threads or max(1, _DEFAULT_THREADS // config.machine.devices))
        keep_freed_memory()
        # What trains looks by itself whether it is to stop; raised anywhere, that could leave a lock or a claim behind.
        stopping = interruption.deferred() if config.protocol.task in TRAINED else nullcontext()
        with stopping, durable.full_disk_named(results_dir), _on_all_devices(held):
            for made in _records_made(held, data, claims, report):
                record = replace(made, environment=made.environment | {"attempt": claims[made.seed].number})
                records[record.seed] = commit(results_dir, record, claims[record.seed])
    return records


def _records_made(
    configs: Sequence[Config], data: ImageSet | None, claims: Mapping[int, Claim], report: SeedReport
) -> Iterator[Record]:
    if data is not None and all(config.protocol.task in TRAINED for config in configs):
        return _train(configs, data, claims, report)
    return _untrained(configs, data)


def _on_all_devices(configs: Sequence[Config]) -> AbstractContextManager[None]:
    """Within it, as many processes as the machine is to have devices train the runs."""
    if not configs or configs[0].protocol.task not in TRAINED:
        return nullcontext()
    config = configs[0]
    device = device_of(config.machine.accelerator, rank=0, num_ranks=config.machine.devices)
    return ranks.joined(config.machine.devices, device, folder_of(config), partial(_follow, config))


def _follow(config: Config, rank: int, store_path: Path) -> None:
    """Trains a run as another process than the first one; leaves nothing."""
    num_ranks = config.machine.devices
    torch.set_num_threads(config.machine.threads or max(1, _DEFAULT_THREADS // num_ranks))
    device = device_of(config.machine.accelerator, rank=rank, num_ranks=num_ranks)
    with data_parallel.initialised(rank, num_ranks, store_path, device=device):
        for _ in _train([config], load_data(config), {}, lambda seed, fraction: None):
            pass


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
        yield make_record(
            config,
            build_network(config),
            status="diverged" if outcome.reason else "done",
            reason=outcome.reason,
            splits={},
            epochs=compact({"train": outcome.epochs}),
            selected=outcome.selected,
            measured=measured(device, num_images=0, seconds=outcome.seconds),
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


def _train(
    configs: Sequence[Config], data: ImageSet, claims: Mapping[int, Claim], report: SeedReport
) -> Iterator[Record]:
    if not configs:
        return
    if configs[0].protocol.random_test and len(configs) > 1:  # their images differ: one after the other
        for config in configs:
            yield from _train([config], data, claims, report)
        return
    config = configs[0]
    device = device_of(config.machine.accelerator, rank=data_parallel.rank(), num_ranks=config.machine.devices)
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
                folder=folder_of(other) / phase.name,
                report=partial(_report_phase, report, other.seed, position, len(phases)),
                after_epoch=_epoch_end(other, phase, claims.get(other.seed), progress[other.seed]),
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


@dataclass(frozen=True)
class _EpochEnd:
    """What follows an epoch before anything is written of it."""

    claim: Claim
    keep_weights: KeepWeights | None

    def __call__(self, learner: Learner) -> None:
        self.claim.check()
        if self.keep_weights is not None:
            self.keep_weights(learner)


def _epoch_end(config: Config, phase: Phase, claim: Claim | None, so_far: _Progress) -> _EpochEnd | None:
    """None where another process writes what there is to be written."""
    if claim is None:
        return None
    return _EpochEnd(claim, _weights_kept(config, so_far) if phase.name == "train" else None)


def _weights_kept(config: Config, so_far: _Progress) -> KeepWeights:
    """Keeps weights of the phase that is reported, as the phase before it chose, if there is one."""
    selecting = so_far.histories.get("select", {}).get(f"validation_{config.accuracy}")
    rules = partial(rules_of_latest, num_epochs=config.num_epochs, validation=selecting, accuracy=config.accuracy)
    return KeepWeights(workspace.weights_dir(folder_of(config)), rules)


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
    return make_record(
        config,
        found.network,
        status="done" if is_done else "diverged",
        reason=found.reason,
        splits=splits,
        epochs=compact(found.histories),
        selected=select(
            found.histories["train"], validation=chooser.get(f"validation_{config.accuracy}"), accuracy=config.accuracy
        )
        if is_done
        else {},
        measured=measured(device, num_images=found.num_images, seconds=found.seconds),
        environment=made_with | {"backend": " and ".join(dict.fromkeys(found.backends))},
    )
