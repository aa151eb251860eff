"""Configs from the config folder and overrides, by Hydra, checked against the schema."""

from collections.abc import Sequence

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files
from convrepro.protocols.schema import Config, validate

GROUPS = ("conv", "model", "dataset", "recipe", "recipe/augmentation", "protocol", "machine")


def compose(overrides: Sequence[str]) -> Config:
    """Composes ``configs/train.yaml`` with Hydra overrides.

    Raises:
        ValueError: if an override cannot be parsed, or names an unknown config (with the nearest one) or key, or
            gives a value of the wrong type or range.
    """
    check_choices(overrides)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(config_files.CONFIG_DIR), version_base="1.3"):
            composed = hydra_compose("train", list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(in_one_line(error)) from error
    return validate(composed)


def check_choices(overrides: Sequence[str]) -> None:
    """Raises ValueError if an override cannot be parsed, or chooses a config that does not exist."""
    try:
        parsed = OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise ValueError(in_one_line(error)) from error
    for override in parsed:
        if override.key_or_group not in GROUPS or override.is_delete():
            continue
        choices = override.sweep_string_iterator() if override.is_sweep_override() else [override.value()]
        for choice in choices:
            config_files.check_name(str(choice), config_files.names(override.key_or_group), kind=override.key_or_group)


def in_one_line(error: Exception) -> str:
    """The message of a Hydra or OmegaConf error, joined to one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__
