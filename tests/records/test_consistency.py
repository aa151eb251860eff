"""Whether a record's numbers fit its configuration and each other."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from convrepro.records import Record, consistency
from convrepro.records.record import from_json

RECORDS_DIR = Path(__file__).parents[2] / "results" / "records"


def _config(**protocol: Any) -> dict[str, Any]:
    asked = {"task": "classification", "scale": 1, "images": 1, "retrain": False, "validation_images": 10}
    return {"dataset": {"official": True}, "recipe": {"epochs": 3}, "protocol": {**asked, **protocol}}


def _record(**changes: Any) -> Record:
    """Three epochs; the validation accuracy is best in the first, the test accuracy in the second, if only just."""
    whole = Record(
        run_id="0123456789abcdef",
        seed=0,
        status="done",
        config=_config(),
        names={"dataset": "digits", "model": "cnn4", "conv": "dk"},
        official_data=True,
        scaled=False,
        num_parameters=1,
        num_macs=2,
        num_operator_layers=3,
        splits={},
        epochs={
            "test_accuracy": [66.6667, 77.7778, 77.7778],
            "train_loss": [3.0, 2.0, 1.0],
            "validation_accuracy": [50.0, 40.0, 50.0],
        },
        selected={
            "best_on_test": _metrics(2, 700 / 9, 2.0, 40.0),
            "best_on_validation": _metrics(1, 200 / 3, 3.0, 50.0),
            "last": _metrics(3, 700 / 9, 1.0, 50.0),
        },
        measured={"wall_seconds": 1.5, "images_per_second": 0.0},
        environment={"device": "cpu"},
    )
    return dataclasses.replace(whole, **changes)


def _metrics(epoch: int, test: float, loss: float, validation: float) -> dict[str, float]:
    return {"epoch": epoch, "test_accuracy": test, "train_loss": loss, "validation_accuracy": validation}


TWO_PHASES = _record(
    config=_config(retrain=True),
    epochs={"select_validation_accuracy": [40.0, 50.0, 50.0], "test_accuracy": [70.0, 80.0, 90.0]},
    selected={
        "best_on_test": {"epoch": 3, "test_accuracy": 90.0},
        "best_on_validation": {"epoch": 2, "test_accuracy": 80.0},
        "last": {"epoch": 3, "test_accuracy": 90.0},
    },
)
DIVERGED = _record(
    status="diverged",
    reason="the training loss was nan in epoch 2",
    epochs={"test_accuracy": [70.0, 10.0], "train_loss": [3.0, None], "validation_accuracy": [50.0, 10.0]},
    selected={},
)
COUNT = _record(config=_config(task="count"), epochs={}, selected={"last": {"compact_factor": 0.5}})
SCALED = _record(
    config=_config(scale=0.02, validation_images=0),
    scaled=True,
    epochs={"test_accuracy": [70.0]},
    selected={rule: {"epoch": 1, "test_accuracy": 70.0} for rule in ("best_on_test", "last")},
)


@pytest.mark.parametrize(
    "record",
    [
        _record(),
        TWO_PHASES,
        DIVERGED,
        dataclasses.replace(DIVERGED, config=_config(retrain=True), epochs={"select_train_loss": [None]}),
        COUNT,
        dataclasses.replace(COUNT, selected={}),
        SCALED,
    ],
    ids=["one phase", "two phases", "diverged", "diverged in the first phase", "fact", "count", "scaled"],
)
def test_a_consistent_record_passes(record: Record) -> None:
    consistency.check(record)


@pytest.mark.parametrize("path", sorted(RECORDS_DIR.glob("*.json")), ids=lambda path: path.stem)
def test_the_records_of_this_repository_pass(path: Path) -> None:
    consistency.check(from_json(path.read_text(encoding="utf-8")))


def _with(record: Record, field: str, **changes: Any) -> Record:
    return dataclasses.replace(record, **{field: {**getattr(record, field), **changes}})


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (_with(_record(), "epochs", test_accuracy=[66.6667, 177.0, 77.7778]), r"`epochs.test_accuracy` must lie in"),
        (_with(_record(), "epochs", test_accuracy=[66.6667, -1e-9, 77.7778]), r"`epochs.test_accuracy` must lie in"),
        (_with(_record(), "epochs", train_loss=[3.0, "2", 1.0]), "`epochs.train_loss` must hold numbers"),
        (_with(_record(), "epochs", train_loss=[3.0, None, 1.0]), "must hold numbers only: the run did not diverge"),
        (_with(_record(), "epochs", train_loss=3.0), "`epochs.train_loss` must be a list"),
        (_with(_record(), "epochs", train_loss=[3.0, 2.0]), "each list of `epochs` must have 3 values"),
        (_with(_record(), "epochs", select_train_loss=[3.0, 2.0, 1.0]), "must have none of a phase select"),
        (dataclasses.replace(_record(), epochs={}), "each list of `epochs` must have 3 values"),
        (dataclasses.replace(_record(), config=_config(scale=0.34)), "`scaled` must be True"),
        (dataclasses.replace(_record(), config=_config(images=0.5)), "`scaled` must be True"),
        (dataclasses.replace(SCALED, config=_config(scale=0.5, validation_images=0)), "must have 2 values"),
        (dataclasses.replace(_record(), official_data=False), "`official_data` must be True"),
        (dataclasses.replace(_record(), selected={}), "`selected` must have the rules best_on_test, best_on_val"),
        (dataclasses.replace(_record(), config=_config(validation_images=0)), "must have the rules best_on_test, last"),
        (dataclasses.replace(_record(), config=_config(retrain=True)), "each list of `epochs` must have 3 values"),
        (_with(_record(), "selected", last=_metrics(3, 77.7779, 1.0, 50.0)), "`selected.last` must have the metrics"),
        (_with(_record(), "selected", last=_metrics(2, 700 / 9, 2.0, 40.0)), "`selected.last` must have the metrics"),
        (_with(_record(), "selected", last={"epoch": 3, "test_accuracy": 700 / 9}), "`selected.last` must have"),
        (
            _with(_record(), "selected", best_on_validation=_metrics(3, 700 / 9, 1.0, 50.0)),
            "`selected.best_on_validation` must have the metrics of epoch 1",
        ),
        (
            _with(_record(), "selected", best_on_test=_metrics(3, 700 / 9, 1.0, 50.0)),
            "`selected.best_on_test` must have the metrics of epoch 2",
        ),
        (
            _with(TWO_PHASES, "selected", best_on_validation={"epoch": 3, "test_accuracy": 90.0}),
            "`selected.best_on_validation` must have the metrics of epoch 2",
        ),
        (dataclasses.replace(_record(), reason="bad luck"), "a run has a `reason` if it diverged"),
        (dataclasses.replace(DIVERGED, reason=""), "a run has a `reason` if it diverged"),
        (dataclasses.replace(DIVERGED, selected=_record().selected), "has nothing in `selected`"),
        (_with(DIVERGED, "epochs", test_accuracy=[70.0]), "must be equally long, of at most 3"),
        (dataclasses.replace(DIVERGED, epochs={"train_loss": [1.0] * 4}), "must be equally long, of at most 3"),
        (_with(COUNT, "epochs", test_accuracy=[70.0] * 3), "must have none of a phase train"),
        (_with(COUNT, "selected", best_on_test={"test_accuracy": 90.0}), "stands in `selected.last`"),
        (_with(COUNT, "selected", last={"test_accuracy": 900.0}), "`selected.last.test_accuracy` must lie in"),
        (dataclasses.replace(COUNT, status="diverged", reason="no"), "the task count does not diverge"),
        (dataclasses.replace(_record(), num_macs=-1), "`num_macs` must be at least 0"),
        (dataclasses.replace(_record(), num_parameters=-1), "`num_parameters` must be at least 0"),
        (dataclasses.replace(_record(), seed=2**31), r"`seed` must lie in \[0, 2\^31\)"),
        (_with(_record(), "measured", wall_seconds=-1.0), "`measured.wall_seconds` must be at least 0"),
        (dataclasses.replace(_record(), measured={}), "`measured.wall_seconds` is missing"),
        (_with(_record(), "measured", **{f"m{n}": n for n in range(2000)}), "`measured` must have at most 16,000"),
        (_with(_record(), "environment", note="x" * 20_000), "`environment` must have at most 16,000"),
        (_with(_record(), "names", model="\x1b[2J"), "must be plain text, got '.x1b"),
        (_with(_record(), "names", model="cnn\u202e4"), "must be plain text"),
        (_with(_record(), "names", model=3), "must be plain text"),
        (_with(_record(), "names", model="x" * 3000), "`names` must have at most 2,000"),
        (dataclasses.replace(DIVERGED, reason="\x1b"), "must be plain text"),
        (dataclasses.replace(_record(), config={}), "`config` is not one of a run"),
        (dataclasses.replace(_record(), config={**_config(), "recipe": []}), "`config` is not one of a run"),
        (dataclasses.replace(_record(), config=_config(scale="all")), "`config` is not one of a run"),
    ],
)
def test_what_does_not_fit_is_named(record: Record, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        consistency.check(record)
