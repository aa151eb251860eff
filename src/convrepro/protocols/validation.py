"""A composed config checked against the schema and its ranges."""

import dataclasses
import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro.protocols.ranges import check_ranges
from convrepro.protocols.schema import Config

_MAX_CHARACTERS = 80  # of a value, or of known keys, in a message
_SPELLED = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    dict: "keys with values",
    Any: "a value",
}
_SPELLED_ALL = {int: "whole numbers", float: "numbers", str: "texts", dict: "keys with values each"}


def validate(composed: DictConfig) -> Config:
    """Checks a composed config against the schema.

    Raises:
        ValueError: if a key is unknown or missing, a value has the wrong type or lies outside its range; names
            the key and what is allowed.
    """
    try:
        return resolved(typed(composed))
    except OmegaConfBaseException as error:
        raise ValueError(_in_one_line(error, composed)) from error
    except RecursionError as error:
        raise ValueError("the config is nested too deep, or refers to itself.") from error


def typed(composed: DictConfig) -> DictConfig:
    """A composed config with the types of the schema, its interpolations as they stand.

    Raises:
        OmegaConfBaseException: if a key is unknown or a value has the wrong type.
    """
    merged = OmegaConf.merge(OmegaConf.structured(Config), composed)
    assert isinstance(merged, DictConfig)
    return merged


def resolved(typed_config: DictConfig) -> Config:
    """The config that a typed one stands for, its ranges checked.

    Raises:
        OmegaConfBaseException: if a value is missing, or an interpolation leads nowhere or to the wrong type.
        ValueError: if a value lies outside its range.
    """
    config = OmegaConf.to_object(typed_config)
    assert isinstance(config, Config)
    found = next(_misfits(dataclasses.asdict(config), Config, ""), None)  # OmegaConf lets keys into a list of numbers
    if found is not None:
        raise ValueError(found)
    check_ranges(config)
    return config


def _in_one_line(error: OmegaConfBaseException, composed: DictConfig) -> str:
    """What is wrong, in the schema's words; OmegaConf's speak of classes of its own, and not always of the key."""
    found = next(_misfits(OmegaConf.to_container(composed, resolve=False), Config, ""), None)
    if found is not None:
        return found
    message = _shortened((error.msg or str(error)).splitlines()[0].strip().rstrip("."))
    where = f"`{error.full_key}`" if error.full_key else "the config"
    return f"{where} refers to what is not there, or is of another type: {message}."


def _misfits(value: Any, hint: Any, key: str) -> Iterator[str]:
    """A sentence on each value that the schema has no place for, interpolations left aside."""
    kind = _without_null(hint)
    if isinstance(value, str) and "${" in value:
        return
    if value == "???":
        yield f"`{key}` must be set: {_spelled(hint)}."
    elif not (_fits(value, kind) or (value is None and kind is not hint)):
        yield f"`{key}` must be {_spelled(hint)}, got {_shown(value)}."
    elif dataclasses.is_dataclass(kind) and value is not None:
        yield from _misfits_of_part(value, kind, key)
    elif isinstance(value, dict | list) and get_origin(kind) in (dict, list):
        for below, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _misfits(
                entry, get_args(kind)[-1], f"{key}.{below}" if get_origin(kind) is dict else f"{key}[{below}]"
            )


def _misfits_of_part(value: Mapping[Any, Any], part: Any, key: str) -> Iterator[str]:
    before = f"{key}." if key else ""
    hints = _hints(part)
    for name in value:
        if name not in hints:
            nearest = difflib.get_close_matches(str(name), hints, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known there: {_listed(hints)}."
            yield f"unknown key `{before}{name}`; {hint}"
    for entry in dataclasses.fields(part):
        is_needed = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if entry.name in value:
            yield from _misfits(value[entry.name], hints[entry.name], f"{before}{entry.name}")
        elif is_needed:
            yield f"`{before}{entry.name}` must be set: {_spelled(hints[entry.name])}."


@cache
def _hints(part: Any) -> dict[str, Any]:
    return get_type_hints(part)


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value may stand for a type, its entries left aside; texts that OmegaConf reads as numbers may."""
    if kind is Any:
        return True
    if dataclasses.is_dataclass(kind) or get_origin(kind) is dict:
        return isinstance(value, dict)
    if get_origin(kind) is list:
        return isinstance(value, list)
    if isinstance(value, dict | list) or value is None:
        return False
    if kind is bool:
        return isinstance(value, bool | int) or str(value).lower() in (
            "true",
            "false",
            "yes",
            "no",
            "on",
            "off",
            "y",
            "n",
        )
    if kind is str:
        return not isinstance(value, bytes)
    try:
        kind(value)
    except (ValueError, OverflowError, TypeError):
        return False
    return not isinstance(value, bool) and not (kind is int and isinstance(value, float))


def _without_null(hint: Any) -> Any:
    options = [option for option in get_args(hint) if option is not NoneType]
    return options[0] if get_origin(hint) is UnionType else hint


def _spelled(hint: Any) -> str:
    kind = _without_null(hint)
    or_null = " or null" if kind is not hint else ""
    if dataclasses.is_dataclass(kind):
        return f"keys with values{or_null}, of {_listed(get_type_hints(kind))}"
    if get_origin(kind) is list:
        (entry,) = get_args(kind)
        return f"a list of {_SPELLED_ALL[get_origin(entry) or entry]}{or_null}"
    return _SPELLED[get_origin(kind) or kind] + or_null


def _listed(names: Iterable[str]) -> str:
    return _shortened(", ".join(names))


def _shown(value: Any) -> str:
    return "null" if value is None else _shortened(repr(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"
