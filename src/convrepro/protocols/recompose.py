"""From a record back to its config, by the config files here: nothing that a record says is imported."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convrepro import config_files
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.schema import Config
from convrepro.records import Record

_GROUPS = ("conv", "model", "dataset", "recipe", "protocol")
_WITH_ANY_KEY = ("conv", "model", "recipe.optimizer", "dataset.options")  # in the others, what is not set is null
# Imports are the files' to name; roles are a placement's; another version of a recipe is another code.
_NEVER = re.compile(r"(.*\.)?_target_|model\.operator_roles|recipe\.version")


def config_of(record: Record, plugins: Sequence[str] = ()) -> Config:
    """The config of a record's run, its seed included.

    Raises:
        ValueError: if the configs here do not make that run; says what to do.
    """
    return compose(overrides_of(record, plugins))


def overrides_of(record: Record, plugins: Sequence[str] = ()) -> list[str]:
    """Hydra overrides that make a record's run, as ``convrepro train`` takes them.

    They are its choices by name, then each value in which these differ from what was computed.

    Args:
        record: of any run.
        plugins: names of packages outside this one from which a ``_target_`` may come.

    Raises:
        ValueError: as in ``config_of``.
    """
    commit = str(record.environment.get("git_commit", ""))[:12]
    remedy = f"check out the commit that made it, {commit}" if commit else "use the configs that it was made with"
    names = {group: str(record.names.get(group)) for group in _GROUPS}
    try:
        for group, name in names.items():
            config_files.check_name(name, config_files.names(group), kind=group)
        overrides = [f"{group}={name}" for group, name in names.items()] + [f"seed={record.seed}"]
        overrides += [f"plugins=[{','.join(plugins)}]"] if plugins else []
        named = compose(overrides)
        overrides += [*_placement(named, record.config), *_differing(what_is_computed(named), record.config)]
        found = run_id(compose(overrides))
    except ValueError as error:
        raise ValueError(f"run {record.run_id} cannot be composed here: {error} To have it, {remedy}.") from error
    if found != record.run_id:
        raise ValueError(f"the configs or plugins here are not those of run {record.run_id}; {remedy}.")
    return overrides


def _placement(named: Config, recorded: Mapping[str, Any]) -> Iterator[str]:
    """The placement that stands for the roles that the operator had, if it is not the config's own."""
    roles = recorded["model"]["operator_roles"]
    if what_is_computed(named)["model"]["operator_roles"] != roles:
        for placement, others in named.model["placements"].items():
            if list(others) == roles:
                yield f"conv.placement={placement}"
                return


def _differing(ours: Any, recorded: Any, path: str = "") -> Iterator[str]:
    """An override for each leaf in which the record differs."""
    if not (isinstance(ours, dict) and isinstance(recorded, dict)):
        if ours != recorded:
            yield f"{path}={_spelled(recorded)}"
        return
    for key in sorted({*ours, *recorded}):
        below = f"{path}.{key}" if path else key
        if _NEVER.fullmatch(below) or not re.fullmatch(r"\w+", key):  # no override can name a file
            continue
        if key in ours and key in recorded:
            yield from _differing(ours[key], recorded[key], below)
        elif key in recorded:
            yield f"+{below}={_spelled(recorded[key])}"
        else:
            yield f"~{below}" if path.startswith(_WITH_ANY_KEY) else f"{below}=null"


def _spelled(value: Any) -> str:
    """A value in Hydra's grammar."""
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    if isinstance(value, list):
        return f"[{','.join(map(_spelled, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_spelled(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value)
