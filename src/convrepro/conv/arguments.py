"""Keyword arguments that a config gives, checked against the signature that receives them."""

import difflib
import inspect
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_MAX_COUNT = 1_000_000  # of whatever a network or an operator has


def parameters(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Named parameters of a class or function, their annotations resolved.

    Where an ``__init__`` takes ``**kwargs``, the parameters of the one that it extends are counted in.
    """
    found: dict[str, inspect.Parameter] = {}
    for function in _constructors(target):
        signature = inspect.signature(function)
        hints = _hints(function)
        for name, parameter in signature.parameters.items():
            if name != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                found.setdefault(name, parameter.replace(annotation=hints.get(name, Any)))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values()):
            break
    return found


def check(
    arguments: Mapping[str, Any], target: Callable[..., Any], *, given_by_code: Collection[str], owner: str
) -> None:
    """Raises ValueError unless ``target`` can be called with ``arguments`` and those that code gives it.

    Args:
        arguments: what the config says.
        target: class or function.
        given_by_code: parameters that are not the config's to set.
        owner: whose arguments these are, for the message: "conv 'dk'".
    """
    settable = {name: found for name, found in parameters(target).items() if name not in given_by_code}
    for key, value in arguments.items():
        if key not in settable:
            nearest = difflib.get_close_matches(key, settable, n=1, cutoff=0.6)
            hint = f", did you mean {nearest[0]!r}?" if nearest else ";"
            raise ValueError(f"{owner} takes no key {key!r}{hint} allowed: {', '.join(sorted(settable))}.")
        if isinstance(value, int) and abs(value) > _MAX_COUNT:
            raise ValueError(f"`{key}` of {owner} must be at most {_MAX_COUNT:,}, got {value}.")
        if not _fits(value, hint := settable[key].annotation):
            raise ValueError(f"`{key}` of {owner} must be {_spelled(hint)}, got {value!r:.80}.")
    for name, parameter in settable.items():
        if parameter.default is parameter.empty and name not in arguments:
            raise ValueError(f"{owner} lacks the key {name!r}.")


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except NameError:  # a name that is imported for type checkers only: the types cannot be known
        return {}


def _constructors(target: Callable[..., Any]) -> list[Callable[..., Any]]:
    if not inspect.isclass(target):
        return [target]
    return [vars(base)["__init__"] for base in target.__mro__ if "__init__" in vars(base)]


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value read from YAML may stand for ``hint``; True where that cannot be told."""
    kind = get_origin(hint) or hint
    if kind in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if kind is Literal:
        return value in get_args(hint)
    if kind in (None, NoneType):
        return value is None
    if kind in (int, float):
        is_number = isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
        return is_number and abs(value) <= (_MAX_COUNT if kind is int else sys.float_info.max)
    if kind in (bool, str):
        return isinstance(value, kind)
    if kind in (tuple, list, Sequence):
        return isinstance(value, list | tuple) and _entries_fit(value, kind, get_args(hint))
    return True


def _entries_fit(values: Sequence[Any], kind: Any, hints: tuple[Any, ...]) -> bool:
    if kind is tuple and hints and hints[-1] is not ...:
        return len(values) == len(hints) and all(map(_fits, values, hints))
    return not hints or all(_fits(value, hints[0]) for value in values)


def _spelled(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(repr(option) for option in get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(map(_spelled, get_args(hint)))
    if hint is NoneType:
        return "null"
    if get_origin(hint) in (list, Sequence):
        return f"list of {_spelled(get_args(hint)[0])}"
    return hint.__name__ if inspect.isclass(hint) and not get_args(hint) else str(hint)
