"""What Hydra makes objects of before anything of ours runs: its launcher, its sweeper, its callbacks, its logging.

Each names a class or function to import and call, outside our own allow-list of ``_target_``s.
"""

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from omegaconf import DictConfig, OmegaConf

from convrepro import config_files

_SETTABLE = ("hydra.launcher", "hydra.sweeper", "hydra.sweep", "hydra.run", "hydra.verbose")
_INSTANTIATED = ("hydra.launcher", "hydra.sweeper")
_HOMES = ("hydra._internal.core_plugins.", "hydra_plugins.")
_SILENT = ("version", "root", "disable_existing_loggers")  # keys of a logging that makes nothing


def check_override(override: Override) -> None:
    """Raises ValueError if an override could make Hydra import what it names, or read configs from elsewhere."""
    key, value = override.key_or_group, override.value()
    is_hydras = key.replace("/", ".").split(".")[0] == "hydra"
    if override.package is not None and (is_hydras or override.package.split(".")[0] == "hydra"):
        raise ValueError(f"`{override.input_line}` must not put a config of Hydra's elsewhere, or another into it.")
    if not is_hydras:
        return
    if key == "hydra/launcher" and not override.is_delete():
        config_files.check_name(str(value), _launchers(), kind="launcher")
        return
    node = next((node for node in _SETTABLE if key == node or key.startswith(f"{node}.")), None)
    if node is None or key in _INSTANTIATED:
        allowed = ", ".join(f"{node}.*" for node in _SETTABLE if node != "hydra.verbose")
        raise ValueError(f"`{key}` of Hydra must not be set; what may be: hydra/launcher, {allowed}, hydra.verbose.")
    if "_target_" in f"{key} {value}" or (node in _INSTANTIATED and "${" in str(value)):
        raise ValueError(f"`{override.input_line}` must not choose what Hydra imports; choose a launcher by its name.")


def _launchers() -> list[str]:
    """Hydra's, those of its installed plugins, and ours, which a plugin's of the same name does not change."""
    Plugins.instance()  # finds the plugins, which register theirs
    ours = config_files.names("hydra/launcher")
    registered = ConfigStore.instance().repo["hydra"]["launcher"]
    for name in ours:
        registered.pop(f"{name}.yaml", None)
    return [*(name.removesuffix(".yaml") for name in registered), *ours]


def check_composed(config: DictConfig) -> None:
    """Raises ValueError if a composed config, Hydra's own node included, makes Hydra import what is not Hydra's.

    A file of the config folder may have put it there.
    """
    node = config.hydra
    for path in _INSTANTIATED:
        made = OmegaConf.select(config, path)
        target = str(made.get("_target_"))
        below = [made._get_node(key) for key in made if key != "_target_"]
        if not target.startswith(_HOMES) or "_target_" in str(below):
            raise ValueError(f"`{path}` must be one of Hydra's own, got {target!r}.")
    for name in ("callbacks", "searchpath"):
        if node[name]:
            raise ValueError(f"`hydra.{name}` must be empty, got {node[name]}.")
    for name in ("job_logging", "hydra_logging"):
        if set(node[name] or ()) - set(_SILENT) or (node[name] or {}).get("root"):
            raise ValueError(f"`hydra.{name}` must be none: it could name anything that Python imports.")
