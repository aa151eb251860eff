"""Many configs of one config folder: the choices that they share are composed by Hydra once."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files
from convrepro.protocols.compose import GROUPS, check_choices, composed_by_hydra
from convrepro.protocols.compose import compose as compose_anew
from convrepro.protocols.schema import Config
from convrepro.protocols.validation import resolved, typed

_APART = ("conv", "protocol")  # groups of files that choose nothing themselves: one can be put in another's place


class Composer:
    """Composes as ``convrepro.protocols.compose.compose`` does, with the same results and errors, but faster.

    A config is what Hydra makes of its choices, with the file of a group of ``_APART`` put in the place of the one
    that Hydra took, and the values set by the call that Hydra sets them with. Where that could differ from
    composing everything anew (a file with a defaults list, a part that another file writes into, an override
    that adds or deletes, an error), everything is composed anew.

    It must not outlive a change of the config folder; ``shared`` sees to it.
    """

    def __init__(self) -> None:
        self._bases: dict[frozenset[str], _Part | None] = {}
        self._files: dict[tuple[str, str], _Part | None] = {}

    def compose(self, overrides: Sequence[str]) -> Config:
        """The config of these overrides.

        Raises:
            ValueError: as ``compose`` of the same overrides.
        """
        parsed = check_choices(overrides)
        try:
            composed = self._put_together(parsed) if all(map(_only_sets, parsed)) else None
            if composed is not None:
                return resolved(composed)
        except (HydraException, OmegaConfBaseException, RecursionError):
            pass  # Hydra finds the words for it
        return compose_anew(overrides)

    def _put_together(self, parsed: Sequence[Override]) -> DictConfig | None:
        choices = {override.key_or_group: override for override in parsed if override.key_or_group in GROUPS}
        settings = [override for override in parsed if override.key_or_group not in GROUPS]
        apart = {
            group: file
            for group in _APART
            if group in choices and (file := self._file(group, str(choices[group].value()))) is not None
        }
        base = self._base([str(choices[group].input_line) for group in choices if group not in apart])
        if base is None:
            return None
        said = {**base.said, **{group: file.said for group, file in apart.items()}}
        config = copy.deepcopy(base.typed)
        for group, file in apart.items():
            config[group] = file.typed
        for setting in settings:
            if not _is_said(said, setting.key_or_group):  # the schema has keys that no file sets
                return None
            OmegaConf.update(config, setting.key_or_group, setting.value(), merge=True)
        return config

    def _base(self, choices: Sequence[str]) -> "_Part | None":
        """What Hydra makes of the choices; None if in it a part of ``_APART`` is not its own file's alone."""
        key = frozenset(choices)
        if key not in self._bases:
            composed = composed_by_hydra(choices)
            base = _Part(typed=typed(composed), said=_unresolved(composed))
            OmegaConf.set_struct(base.typed, True)  # as Hydra does before it sets values
            self._bases[key] = base if all(self._is_a_file(base.said, group) for group in _APART) else None
        return self._bases[key]

    def _is_a_file(self, said: Mapping[str, Any], group: str) -> bool:
        part = said.get(group)
        file = self._file(group, str(part.get("name"))) if isinstance(part, dict) else None
        return file is not None and part == file.said

    def _file(self, group: str, name: str) -> "_Part | None":
        """A file as Hydra puts it under its group's key; None if it says more than what stands there."""
        if (group, name) not in self._files:
            path = config_files.CONFIG_DIR / group / f"{name}.yaml"
            content = OmegaConf.load(path) if path.is_file() else None
            is_plain = isinstance(content, DictConfig) and "defaults" not in content
            is_plain = is_plain and "@package" not in path.read_text(encoding="utf-8")
            self._files[group, name] = (
                _Part(typed=typed(OmegaConf.create({group: content}))[group], said=_unresolved(content))
                if is_plain
                else None
            )
        return self._files[group, name]


@dataclass(frozen=True, kw_only=True)
class _Part:
    typed: DictConfig  # as the schema has it
    said: dict[str, Any]  # as the files have it


def compose(overrides: Sequence[str]) -> Config:
    """The config of these overrides, of the config folder as it is; as ``convrepro.protocols.compose.compose``, faster.

    Raises:
        ValueError: as there.
    """
    return shared().compose(overrides)


def shared() -> Composer:
    """The composer of the config folder as it is."""
    return _composer_of(config_files.fingerprint())


@lru_cache(maxsize=1)
def _composer_of(_fingerprint: str) -> Composer:
    return Composer()


def _only_sets(override: Override) -> bool:
    """Whether it chooses a file of one of our groups, or sets a value, no part, of a key that is there."""
    is_change = not (override.is_add() or override.is_force_add() or override.is_delete())
    is_ours = override.key_or_group in GROUPS or "/" not in override.key_or_group
    return is_change and is_ours and override.package is None and not isinstance(override.value(), dict)


def _is_said(said: Any, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(said, dict) or key not in said:
            return False
        said = said[key]
    return True


def _unresolved(node: Any) -> dict[str, Any]:
    content = OmegaConf.to_container(node, resolve=False)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}
