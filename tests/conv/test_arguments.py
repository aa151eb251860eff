import re
from typing import Any, Literal

import pytest
from torch import nn

from convrepro.conv import arguments


class _Doubled(nn.Conv2d):
    def __init__(self, *args: Any, strength: float, mode: Literal["a", "b"] = "a", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.strength, self.mode = strength, mode


def _sized(size: tuple[int, int] | None = None, *, exact: bool = False, name: str = "") -> None:
    pass


def _check(target: Any, **values: Any) -> None:
    arguments.check(values, target, given_by_code=("in_channels", "out_channels", "kernel_size"), owner="conv 'x'")


def test_parameters_passed_on_by_kwargs_count() -> None:
    _check(_Doubled, strength=1, mode="b", dilation=2, padding_mode="reflect")


def test_key_unknown() -> None:
    message = r"conv 'x' takes no key 'strenght', did you mean 'strength'\? allowed: bias, device, .*stride\.$"
    with pytest.raises(ValueError, match=message):
        _check(_Doubled, strenght=1.0)


def test_key_unknown_and_like_no_other() -> None:
    with pytest.raises(ValueError, match=r"conv 'x' takes no key 'zzz'; allowed: exact, name, size\.$"):
        _check(_sized, zzz=1)


def test_key_that_is_not_the_configs_to_set() -> None:
    with pytest.raises(ValueError, match="conv 'x' takes no key 'in_channels'"):
        _check(_Doubled, strength=1.0, in_channels=3)


def test_key_missing() -> None:
    with pytest.raises(ValueError, match=r"^conv 'x' lacks the key 'strength'\.$"):
        _check(_Doubled)


@pytest.mark.parametrize(
    ("target", "key", "value", "expected"),
    [
        (_Doubled, "strength", "1e-3", "float"),  # YAML 1.1 reads 1e-3 as text
        (_Doubled, "strength", True, "float"),
        (_Doubled, "mode", "c", "'a' or 'b'"),
        (_Doubled, "groups", 1.0, "int"),
        (_Doubled, "groups", 10**9, "at most 1,000,000"),
        (_Doubled, "strength", float("nan"), "float"),
        (_Doubled, "strength", float("inf"), "float"),
        (_sized, "size", [3], r"tuple\[int, int\] or null"),
        (_sized, "size", [3, "4"], r"tuple\[int, int\] or null"),
        (_sized, "exact", 1, "bool"),
        (_sized, "name", None, "str"),
        (_sized, "size", 3, r"tuple\[int, int\] or null"),
    ],
)
def test_type_wrong(target: Any, key: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=rf"`{key}` of conv 'x' must be {expected}, got {re.escape(repr(value))}"):
        _check(target, **{"strength": 1.0, key: value} if target is _Doubled else {key: value})


@pytest.mark.parametrize("size", [[3, 4], (3, 4), None])
def test_type_right(size: Any) -> None:
    _check(_sized, size=size, exact=True, name="n")


def test_annotation_that_cannot_be_resolved_is_not_checked() -> None:
    def plugin(size: "OnlyForTypeCheckers") -> None:  # type: ignore[name-defined]  # noqa: F821
        pass

    _check(plugin, size="anything")
