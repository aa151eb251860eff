"""Whether a record's numbers fit its configuration and each other; what was mixed up or made up rarely does."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convrepro.records.record import Record

_MAX_CHARACTERS = {"names": 2_000, "reason": 2_000, "measured": 16_000, "environment": 16_000}
_TRAINED = ("classification", "segmentation")
_SELECT = "select_"  # before the metrics of a phase that only chooses an epoch


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a configuration asks for.

    Args:
        task: what is done; only a task of ``_TRAINED`` has epochs on a data set.
        accuracy: what the share of right targets is called.
        num_epochs: of each phase.
        retrain: whether a phase of its own chooses the epoch.
        has_validation: whether images are held out.
        scaled: whether there are fewer epochs or images than the protocol has.
        official_data: whether the data are the official distribution.
    """

    task: str
    accuracy: str
    num_epochs: int
    retrain: bool
    has_validation: bool
    scaled: bool
    official_data: bool


def check(record: Record) -> None:
    """Checks all that follows from the configuration, or from another field.

    Raises:
        ValueError: names the field and what is wrong with it.
    """
    try:
        asked = _asked(record.config)
    except (KeyError, TypeError) as error:
        raise ValueError(f"`config` is not one of a run: {error!r:.60}.") from error
    _check_what_is_said(record)
    for name in ("num_parameters", "num_macs", "num_operator_layers"):
        _expect(getattr(record, name) >= 0, f"`{name}` must be at least 0, got {getattr(record, name)}.")
    _expect(0 <= record.seed < 2**31, f"`seed` must lie in [0, 2^31), got {record.seed}.")
    _expect(record.scaled == asked.scaled, f"`scaled` must be {asked.scaled}, as in `config`.")
    _expect(record.official_data == asked.official_data, f"`official_data` must be {asked.official_data}.")
    is_done = record.status == "done"
    _expect(is_done == (record.reason == ""), "a run has a `reason` if it diverged, and else none.")
    _check_epochs(record, asked)
    if asked.task not in _TRAINED:
        _expect(record.selected.keys() <= {"last"}, "what no data set was trained on stands in `selected.last`.")
        _expect(is_done or asked.task == "filters", f"a run of the task {asked.task} does not diverge.")
    elif is_done:
        _check_selected(record, asked)
    else:
        _expect(not record.selected, "a run that diverged has nothing in `selected`.")
    for rule, metrics in record.selected.items():
        for metric, value in metrics.items():
            _check_value(f"selected.{rule}.{metric}", value)


def _asked(config: Mapping[str, Any]) -> _Asked:
    protocol, scale, images = config["protocol"], config["protocol"]["scale"], config["protocol"]["images"]
    return _Asked(
        task=protocol["task"],
        accuracy="pixel_accuracy" if protocol["task"] == "segmentation" else "accuracy",
        num_epochs=max(1, round(config["recipe"]["epochs"] * scale)),
        retrain=protocol["retrain"],
        has_validation=round(protocol["validation_images"] * images) > 0
        or bool(protocol.get("official_validation") or protocol.get("validation_fraction")),
        scaled=scale != 1 or images != 1,
        official_data=config["dataset"]["official"],
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


def _check_epochs(record: Record, asked: _Asked) -> None:
    if asked.task == "filters":
        return
    lengths: dict[str, set[int]] = {"select": set(), "train": set()}
    for metric, values in record.epochs.items():
        _expect(isinstance(values, list), f"`epochs.{metric}` must be a list.")
        for value in values:
            _check_value(f"epochs.{metric}", value)
        lengths["select" if metric.startswith(_SELECT) else "train"].add(len(values))
    for phase, found in lengths.items():
        if asked.task not in _TRAINED or (phase == "select" and not asked.retrain):
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


def _check_selected(record: Record, asked: _Asked) -> None:
    """Chooses the epochs again, from values of six digits; of equal epochs the first."""
    choosers = {"best_on_test": f"test_{asked.accuracy}"}
    if asked.has_validation:
        choosers["best_on_validation"] = f"{_SELECT if asked.retrain else ''}validation_{asked.accuracy}"
    for metric in choosers.values():
        _expect(metric in record.epochs, f"`epochs.{metric}` is missing.")
    for metric, values in record.epochs.items():
        _expect(None not in values, f"`epochs.{metric}` must hold numbers only: the run did not diverge.")
    judged = {rule: [value or 0.0 for value in record.epochs[metric]] for rule, metric in choosers.items()}
    chosen = {rule: values.index(max(values)) for rule, values in judged.items()}
    chosen["last"] = asked.num_epochs - 1
    _expect(record.selected.keys() == chosen.keys(), f"`selected` must have the rules {', '.join(sorted(chosen))}.")
    history = {metric: values for metric, values in record.epochs.items() if not metric.startswith(_SELECT)}
    for rule, epoch in chosen.items():
        expected = {"epoch": epoch + 1, **{metric: values[epoch] for metric, values in history.items()}}
        found = {metric: float(f"{value:.6g}") for metric, value in record.selected[rule].items()}
        _expect(found == expected, f"`selected.{rule}` must have the metrics of epoch {epoch + 1} in `epochs`.")


def _expect(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
