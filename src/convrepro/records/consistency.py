"""Whether a record's numbers fit its configuration and each other; what was mixed up or made up rarely does."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convrepro.records.record import Record

_MAX_CHARACTERS = {"names": 2_000, "reason": 2_000, "measured": 16_000, "environment": 16_000}
_TRAINED = ("classification", "segmentation")
_TIMED = {"step_timing": "train_step_microseconds", "inference_timing": "inference_milliseconds_per_image"}
_SELECT = "select_"  # before the metrics of a phase that only chooses an epoch


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a configuration asks for.

    Args:
        task: what is done; only a task of ``_TRAINED`` has epochs on a data set.
        accuracy: what the share of right targets is called.
        top_k: whose share is noted too, if any.
        num_epochs: of each phase, or the iterations of the task ``filters``.
        retrain: whether a phase of its own chooses the epoch.
        has_validation: whether there are images to choose the epoch on.
        num_held_out: how many of them are taken from the training images.
        num_validation: how many there are; None if an official part does not say.
        num_training: the least and the most images, held-out ones included, of the training part that is used.
        num_test: test images.
        scaled: whether there are fewer epochs or images than the protocol has.
        official_data: whether the data are the official distribution.
    """

    task: str
    accuracy: str
    top_k: int | None
    num_epochs: int
    retrain: bool
    has_validation: bool
    num_held_out: int
    num_validation: int | None
    num_training: tuple[int, int]
    num_test: int
    scaled: bool
    official_data: bool


def check(record: Record) -> None:
    """Checks all that follows from the configuration, or from another field.

    Raises:
        ValueError: names the field and what is wrong with it.
    """
    try:
        asked = _asked(record.config)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"`config` is not one of a run: {error!r:.60}.") from error
    _check_what_is_said(record)
    for name in ("num_parameters", "num_macs", "num_operator_layers"):
        _expect(getattr(record, name) >= 0, f"`{name}` must be at least 0, got {getattr(record, name)}.")
    _expect(0 <= record.seed < 2**31, f"`seed` must lie in [0, 2^31), got {record.seed}.")
    _expect(record.scaled == asked.scaled, f"`scaled` must be {asked.scaled}, as in `config`.")
    _expect(record.official_data == asked.official_data, f"`official_data` must be {asked.official_data}.")
    is_done = record.status == "done"
    _expect(is_done == (record.reason == ""), "a run has a `reason` if it diverged, and else none.")
    _check_splits(record, asked)
    _check_epochs(record, asked)
    _expect(is_done or asked.task in (*_TRAINED, "filters"), f"a run of the task {asked.task} does not diverge.")
    if not is_done:
        _expect(not record.selected, "a run that diverged has nothing in `selected`.")
    elif asked.task in _TRAINED:
        _check_selected(record, asked)
    else:
        _check_last(record, asked)
    for rule, metrics in record.selected.items():
        for metric, value in metrics.items():
            _check_value(f"selected.{rule}.{metric}", value)


def _asked(config: Mapping[str, Any]) -> _Asked:
    """Keys that are not set are not in a record."""
    protocol, dataset = config["protocol"], config["dataset"]
    scale, images = _number(protocol, "scale"), _number(protocol, "images")
    num_train = _number(dataset, "num_train_images")
    task, is_official = protocol["task"], bool(protocol.get("official_validation"))
    _expect(isinstance(task, str), f"`config` is not one of a run: the task is {task!r:.20}.")
    num_held_out = round(_number({"validation_fraction": 0, **protocol}, "validation_fraction") * num_train * images)
    num_held_out = num_held_out or round(_number(protocol, "validation_images") * images)
    return _Asked(
        task=task,
        accuracy="pixel_accuracy" if task == "segmentation" else "accuracy",
        top_k=protocol.get("top_k"),
        num_epochs=max(1, round(_number(config["recipe"], "epochs") * scale)),
        retrain=protocol["retrain"],
        has_validation=num_held_out > 0 or is_official,
        num_held_out=num_held_out,
        num_validation=dataset.get("num_validation_images") if is_official else num_held_out,
        num_training=_num_training(num_train, images, _number(dataset, "num_classes"), task),
        num_test=dataset["num_test_images"],
        scaled=scale != 1 or images != 1,
        official_data=dataset["official"],
    )


def _number(group: Mapping[str, Any], name: str) -> Any:
    _expect(type(group[name]) in (int, float), f"`config` is not one of a run: {name} is {group[name]!r:.20}.")
    return group[name]


def _num_training(num_images: int, share: float, num_classes: int, task: str) -> tuple[int, int]:
    """The least and the most images of a share: each class has its own, rounded, and one at least."""
    if share == 1:
        return num_images, num_images
    if task == "segmentation":  # its images are drawn by other classes than those of pixels
        return 1, num_images
    return max(1, math.floor(share * num_images - num_classes)), min(
        num_images, math.ceil(share * num_images + num_classes)
    )


def _check_what_is_said(record: Record) -> None:
    """Labels and circumstances: short, and nothing that drives a terminal."""
    for name, most in _MAX_CHARACTERS.items():
        size = len(json.dumps(getattr(record, name)))
        _expect(size <= most, f"`{name}` must have at most {most:,} characters, got {size:,}.")
    for text in (*record.names.values(), record.reason):
        _expect(isinstance(text, str) and text.isprintable(), f"`names` and `reason` must be plain text, got {text!r}.")
    for group in ("dataset", "model", "conv"):
        _expect(group in record.names, "`names` must name its data set, model and operator.")
    _expect("wall_seconds" in record.measured, "`measured.wall_seconds` is missing.")
    for name, value in record.measured.items():
        _expect(value >= 0, f"`measured.{name}` must be at least 0, got {value}.")


def _check_splits(record: Record, asked: _Asked) -> None:
    if asked.task not in _TRAINED:
        _expect(not record.splits, f"`splits` must be empty: the task {asked.task} splits no data set.")
        return
    needed = {"test", "train"} | ({"validation"} if asked.has_validation else set())
    needed |= {"retrain"} if asked.retrain else set()
    found = record.splits.keys()
    _expect(needed <= found, f"`splits` must name {', '.join(sorted(needed))}.")
    known = needed | {"validation", "content"}
    _expect(found <= known, f"`splits` must name nothing but {', '.join(sorted(known))}.")
    for name, split in record.splits.items():
        is_split = isinstance(split, dict) and type(split.get("num_images")) is int and split.get("sha256")
        _expect(bool(is_split), f"`splits.{name}` must have `num_images` and `sha256`, got {split!r:.40}.")
    numbers = {"validation": 0} | {name: split["num_images"] for name, split in record.splits.items()}
    for name in found - {"validation"} | needed:
        _expect(numbers[name] > 0, f"`splits.{name}.num_images` must be above 0, got {numbers[name]}.")
    for name, expected in (("test", asked.num_test), ("validation", asked.num_validation)):
        _expect(
            expected is None or numbers[name] == expected,
            f"`splits.{name}.num_images` must be {expected}, as `config` says, got {numbers[name]}.",
        )
    least, most = asked.num_training
    num_training = numbers["train"] + asked.num_held_out
    _expect(
        least <= num_training <= most,
        f"`splits.train.num_images` must lie in [{least - asked.num_held_out}, {most - asked.num_held_out}], as "
        f"`config` says, got {numbers['train']}.",
    )
    _expect(
        not asked.retrain or numbers["retrain"] == num_training,
        f"`splits.retrain.num_images` must be {num_training}, those of `train` and what was held out of them.",
    )


def _check_epochs(record: Record, asked: _Asked) -> None:
    lengths: dict[str, set[int]] = {"select": set(), "train": set()}
    for metric, values in record.epochs.items():
        _expect(isinstance(values, list), f"`epochs.{metric}` must be a list.")
        for value in values:
            _check_value(f"epochs.{metric}", value)
        _expect(
            record.status != "done" or None not in values,
            f"`epochs.{metric}` must hold numbers only: the run did not diverge.",
        )
        lengths["select" if metric.startswith(_SELECT) else "train"].add(len(values))
    phases = {"filters": {"train"}, **dict.fromkeys(_TRAINED, {"train", "select"} if asked.retrain else {"train"})}
    for phase, found in lengths.items():
        if phase not in phases.get(asked.task, ()):
            _expect(not found, f"`epochs` must have none of a phase {phase}.")
        elif record.status == "done":
            _expect(found == {asked.num_epochs}, f"each list of `epochs` must have {asked.num_epochs} values.")
        else:
            fits = len(found) <= 1 and max(found, default=0) <= asked.num_epochs
            _expect(fits, f"the lists of `epochs` must be equally long, of at most {asked.num_epochs} values.")


def _check_value(where: str, value: Any) -> None:
    """Finite numbers they are: JSON has no others."""
    _expect(value is None or type(value) in (int, float), f"`{where}` must hold numbers, got {value!r:.20}.")
    if where.endswith("_accuracy") and value is not None:
        _expect(0 <= value <= 100, f"`{where}` must lie in [0, 100], got {value}.")
    if where.endswith("_loss") and value is not None:
        _expect(value >= 0, f"`{where}` must be at least 0, got {value}.")


def _check_selected(record: Record, asked: _Asked) -> None:
    """Chooses the epochs again, from values of six digits; of equal epochs the first."""
    choosers = {"best_on_test": f"test_{asked.accuracy}"}
    if asked.has_validation:
        choosers["best_on_validation"] = f"{_SELECT if asked.retrain else ''}validation_{asked.accuracy}"
    top_k = [] if asked.top_k is None else [f"test_top{asked.top_k}_{asked.accuracy}"]
    for metric in (*choosers.values(), *top_k):
        _expect(metric in record.epochs, f"`epochs.{metric}` is missing.")
    for metric in top_k:
        pairs = zip(record.epochs[metric], record.epochs[choosers["best_on_test"]], strict=True)
        _expect(
            all((among or 0) >= (right or 0) for among, right in pairs),
            f"`epochs.{metric}` must never be below `{choosers['best_on_test']}`.",
        )
    judged = {rule: [value or 0.0 for value in record.epochs[metric]] for rule, metric in choosers.items()}
    chosen = {rule: values.index(max(values)) for rule, values in judged.items()}
    chosen["last"] = asked.num_epochs - 1
    _expect(record.selected.keys() == chosen.keys(), f"`selected` must have the rules {', '.join(sorted(chosen))}.")
    history = {metric: values for metric, values in record.epochs.items() if not metric.startswith(_SELECT)}
    for rule, epoch in chosen.items():
        expected = {"epoch": epoch + 1, **{metric: values[epoch] for metric, values in history.items()}}
        found = {metric: float(f"{value:.6g}") for metric, value in record.selected[rule].items()}
        _expect(found == expected, f"`selected.{rule}` must have the metrics of epoch {epoch + 1} in `epochs`.")


def _check_last(record: Record, asked: _Asked) -> None:
    """What a task that trains no network on a data set found, all of it as ``last``."""
    _expect(record.selected.keys() <= {"last"}, "what no data set was trained on stands in `selected.last`.")
    last = record.selected.get("last", {})
    if asked.task == "filters":
        _expect("train_loss" in record.epochs, "`epochs.train_loss` is missing.")
        expected = {"epoch": asked.num_epochs, **{metric: values[-1] for metric, values in record.epochs.items()}}
        _expect(last == expected, f"`selected.last` must have the metrics after iteration {asked.num_epochs}.")
    elif asked.task in _TIMED:
        metric = _TIMED[asked.task]
        _expect(last.keys() == {metric}, f"`selected.last` must have {metric} and nothing else.")
        _expect(last[metric] > 0, f"`selected.last.{metric}` must be above 0, got {last[metric]}.")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
