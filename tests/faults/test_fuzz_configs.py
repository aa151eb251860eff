"""Any config is composed, or refused in one line that says where: types, keys, ranges, sizes, nesting."""

import copy
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro.cli.errors import one_line
from convrepro.models import build
from convrepro.protocols.compose import compose, composed_by_hydra
from convrepro.protocols.identity import run_id
from convrepro.protocols.validation import validate

_SECONDS = 5.0  # of processor time
_BASES = (["conv=dk"], ["conv=acl", "model=lenet"], ["conv=disentangled", "model=unet", "recipe=fastai"],
          ["conv=ensemble_smoothing", "model=simple_cnn"], ["model=densenet40", "conv=aconv"])  # fmt: skip
_SHAPE = {"num_classes": 3, "in_channels": 2, "image_size": [16, 16]}
_OUR_WORDS = ("NoneType", "Traceback", "DictConfig", "ListConfig", "AnyNode", "object has no attribute", "full_key")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 3, 10**9, -(10**9), 2**31, 2**63, 10**30, 2.5, -0.0, 1e-300, 1e300]),
    st.sampled_from([float("nan"), float("inf"), float("-inf")]),
    st.sampled_from(["", "x", "1e-3", "12", "null", "???", "../x", "\x1b[31m", "a\nb", "\x00", "Ω", "x" * 300]),
    st.sampled_from(["${seed}", "${nowhere}", "${conv}", "${conv.name}", "${oc.env:NOWHERE}", "${recipe.epochs}"]),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_characters="$"), max_size=20),
)
values = st.recursive(
    scalars,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text("abc_.", max_size=4), below, max_size=3),
    max_leaves=6,
)
nested = st.integers(1, 60).map(lambda depth: _nested(depth))
changes = st.tuples(st.sampled_from(["set", "set", "set", "add", "remove"]), st.integers(0, 10**6), values | nested)


def _nested(depth: int) -> Any:
    node: Any = 1
    for _ in range(depth):
        node = {"a": [node]}
    return node


def _paths(node: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [*([above] if above else []), *(path for key, below in entries for path in _paths(below, (*above, key)))]


def _changed(content: dict[str, Any], how: str, which: int, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(content)
    paths = _paths(content)
    *above, key = paths[which % len(paths)]
    node: Any = content
    for part in above:
        node = node[part]
    if how == "set":
        node[key] = value
    elif how == "remove":
        del node[key]
    elif isinstance(node, dict):
        node[f"{key}s"] = value
    return content


def _assert_is_one_line(error: ValueError) -> None:
    said = one_line(error)
    assert "\n" not in said
    assert len(said) <= 200
    assert not any(ord(character) < 32 or 126 < ord(character) < 160 for character in said)
    assert not any(word in said for word in _OUR_WORDS), said


def _settings(max_examples: int) -> settings:
    return settings(max_examples=max_examples, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck))  # fmt: skip


def test_any_tree_is_a_config_or_one_line(figure: Callable[[int, int], int]) -> None:
    bases = [OmegaConf.to_container(composed_by_hydra(["dataset=digits", *base])) for base in _BASES]

    @_settings(figure(25, 1000))
    @given(st.sampled_from(bases), st.lists(changes, min_size=1, max_size=2))
    def check(base: dict[str, Any], made: list[tuple[str, int, Any]]) -> None:
        for change in made:
            base = _changed(base, *change)
        try:
            tree = OmegaConf.create(base)
        except (OmegaConfBaseException, RecursionError):
            return  # what no file and no override can say
        started = time.process_time()
        try:
            assert len(run_id(validate(tree))) == 16
        except ValueError as error:
            _assert_is_one_line(error)
        assert time.process_time() - started < _SECONDS

    check()


def test_any_network_is_built_or_refused_in_one_line(figure: Callable[[int, int], int]) -> None:
    bases = [OmegaConf.to_container(composed_by_hydra(["dataset=digits", *base])) for base in _BASES]
    sizes = st.sampled_from([0, 1, -1, 2, 3, 7, 63, 10**6, 10**9, 2**63, None, "x", 0.5, [], [3], {"a": 1}])

    @_settings(figure(25, 1000))
    @given(
        st.sampled_from(bases),
        st.sampled_from(["conv", "model"]),
        st.integers(0, 10**6),
        sizes | st.lists(sizes, min_size=1, max_size=5) | values,
    )
    def check(base: dict[str, Any], part: str, which: int, value: Any) -> None:
        nodes = {group: dict(base[group]) for group in ("conv", "model")}
        own = [key for key in nodes[part] if key not in ("about", "name")]
        nodes[part][own[which % len(own)]] = value
        started = time.process_time()
        try:
            build(**nodes, dataset=_SHAPE)
        except ValueError as error:
            _assert_is_one_line(error)
        assert time.process_time() - started < _SECONDS

    check()


def test_any_override_is_taken_or_refused_in_one_line(figure: Callable[[int, int], int]) -> None:
    keys = ["conv.hidden", "conv._target_", "recipe.epochs", "recipe.optimizer.lr", "recipe.milestones", "seed"]
    keys += ["dataset.image_size", "plugins", "machine.threads", "model", "conv", "recipe/augmentation", "nowhere"]
    keys += ["recipe.nowhere", "recipe.plateau.patience", "hydra.x", "conv@model", "model.widths[0]"]
    texts = ["1", "-1", "1e9", "nan", "inf", "null", "[]", "{}", "[1,2]", "{a:1}", "x", "''", "'", "[", "}", "1,2", "é"]
    texts += ["${", "${x}", "${seed}", "$", "a=b", "range(3)", "../x", "???", "[" * 40, "[" * 300 + "]" * 300]
    texts += ["x" * 5000, "\x00", "\n", "a\tb", "${oc.env:HOME"]

    @_settings(figure(15, 1000))
    @given(
        st.sampled_from(["", "", "+", "++", "~"]), st.sampled_from(keys), st.sampled_from(texts) | st.text(max_size=12)
    )
    def check(sign: str, key: str, text: str) -> None:
        started = time.process_time()
        try:
            compose(["conv=dk", "dataset=digits", f"{sign}{key}={text}"])
        except ValueError as error:
            _assert_is_one_line(error)
        assert time.process_time() - started < _SECONDS

    check()
