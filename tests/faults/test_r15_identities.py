"""The same computation has the same id wherever and however it is asked for; another one has another."""

import copy
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tests.configs.test_every_config import expand_all

from convrepro.protocols.compose import compose, composed_by_hydra
from convrepro.protocols.identity import run_id, run_id_of, what_is_computed
from convrepro.protocols.validation import validate

BASES = (["conv=dk", "dataset=digits"], ["conv=aconv", "model=simple_cnn", "dataset=mnist"],
         ["conv=acl", "model=lenet", "dataset=fashion_mnist"])  # fmt: skip


def test_order_of_keys_and_places_change_nothing() -> None:
    for base in BASES:
        content = OmegaConf.to_container(composed_by_hydra(base))
        expected = run_id(compose(base))
        shuffler = random.Random(0)
        for _ in range(3):
            moved = _shuffled(content, shuffler)
            moved["machine"] |= {"data_dir": f"/x{shuffler.random()}", "results_dir": "/y", "cache_dir": "/z"}
            assert run_id(validate(OmegaConf.create(moved))) == expected


def _shuffled(node: Any, shuffler: random.Random) -> Any:
    if not isinstance(node, dict):
        return node
    keys = list(node)
    shuffler.shuffle(keys)
    return {key: _shuffled(node[key], shuffler) for key in keys}


def test_hash_seeds_and_folders_change_nothing(tmp_path: Path, figure: Callable[[int, int], int]) -> None:
    code = f"from convrepro.protocols.compose import compose; from convrepro.protocols.identity import run_id; print([run_id(compose(b)) for b in {BASES[:1]!r}])"  # noqa: E501
    found = set()
    for seed in range(figure(2, 5)):
        folder = tmp_path / f"folder {seed}"
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": str(seed), "CONVREPRO_DATA": str(folder)}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, check=True
        )
        found.add(done.stdout)
        assert not list(folder.iterdir())
    assert found == {f"{[run_id(compose(BASES[0]))]}\n".encode()}


@pytest.mark.large
def test_cells_of_tables_are_what_hydra_makes_of_them() -> None:
    """All of them, whole; tables put them together from parts that they share."""
    composed = expand_all().composed
    assert len(composed) > 300
    for overrides, config in composed.items():
        assert config == compose(overrides), overrides


def test_every_value_that_is_computed_counts() -> None:
    """Each leaf of what is computed, changed a little, makes another id; all of them differ."""
    for base in BASES:
        computed = what_is_computed(compose(base))
        ids = {run_id_of(computed)}
        leaves = list(_leaves(computed))
        for path in leaves:
            changed = copy.deepcopy(computed)
            node: Any = changed
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = _another(node[path[-1]])
            ids.add(run_id_of(changed))
        assert len(ids) == len(leaves) + 1
        assert len(leaves) > 30


def _leaves(node: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict | list) and node:
        for key, entry in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(entry, (*above, key))
    else:
        yield above


def _another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1e-9 if isinstance(value, float) else value + 1
    return f"{value}x"


def test_generated_configs_do_not_collide(figure: Callable[[int, int], int]) -> None:
    computed = what_is_computed(compose(BASES[0]))
    number, ids = figure(2_000, 100_000), set()
    for index in range(number):  # 20 x 50 x ... x the rest: all different
        computed["conv"]["hidden"] = 1 + index % 20
        computed["recipe"]["epochs"] = 1 + index // 20 % 50
        computed["recipe"]["optimizer"]["lr"] = (1 + index // 1000) / 1000
        ids.add(run_id_of(computed))
    assert len(ids) == number
