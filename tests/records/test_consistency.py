"""Whether a record's numbers fit its configuration and each other."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from convrepro.records import Record, consistency
from convrepro.records.record import from_json

RECORDS_DIR = Path(__file__).parents[2] / "results" / "records"


DATASET = {"official": True, "num_classes": 3, "num_train_images": 100, "num_test_images": 50}


def _config(**protocol: Any) -> dict[str, Any]:
    asked = {"task": "classification", "scale": 1, "images": 1, "retrain": False, "validation_images": 10}
    return {"dataset": DATASET, "recipe": {"epochs": 3}, "protocol": {**asked, **protocol}}


def _splits(**numbers: int) -> dict[str, dict[str, Any]]:
    return {name: {"num_images": number, "sha256": "a" * 64} for name, number in numbers.items()}


HELD_OUT = _splits(train=90, validation=10, test=50)
RETRAINED = HELD_OUT | _splits(retrain=100)
ALL_TRAINED = _splits(train=100, validation=0, test=50)


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
        splits=HELD_OUT,
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
    splits=RETRAINED,
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
COUNT = _record(config=_config(task="count"), splits={}, epochs={}, selected={"last": {"compact_factor": 0.5}})
STEP_TIME = dataclasses.replace(
    COUNT, config=_config(task="step_timing"), selected={"last": {"train_step_microseconds": 812.25}}
)
INFERENCE_TIME = dataclasses.replace(
    COUNT, config=_config(task="inference_timing"), selected={"last": {"inference_milliseconds_per_image": 0.25}}
)
FILTERS = dataclasses.replace(
    COUNT,
    config=_config(task="filters"),
    epochs={"train_loss": [0.3, 0.2, 0.1], "sigma_0": [1.0, 1.1, 1.2]},
    selected={"last": {"epoch": 3, "train_loss": 0.1, "sigma_0": 1.2}},
)
DIVERGED_FILTERS = dataclasses.replace(
    FILTERS,
    status="diverged",
    reason="the training loss was inf after iteration 2",
    epochs={"train_loss": [0.3, None], "sigma_0": [1.0, 1.1]},
    selected={},
)
SCALED = _record(
    config=_config(scale=0.02, validation_images=0),
    scaled=True,
    splits=ALL_TRAINED,
    epochs={"test_accuracy": [70.0]},
    selected={rule: {"epoch": 1, "test_accuracy": 70.0} for rule in ("best_on_test", "last")},
)


def _masks(**changes: Any) -> Record:
    """A tenth of 100 images held out, and one epoch."""
    config = _config(task="segmentation", scale=0.02, validation_images=0, validation_fraction=0.1)
    epochs = {"test_pixel_accuracy": [70.0], "validation_pixel_accuracy": [60.0]}
    last = {"epoch": 1, "test_pixel_accuracy": 70.0, "validation_pixel_accuracy": 60.0}
    selected = dict.fromkeys(("best_on_test", "best_on_validation", "last"), last)
    return dataclasses.replace(SCALED, config=config, splits=HELD_OUT, epochs=epochs, selected=selected, **changes)


def _top_k(among: list[float]) -> Record:
    """The share of labels among the first two of three classes, in the epochs of a run without validation."""
    return _record(
        config=_config(validation_images=0, top_k=2),
        splits=ALL_TRAINED,
        epochs={"test_accuracy": [90.0, 80.0, 70.0], "test_top2_accuracy": among},
        selected={
            "best_on_test": {"epoch": 1, "test_accuracy": 90.0, "test_top2_accuracy": among[0]},
            "last": {"epoch": 3, "test_accuracy": 70.0, "test_top2_accuracy": among[2]},
        },
    )


def _official(num_validation: int, splits: dict[str, dict[str, Any]]) -> Record:
    """Its data set has a validation part of its own."""
    config = _config(validation_images=0, official_validation=True)
    dataset = DATASET | {"num_validation_images": num_validation}
    return dataclasses.replace(_record(), config=config | {"dataset": dataset}, splits=splits)


def _share(num_train: int) -> Record:
    """Half of 100 images of three classes, ten of them held out from twice as many."""
    config = _config(images=0.5, validation_images=20)
    return _record(config=config, scaled=True, splits=_splits(train=num_train, validation=10, test=50))


@pytest.mark.parametrize(
    "record",
    [
        _record(),
        TWO_PHASES,
        DIVERGED,
        dataclasses.replace(TWO_PHASES, status="diverged", reason="no", epochs={"select_loss": [None]}, selected={}),
        COUNT,
        dataclasses.replace(COUNT, selected={}),
        SCALED,
        STEP_TIME,
        INFERENCE_TIME,
        FILTERS,
        DIVERGED_FILTERS,
        dataclasses.replace(DIVERGED_FILTERS, epochs={}),
        _masks(),
        _top_k([90.0, 90.0, 75.0]),
        _official(10, _splits(train=100, validation=10, test=50)),
        dataclasses.replace(_record(), splits=HELD_OUT | _splits(content=150)),
        _share(37),
        _share(43),
    ],
    ids=[
        *("one phase", "two phases", "diverged", "diverged in the first phase", "fact", "count", "scaled"),
        *("step time", "inference time", "filters", "diverged filters", "filters diverged at once", "masks", "top k"),
        *("official validation", "content", "fewest of half the images", "most of half the images"),
    ],
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
        (_record(config=_config(validation_images=0), splits=ALL_TRAINED), "must have the rules best_on_test, last"),
        (_record(config=_config(retrain=True), splits=RETRAINED), "each list of `epochs` must have 3 values"),
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
        (_with(_record(), "epochs", train_loss=[3.0, -0.5, 1.0]), "`epochs.train_loss` must be at least 0, got -0.5"),
        (_with(FILTERS, "epochs", sigma_0=[1.0, 1.1]), "each list of `epochs` must have 3 values"),
        (_with(FILTERS, "epochs", sigma_0=[1.0, None, 1.2]), "`epochs.sigma_0` must hold numbers only"),
        (_with(FILTERS, "epochs", train_loss=[0.3, -0.2, 0.1]), "`epochs.train_loss` must be at least 0, got -0.2"),
        (_with(FILTERS, "epochs", select_train_loss=[0.3, 0.2, 0.1]), "must have none of a phase select"),
        (dataclasses.replace(FILTERS, epochs={}), "each list of `epochs` must have 3 values"),
        (dataclasses.replace(FILTERS, epochs={"sigma_0": [1.0, 1.1, 1.2]}), "`epochs.train_loss` is missing"),
        (_with(FILTERS, "selected", last={"epoch": 2, "train_loss": 0.1, "sigma_0": 1.2}), "after iteration 3"),
        (_with(FILTERS, "selected", last={"epoch": 3, "train_loss": 0.05, "sigma_0": 1.2}), "after iteration 3"),
        (_with(FILTERS, "selected", last={"epoch": 3, "train_loss": 0.1}), "after iteration 3"),
        (dataclasses.replace(FILTERS, selected={}), "after iteration 3"),
        (_with(FILTERS, "selected", best_on_test={"epoch": 3}), "stands in `selected.last`"),
        (dataclasses.replace(DIVERGED_FILTERS, selected=FILTERS.selected), "has nothing in `selected`"),
        (_with(DIVERGED_FILTERS, "epochs", sigma_0=[1.0]), "must be equally long, of at most 3"),
        (dataclasses.replace(DIVERGED_FILTERS, epochs={"train_loss": [1.0] * 4}), "must be equally long, of at most 3"),
        (dataclasses.replace(STEP_TIME, selected={}), "must have train_step_microseconds and nothing else"),
        (_with(STEP_TIME, "selected", last={"train_step_microseconds": 0}), "must be above 0, got 0"),
        (
            _with(STEP_TIME, "selected", last={"train_step_microseconds": 1.0, "test_accuracy": 99.0}),
            "must have train_step_microseconds and nothing else",
        ),
        (
            dataclasses.replace(INFERENCE_TIME, selected=STEP_TIME.selected),
            "must have inference_milliseconds_per_image and nothing else",
        ),
        (_with(STEP_TIME, "epochs", train_loss=[1.0] * 3), "must have none of a phase train"),
        (dataclasses.replace(INFERENCE_TIME, status="diverged", reason="no", selected={}), "does not diverge"),
        (dataclasses.replace(STEP_TIME, splits=HELD_OUT), "`splits` must be empty: the task step_timing"),
        (dataclasses.replace(_record(), splits={}), "`splits` must name test, train, validation"),
        (dataclasses.replace(TWO_PHASES, splits=HELD_OUT), "`splits` must name retrain, test, train, validation"),
        (dataclasses.replace(_record(), splits=RETRAINED), "`splits` must name nothing but content, test"),
        (dataclasses.replace(DIVERGED, splits={}), "`splits` must name test, train, validation"),
        (_with(_record(), "splits", test=50), "`splits.test` must have `num_images` and `sha256`, got 50"),
        (_with(_record(), "splits", test={"num_images": 50.0, "sha256": "a"}), "must have `num_images` and `sha256`"),
        (_with(_record(), "splits", test={"num_images": 50}), "must have `num_images` and `sha256`"),
        (_with(_record(), "splits", **_splits(test=49)), "`splits.test.num_images` must be 50, as `config` says"),
        (_with(_record(), "splits", **_splits(validation=9)), "`splits.validation.num_images` must be 10"),
        (_with(SCALED, "splits", **_splits(validation=9)), "`splits.validation.num_images` must be 0"),
        (_with(_record(), "splits", **_splits(train=89)), r"`splits.train.num_images` must lie in \[90, 90\]"),
        (_with(_record(), "splits", **_splits(train=0)), "`splits.train.num_images` must be above 0, got 0"),
        (_with(_record(), "splits", **_splits(content=0)), "`splits.content.num_images` must be above 0, got 0"),
        (_with(TWO_PHASES, "splits", **_splits(retrain=90)), "`splits.retrain.num_images` must be 100"),
        (_with(_masks(), "splits", **_splits(validation=20)), "`splits.validation.num_images` must be 10"),
        (_official(11, _splits(train=100, validation=10, test=50)), "`splits.validation.num_images` must be 11"),
        (_official(10, HELD_OUT), r"`splits.train.num_images` must lie in \[100, 100\]"),
        (_share(36), r"`splits.train.num_images` must lie in \[37, 43\]"),
        (_share(44), r"`splits.train.num_images` must lie in \[37, 43\]"),
        (_top_k([90.0, 79.0, 75.0]), "`epochs.test_top2_accuracy` must never be below `test_accuracy`"),
        (dataclasses.replace(_record(), config=_config(top_k=2)), "`epochs.test_top2_accuracy` is missing"),
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
        (
            dataclasses.replace(_record(), config=_config(validation_fraction="a")),
            "not one of a run: validation_fraction",
        ),
        (dataclasses.replace(_record(), config=_config(images="a")), "`config` is not one of a run: images is 'a'"),
        (dataclasses.replace(_record(), config=_config(images=1e308, scale=1e308)), "`config` is not one of a run"),
        (dataclasses.replace(_record(), config=_config(task=["count"])), "not one of a run: the task is"),
    ],
)
def test_what_does_not_fit_is_named(record: Record, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        consistency.check(record)
