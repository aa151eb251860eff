"""Configs from the config folder and overrides, by Hydra, checked against the schema."""

from collections.abc import Sequence
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files
from convrepro.protocols import hydra_nodes
from convrepro.protocols.schema import Config
from convrepro.protocols.validation import validate

GROUPS = ("conv", "model", "dataset", "recipe", "recipe/augmentation", "protocol", "machine")


def compose(overrides: Sequence[str]) -> Config:
    """Composes ``configs/train.yaml`` with Hydra overrides.

    Raises:
        ValueError: if an override cannot be parsed, or names an unknown config (with the nearest one) or key, or
            gives a value of the wrong type or range.
    """
    try:
        check_choices(overrides)
        composed = composed_by_hydra(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise explained(error, overrides) from error
    except RecursionError as error:
        raise ValueError("the config is nested too deep, or refers to itself.") from error
    return validate(composed)


def check_choices(overrides: Sequence[str], *, several: bool = False) -> list[Override]:
    """The overrides, parsed.

    Args:
        overrides: as on the command line.
        several: whether an override may have several values, for a sweep.

    Raises:
        ValueError: if an override cannot be parsed, chooses a config that does not exist, or has several values.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"an override cannot be read, quote what is no plain word: {said}") from error
    except RecursionError as error:
        raise ValueError("an override is nested too deep.") from error
    for override in parsed:
        hydra_nodes.check_override(override)
        if override.is_sweep_override() and not several:
            raise ValueError(f"`{override.input_line}` has several values: a sweep needs -m.")
        if override.key_or_group not in GROUPS or override.is_delete():
            continue
        choices = override.sweep_string_iterator() if override.is_sweep_override() else [override.value()]
        for choice in choices:
            config_files.check_name(str(choice), config_files.names(override.key_or_group), kind=override.key_or_group)
    return parsed


def explained(error: Exception, overrides: Sequence[str]) -> ValueError:
    """An error of Hydra or OmegaConf on one line; for a key that is not there, with the nearest one."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    choices = [override for override in parsed if override.key_or_group in GROUPS]
    settings = [override for override in parsed if override not in choices and not override.is_add()]
    try:
        composed = composed_by_hydra([choice.input_line or "" for choice in choices if not choice.is_sweep_override()])
        for setting in settings:
            if not setting.key_or_group.startswith("hydra"):  # Hydra's own keys are not in what it composes
                _check_key(composed, setting.key_or_group)
    except ValueError as unknown_key:
        return unknown_key
    except (HydraException, OmegaConfBaseException):
        pass  # the choices themselves do not compose: the first error says why
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ValueError(" ".join(lines[:2]) if lines else type(error).__name__)


def check_files(overrides: Sequence[str]) -> None:
    """Raises ValueError if a chosen file of the config folder makes Hydra import what is not Hydra's.

    Args:
        overrides: of ``convrepro train``, for a sweep too; none of them is wrong by itself.
    """
    parsed = check_choices(overrides, several=True)
    single = [override.input_line or "" for override in parsed if not override.is_sweep_override()]
    swept = [override for override in parsed if override.is_sweep_override() and override.key_or_group in GROUPS]
    one_each = [
        f"{override.key_or_group}={choice}" for override in swept for choice in override.sweep_string_iterator()
    ]
    for choices in [single, *([*single, choice] for choice in one_each)]:
        try:
            composed = composed_by_hydra(choices, with_its_own=True)
        except (HydraException, OmegaConfBaseException):
            continue  # Hydra says it when it runs
        hydra_nodes.check_composed(composed)


def composed_by_hydra(overrides: Sequence[str], *, with_its_own: bool = False) -> DictConfig:
    """What Hydra makes of ``configs/train.yaml`` and the overrides, unchecked; with Hydra's own node if asked for."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(config_files.CONFIG_DIR), version_base="1.3"):
        return hydra_compose("train", list(overrides), return_hydra_config=with_its_own)


def _check_key(composed: DictConfig, path: str) -> None:
    node: Any = composed
    keys = path.split(".")
    for depth, key in enumerate(keys):
        if not OmegaConf.is_dict(node):
            return
        config_files.check_name(key, map(str, node), kind=f"key of {'.'.join(keys[:depth]) or 'the config'}")
        node = node._get_node(key)
