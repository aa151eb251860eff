"""Import of the objects that configs name under ``_target_``, from an allow-list of packages only."""

import importlib
from collections.abc import Sequence
from typing import Any

ALLOWED = ("convrepro", "torch.nn", "torch.optim")


def resolve(target: str, plugins: Sequence[str] = ()) -> Any:
    """Returns the class or function that ``target`` names.

    Args:
        target: dotted path, such as ``convrepro.conv.DynamicKernelConv2d``.
        plugins: names of further packages that the user allows.

    Raises:
        ValueError: if the target lies outside the allowed packages, was only imported into one of them from
            elsewhere (``convrepro.durable.os.system``), or does not exist.
    """
    allowed = (*ALLOWED, *plugins)
    if not _lies_in(target, allowed):
        raise ValueError(
            f"`_target_` must lie in {', '.join(allowed)}, got {target!r}; name your own package in `plugins`."
        )
    module_name, _, attribute = target.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"`_target_` {target!r} cannot be imported: {error}.") from error
    home = getattr(found, "__module__", None) or ""
    if not callable(found) or not _lies_in(f"{home}.", allowed):
        raise ValueError(f"`_target_` {target!r} must be a class or function of {', '.join(allowed)}.")
    return found


def import_plugins(plugins: Sequence[str]) -> None:
    """Imports the packages that the user allows, for what they register, such as kernel functions.

    Raises:
        ValueError: if there is no such package, or it cannot be imported.
    """
    for plugin in plugins:
        try:
            importlib.import_module(plugin)
        except (ImportError, ValueError, TypeError) as error:
            raise ValueError(f"`plugins`: {plugin!r} cannot be imported: {error}.") from error


def _lies_in(target: str, packages: Sequence[str]) -> bool:
    return any(target.startswith(f"{package}.") for package in packages)
