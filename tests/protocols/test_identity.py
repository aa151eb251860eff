"""Run ids: what changes them, and what does not."""

import dataclasses
import itertools
import json
import os
import subprocess
import sys

import pytest

from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id, run_id_of, what_is_computed

BASE = ["model=resnet20", "conv=dk", "dataset=fashion_mnist"]


def _id(*overrides: str) -> str:
    return run_id(compose([*BASE, *overrides]))


@pytest.mark.parametrize(
    "overrides",
    [
        ["seed=4"],
        ["machine.data_dir=/elsewhere", "machine.results_dir=/there", "machine.threads=1"],
        ["machine.accelerator=cpu", "machine.download=false"],
        ["machine.seeds_per_device=5", "machine.backend=loop", "machine.precision=tf32", "machine.compile=true"],
        ["model.memory_format=contiguous"],
        ["recipe.plateau=null", "recipe.clip_gradient_norm=null", "recipe.clip_gradient_value=null"],
        ["recipe.epochs=300"],
        ["recipe.sigma_clip=null"],
        ["recipe.optimizer.lr=1e-1"],
        ["protocol.scale=1", "protocol.images=1"],
        ["conv.name=mine", "conv.about=anything", "dataset.about=anything"],
        ["dataset.downloads=[]"],
        ["+dataset.homepage=https://example.org"],
        ["+model.placements.elsewhere=[stem_conv]"],
        ["+conv.groups=1", "+conv.dilation=1", "+conv.padding_mode=zeros"],
    ],
)
def test_what_computes_nothing_renames_nothing(overrides: list[str]) -> None:
    assert _id(*overrides) == _id()


@pytest.mark.parametrize(
    "override",
    [
        "recipe.optimizer.lr=0.05",
        "recipe.optimizer.nesterov=false",
        "recipe.optimizer.weight_decay=2e-4",
        "recipe.epochs=299",
        "recipe.milestones=[150,226]",
        "recipe.batch_size=65",
        "recipe.plateau={metric:train_loss,decay_factor:0.9,patience:10}",
        "recipe.clip_gradient_norm=1",
        "recipe.clip_gradient_value=1",
        "recipe.version=2",
        "recipe.sigma_clip=[0.1,2]",
        "recipe.augmentation.flip_probability=0.4",
        "recipe/augmentation=none",
        "protocol.scale=0.02",
        "protocol.images=0.1",
        "protocol.retrain=true",
        "protocol.validation_images=4999",
        "conv.points=4",
        "conv.hidden=5",
        "+conv.padding_mode=reflect",
        "+conv.sigma=null",
        "+conv.inner={name: a}",
        "conv=dk_first",
        "conv=standard",
        "model=resnet32",
        "dataset=mnist",
        "dataset.mean=[0.5]",
    ],
)
def test_what_computes_something_else_has_another_name(override: str) -> None:
    assert _id(override) != _id()


def test_another_checksum_is_another_run() -> None:
    config = compose(BASE)
    file = next(iter(config.dataset.files))
    files = {**config.dataset.files, file: {**config.dataset.files[file], "sha256": "0" * 64}}
    changed = dataclasses.replace(config, dataset=dataclasses.replace(config.dataset, files=files))
    assert run_id(changed) != run_id(config)


def test_key_order_does_not_matter() -> None:
    config = compose(BASE)
    names = set()
    for order in itertools.permutations(config.recipe.optimizer.items()):
        names.add(run_id(dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, optimizer=dict(order)))))
    assert names == {run_id(config)}


def test_the_hash_seed_of_python_does_not_matter() -> None:
    code = (
        "from convrepro.protocols.compose import compose; from convrepro.protocols.identity import run_id;"
        f"print(run_id(compose({BASE!r})))"
    )
    for hash_seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
            timeout=120,
        )
        assert done.stdout.strip() == _id()


def test_only_the_placement_that_is_taken_counts() -> None:
    computed = what_is_computed(compose(BASE))
    assert "placements" not in computed["model"]
    assert computed["model"]["operator_roles"]


def test_a_record_tells_its_own_run_id() -> None:
    """Its configuration is what was computed, read back from JSON."""
    config = compose([*BASE, "conv.pieces=3", "recipe.optimizer.lr=0.1"])
    assert run_id_of(json.loads(json.dumps(what_is_computed(config)))) == run_id(config)
