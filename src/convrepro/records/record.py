"""What one run leaves: one cell of one table, one seed."""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin

SCHEMA_VERSION = 2
SELECTION_RULES = ("last", "best_on_validation", "best_on_test")
Status = Literal["done", "diverged"]
_CHECKSUM = "sha256"  # a line of the file, no field of a record
_MAX_DIGITS = 19  # of 64 bits
_MISSPELLED = "it is not spelled as records are written."


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
    """Canonical text of a record: sorted keys, one line per field, no NaN, ends with a newline.

    One more line, ``sha256``, has the SHA-256 of the canonical text of all the others.
    """
    lines = {key: _line(key, value) for key, value in vars(record).items()}
    return _text({**lines, _CHECKSUM: _line(_CHECKSUM, _sha256(lines))})


def from_json(text: str | bytes) -> Record:
    """Reads a record back.

    A byte order mark and line ends of Windows, which a checkout may add, are no part of a record.

    Raises:
        ValueError: if the text is not, letter by letter, that of a record of this version; names the line.
    """
    text = (_decoded(text) if isinstance(text, bytes) else text).removeprefix("\ufeff").replace("\r\n", "\n")
    content, lines = _parse(text.split("\n"))
    line_of = {key: number for number, key in enumerate(content, 2)}
    if (version := content.get("schema_version")) != SCHEMA_VERSION:
        where = line_of.get("schema_version", 1)
        raise ValueError(f"line {where}: schema version must be {SCHEMA_VERSION}, got {version!r:.20}.")
    known = {entry.name for entry in dataclasses.fields(Record)} | {_CHECKSUM}
    if unknown := [key for key in content if key not in known]:
        raise ValueError(f"line {line_of[unknown[0]]}: unknown field {unknown[0]!r:.40}.")
    if missing := sorted(known - content.keys()):
        raise ValueError(f"line {len(content) + 2}: missing fields: {', '.join(missing)}.")
    if problem := next(_problems(content), None):
        raise ValueError(f"line {line_of[problem[0]]}: {problem[1]}.")
    if content.pop(_CHECKSUM) != _sha256({key: line for key, line in lines.items() if key != _CHECKSUM}):
        raise ValueError(f"line {line_of[_CHECKSUM]}: `sha256` is not that of the other lines: something was changed.")
    if text != _text(lines):
        pairs = itertools.zip_longest(text.split("\n"), _text(lines).split("\n"))
        where = next(number for number, (found, written) in enumerate(pairs, 1) if found != written)
        raise ValueError(f"line {where}: {_MISSPELLED}")
    return Record(**content)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line}: the file must be UTF-8, got the byte {content[error.start]:#04x}.") from None


def _parse(lines: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values and canonical lines of the fields, each of which has a line of its own, between two of braces."""
    if lines[0] != "{":
        raise ValueError("line 1: a record begins with a line `{`.")
    content: dict[str, Any] = {}
    written: dict[str, str] = {}
    for number, line in enumerate(lines[1:], 2):
        if line == "}":
            return content, written
        if not line and number == len(lines):
            break
        try:
            key, value = _parse_line(line.removesuffix(","))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if key in content:
            raise ValueError(f"line {number}: the field {key!r:.40} stands twice.")
        content[key], written[key] = value, line.removesuffix(",")
    raise ValueError(f"line {len(lines)}: the text is cut: a line `}}` must be its last.")


def _parse_line(line: str) -> tuple[str, Any]:
    try:
        fields = json.loads(f"{{{line}}}", parse_int=_whole_number, parse_float=_number, parse_constant=_number)
        key, value = fields.popitem() if len(fields) == 1 else ("", None)
        if _line(key, value) != line:
            raise ValueError(_MISSPELLED)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg}.") from None
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    return key, value


def _whole_number(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a whole number must have at most {_MAX_DIGITS} digits, got {text[:20]}...")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text:.20} is not a number that a record may hold.")
    return value


def _line(key: str, value: Any) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, sort_keys=True, allow_nan=False)}"


def _text(lines: Mapping[str, str]) -> str:
    return "{\n" + ",\n".join(lines[key] for key in sorted(lines)) + "\n}\n"


def _sha256(lines: Mapping[str, str]) -> str:
    return hashlib.sha256(_text(lines).encode()).hexdigest()


def _problems(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Fields that are not what they must be, with what is wrong with them."""
    for entry in dataclasses.fields(Record):
        kind: Any = get_origin(entry.type) or entry.type
        kind = str if kind is Literal else kind
        if type(content[entry.name]) is not kind:
            yield entry.name, f"`{entry.name}` must be {kind.__name__}, got {content[entry.name]!r:.40}"
    if content["status"] not in get_args(Status):
        yield "status", f"`status` must be one of {', '.join(get_args(Status))}, got {content['status']!r:.40}"
    if not all(type(name) is str for name in content["names"].values()):
        yield "names", f"`names` must hold texts only, got {content['names']!r:.40}"
    if not all(type(split) is dict for split in content["splits"].values()):
        yield "splits", f"`splits` must hold dicts only, got {content['splits']!r:.40}"
    for metric, values in content["epochs"].items():
        if type(values) is not list or not all(value is None or _is_number(value) for value in values):
            yield "epochs", f"`epochs` must hold lists of numbers, got {metric!r:.40}: {values!r:.40}"
    for rule, values in content["selected"].items():
        if type(values) is not dict or not all(map(_is_number, values.values())):
            yield "selected", f"`selected` must hold numbers only, got {rule!r:.40}: {values!r:.40}"
    if not all(map(_is_number, content["measured"].values())):
        yield "measured", f"`measured` must hold numbers only, got {content['measured']!r:.40}"


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)
