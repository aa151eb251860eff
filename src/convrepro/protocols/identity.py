"""The name of a run: a hash of what is computed, and of nothing else."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from convrepro.protocols.schema import Config

_HASHED = ("conv", "model", "dataset", "recipe", "protocol")
# Said about a config, where its data come from, how it lies in memory: computes nothing.
_SAID_ONLY = ("about", "name", "downloads", "homepage", "memory_format")
_CONV2D_DEFAULTS = {"dilation": 1, "groups": 1, "padding_mode": "zeros"}  # an operator's own arguments have no default


def what_is_computed(config: Config) -> dict[str, Any]:
    """The part of a config that its run id is made from.

    Seed, machine, paths, names and descriptions are not in it; the checksums of the data set's files are. Of the
    network's placements only the one that the operator takes is: a network may learn another without renaming
    its runs.
    """
    computed: dict[str, Any] = {key: _without_what_is_said(getattr(config, key)) for key in _HASHED}
    conv, model = computed["conv"], computed["model"]
    computed["conv"] = {
        key: value for key, value in conv.items() if key != "placement" and value != _CONV2D_DEFAULTS.get(key, ...)
    }
    placement, placements = conv.get("placement"), model.pop("placements", {})
    model["operator_roles"] = placements.get(placement, placement)
    return {key: _canonical(node) for key, node in computed.items()}


def run_id(config: Config) -> str:
    """The run id of what a config computes."""
    return run_id_of(what_is_computed(config))


def run_id_of(computed: Mapping[str, Any]) -> str:
    """SHA-256, in its first 16 hexadecimal digits, of the canonical JSON of what is computed, as records have it."""
    text = json.dumps(computed, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_what_is_said(node: Any) -> dict[str, Any]:
    """A node's own keys; those of a part of the schema also without what is not set, so that it may grow."""
    if isinstance(node, dict):
        return {str(key): value for key, value in node.items() if key not in _SAID_ONLY}
    own = {entry.name: getattr(node, entry.name) for entry in dataclasses.fields(node)}
    return {
        key: _without_what_is_said(value) if dataclasses.is_dataclass(value) else value
        for key, value in own.items()
        if key not in _SAID_ONLY and value is not None
    }


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _canonical(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 and 1 are the same number, however a file spells it
    return value
