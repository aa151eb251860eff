"""The name of a run: a hash of what is computed, and of nothing else."""

import dataclasses
import hashlib
import json
from typing import Any

from convrepro.protocols.schema import Config

_HASHED = ("conv", "model", "dataset", "recipe", "protocol")
_SAID_ONLY = (
    "about",
    "name",
    "downloads",
)  # said about a config, or where its data come from: computes nothing


def what_is_computed(config: Config) -> dict[str, Any]:
    """The part of a config that its run id is made from.

    Seed, machine, paths, names and descriptions are not in it; the checksums of the data set's files are. Of the
    network's placements only the one that the operator takes is: a network may learn another without renaming
    its runs.
    """
    computed: dict[str, Any] = {key: _computed(getattr(config, key)) for key in _HASHED}
    placement = computed["conv"].pop("placement", None)
    placements = computed["model"].pop("placements", {})
    computed["model"]["operator_roles"] = placements.get(placement, placement)
    return computed


def run_id(config: Config) -> str:
    """SHA-256, in its first 16 hexadecimal digits, of the canonical JSON of what is computed."""
    text = json.dumps(what_is_computed(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _computed(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if isinstance(value, dict):
        said = {key for key, entry in value.items() if key in _SAID_ONLY or entry is None}
        return {str(key): _computed(entry) for key, entry in value.items() if key not in said}
    if isinstance(value, (list, tuple)):
        return [_computed(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1.0 and 1 are the same number, however a file spells it
    return value
