"""What one run leaves: one cell of one table, one seed."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

SCHEMA_VERSION = 1
SELECTION_RULES = ("last", "best_on_validation", "best_on_test")
Status = Literal["done", "diverged"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run's numbers. Accuracies and errors are in percent.

    Two runs of the same cell and seed, on the same machine with the same thread count, agree in every field
    but ``measured`` and ``environment``.
    """

    run_id: str  # hash of what was computed; the seed stands beside it
    seed: int
    status: Status
    config: dict[str, Any]  # resolved conv, model, dataset, recipe, protocol, without what is only said about them
    names: dict[str, str]  # config names of conv, model, dataset, recipe, protocol: labels, no identity
    official_data: bool
    scaled: bool  # fewer epochs or images than the protocol asks for
    num_parameters: int  # trainable
    num_macs: int  # multiply-accumulates of one image's forward pass
    num_operator_layers: int
    splits: dict[str, dict[str, Any]]  # name -> {"num_images": int, "sha256": of its index list}
    epochs: dict[str, list[float | None]]  # metric -> value per epoch; None where not finite
    selected: dict[str, dict[str, float]]  # selection rule -> {"epoch": 1-based, metric: value}; without epoch: a count
    measured: dict[str, Any]  # wall_seconds, images_per_second, peak_memory_bytes
    environment: dict[str, Any]  # git commit and dirty flag, versions, device, threads, memory layout
    reason: str = ""  # why it diverged
    schema_version: int = field(default=SCHEMA_VERSION)

    def metric(self, name: str, selection: str) -> float:
        """Value of a metric under a selection rule, in percent; counts whatever the rule.

        ``test_error`` is 100 - ``test_accuracy``.

        Raises:
            ValueError: if the record has no such metric or rule.
        """
        if name in ("num_parameters", "num_macs"):
            return float(getattr(self, name))
        if name.endswith("_error"):
            accuracy = self.metric(name.removesuffix("_error") + "_accuracy", selection)
            return round(100.0 - accuracy, 9)  # without the noise of the subtraction
        try:
            return self.selected[selection][name]
        except KeyError:
            raise ValueError(f"record {self.run_id} of seed {self.seed} has no {name} by {selection!r}.") from None


def to_json(record: Record) -> str:
    """Canonical text of a record: sorted keys, one line per field, no NaN, ends with a newline."""
    fields = sorted(dataclasses.asdict(record).items())
    lines = (f'"{key}": {json.dumps(value, sort_keys=True, allow_nan=False)}' for key, value in fields)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def from_json(text: str) -> Record:
    """Reads a record back.

    Raises:
        ValueError: if the text is not JSON, lacks or adds a field, or has another schema version.
    """
    content = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(content, dict):
        raise ValueError("a record is a JSON object.")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise ValueError(f"schema version must be {SCHEMA_VERSION}, got {content.get('schema_version')!r}.")
    known = {entry.name for entry in dataclasses.fields(Record)}
    if odd := known ^ content.keys():
        raise ValueError(f"missing or unknown fields: {', '.join(sorted(odd))}.")
    _check_types(content)
    if content["status"] not in get_args(Status):
        raise ValueError(f"status must be one of {', '.join(get_args(Status))}, got {content['status']!r}.")
    return Record(**content)


def _check_types(content: dict[str, Any]) -> None:
    for entry in dataclasses.fields(Record):
        kind: Any = get_origin(entry.type) or entry.type
        kind = str if kind is Literal else kind
        if type(content[entry.name]) is not kind:
            raise ValueError(f"`{entry.name}` must be {kind.__name__}, got {content[entry.name]!r:.40}.")
    numbers = {f"selected.{rule}": values for rule, values in content["selected"].items()}
    numbers["measured"] = content["measured"]
    for where, values in numbers.items():
        if not isinstance(values, dict) or not all(type(value) in (int, float) for value in values.values()):
            raise ValueError(f"`{where}` must hold numbers only, got {values!r:.40}.")


def _refuse_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number that a record may hold.")
