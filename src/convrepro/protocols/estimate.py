"""How long runs will take: their multiply-accumulates over the speed of runs that this machine has records of."""

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from convrepro.models import num_macs
from convrepro.protocols.grid import PlannedTable
from convrepro.protocols.identity import what_is_computed
from convrepro.protocols.schema import Config
from convrepro.protocols.train import build_network
from convrepro.records import Record

_TRAINING_COST = 3  # forward, and backward to the activations and to the weights


def work_of(configs: Mapping[str, Config]) -> dict[str, float]:
    """Multiply-accumulates of one run of each config, by run id. Builds every network, so what cannot be built is
    found before anything is trained.

    Raises:
        ValueError: if a cell's network cannot be built.
    """
    return {run_id: _work(config) for run_id, config in configs.items()}


def expected_seconds(planned: PlannedTable, records: Iterable[Record], device: str) -> dict[str, float | None]:
    """Seconds of one run of each cell, by run id; None where no record gives a hint.

    The speed is the median of finished runs on the same device: those of the same network and operator if there
    are any, else those of the same operator, else all.

    Args:
        planned: the table.
        records: any runs.
        device: name of this machine's device, as records have it.
    """
    speeds: dict[tuple[str, ...], list[float]] = {}
    for record in records:
        seconds = record.measured["wall_seconds"]
        if record.status == "done" and seconds and record.environment["device"] == device:
            for key in _keys(record.config):
                speeds.setdefault(key, []).append(_work_done(record) / seconds)

    def seconds_of(config: Config, work: float) -> float | None:
        if not work:
            return 0.0  # a count
        known = next((speeds[key] for key in _keys(what_is_computed(config)) if key in speeds), None)
        return work / statistics.median(known) if known else None

    return {run_id: seconds_of(planned.configs[run_id], work) for run_id, work in work_of(planned.configs).items()}


def _work(config: Config) -> float:
    if config.protocol.task == "count":
        return 0.0
    macs = num_macs(build_network(config), (config.dataset.in_channels, *config.dataset.image_size))
    num_pool = config.dataset.num_train_images * config.protocol.images
    num_validation = config.protocol.validation_images * config.protocol.images
    trained = num_pool - num_validation + (num_pool if config.protocol.retrain else 0)
    evaluated = num_validation + config.dataset.num_test_images
    return config.num_epochs * macs * (_TRAINING_COST * trained + evaluated)


def _work_done(record: Record) -> float:
    images = {name: split["num_images"] for name, split in record.splits.items()}
    trained = images["train"] + images.get("retrain", 0)
    evaluated = images["validation"] + images["test"]
    return len(record.epochs["train_loss"]) * record.num_macs * float(_TRAINING_COST * trained + evaluated)


def _keys(computed: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    conv, model = str(computed["conv"]), str(computed["model"])
    return (conv, model), (conv,), ()
