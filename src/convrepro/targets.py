"""Import of the objects that configs name under ``_target_``, from an allow-list of packages only.

What is asked for decides what may be named: where a convolution stands, only a class of convolutions is found. Nothing
outside the allow-list is imported, for to import a module is to run it.
"""

import difflib
import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import ModuleType
from typing import Any

_PACKAGE = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)  # no private part, and no dunder
# Never a user's own package, whatever `plugins` says: beyond its own allow-list each could run anything.
_NO_PLUGINS = sys.stdlib_module_names | {
    "convrepro", "hydra", "hydra_plugins", "joblib", "lightning", "matplotlib", "numpy", "omegaconf", "pandas", "pip",
    "pooch", "requests", "scipy", "setuptools", "sklearn", "tensorboard", "torch", "torchvision", "urllib3", "yaml",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What may stand under a ``_target_``.

    Attributes:
        what: for messages.
        packages: that have it, at any depth.
        public: modules of torch whose public names may be it.
        base: the class that it extends; "" for functions.
        names: that functions of ``packages`` have.
    """

    what: str
    packages: tuple[str, ...] = ()
    public: tuple[str, ...] = ()
    base: str = ""
    names: tuple[str, ...] = ()


OPERATOR = Kind(
    what="a class of layers", packages=("convrepro.conv",), public=("torch.nn",), base="torch.nn.modules.module.Module"
)
NETWORK = Kind(what="a class of networks", packages=("convrepro.models",), base="torch.nn.modules.module.Module")
OPTIMIZER = Kind(what="a class of optimizers", public=("torch.optim",), base="torch.optim.optimizer.Optimizer")
READER = Kind(
    what="a function that reads data", packages=("convrepro.data", "convrepro.benchmarks"), names=("read", "generate")
)
KINDS = (OPERATOR, NETWORK, OPTIMIZER, READER)


def resolve(target: str, plugins: Sequence[str] = (), kind: Kind | None = None) -> Any:
    """Returns the class or function that ``target`` names.

    Args:
        target: dotted path, such as ``convrepro.conv.DynamicKernelConv2d``.
        plugins: names of further packages that the user allows.
        kind: what it must be; one of ``KINDS`` if that is left open.

    Raises:
        ValueError: if the target lies outside the allowed packages, was only imported into one of them from
            elsewhere (``convrepro.durable.os.system``), is something else, or does not exist; names the nearest one.
    """
    if not isinstance(target, str):
        raise ValueError(f"`_target_` must be the name of a class or function, got {target!r:.80}.")
    check_plugins(plugins)
    kinds = KINDS if kind is None else (kind,)
    module_name, _, name = target.rpartition(".")
    own = [kind for kind in kinds if module_name in kind.public or _lies_in(target, kind.packages)]
    if not _PACKAGE.fullmatch(target) or not (own or _lies_in(target, plugins)):
        allowed = dict.fromkeys(package for kind in kinds for package in (*kind.packages, *kind.public))
        raise ValueError(
            f"`_target_` must lie in {', '.join([*allowed, *plugins])}, got {target!r}; "
            "name your own package in `plugins`."
        )
    module = _import(module_name, f"`_target_` {target!r}")
    found = getattr(module, name, None)
    allowed_as = own or kinds
    if any(_is(found, kind, plugins) for kind in allowed_as):
        return found
    known = [other for other, value in vars(module).items() if any(_is(value, kind, plugins) for kind in allowed_as)]
    nearest = difflib.get_close_matches(name, [other for other in known if not other.startswith("_")], n=1)
    hint = f"; did you mean {module_name}.{nearest[0]}?" if nearest else "."
    if found is None:
        raise ValueError(f"`_target_` {target!r} does not exist{hint}")
    raise ValueError(f"`_target_` {target!r} is not {' or '.join(kind.what for kind in allowed_as)}{hint}")


def import_plugins(plugins: Sequence[str]) -> None:
    """Imports the packages that the user allows, for what they register, such as kernel functions.

    Raises:
        ValueError: if there is no such package, it cannot be imported, or it is nobody's own.
    """
    check_plugins(plugins)
    for plugin in plugins:
        _import(plugin, f"`plugins`: {plugin!r}")


def check_plugins(plugins: Sequence[str]) -> None:
    """Raises ValueError if a name is no package's, or that of one that is not the user's own."""
    for plugin in plugins:
        if not _PACKAGE.fullmatch(plugin):
            raise ValueError(f"`plugins`: {plugin!r} cannot be imported: it is no package's name.")
        if plugin.partition(".")[0] in _NO_PLUGINS | _requirements():
            raise ValueError(f"`plugins` must name packages of your own, got {plugin!r}.")


@cache
def _requirements() -> frozenset[str]:
    """Packages that this project needs, and those that these need: each could run anything, and is nobody's own."""
    needed: set[str] = set()
    waiting = ["convrepro"]
    while waiting:
        name = waiting.pop()
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found = {re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in lines}
        waiting += found - needed
        needed |= found
    by_package = metadata.packages_distributions()
    return frozenset(
        package
        for package, distributions in by_package.items()
        if any(name.lower().replace("_", "-") in needed for name in distributions)
    )


def _import(module_name: str, asked: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except Exception as error:  # whatever the code of a plugin raises
        raise ValueError(f"{asked} cannot be imported: {error}.") from error


def _is(found: Any, kind: Kind, plugins: Sequence[str]) -> bool:
    """Whether an object is of a kind, and at home where it may be."""
    home = getattr(found, "__module__", None)
    if not isinstance(home, str):
        return False
    is_ours = _lies_in(f"{home}.", (*kind.packages, *kind.public))
    if not is_ours and not _lies_in(f"{home}.", plugins):
        return False
    if not kind.base:
        return inspect.isfunction(found) and (not is_ours or found.__name__ in kind.names)
    return inspect.isclass(found) and kind.base in [f"{base.__module__}.{base.__qualname__}" for base in found.__mro__]


def _lies_in(target: str, packages: Sequence[str]) -> bool:
    return any(target.startswith(f"{package}.") for package in packages)
