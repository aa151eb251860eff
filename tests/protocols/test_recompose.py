"""From records back to configs."""

import copy
import dataclasses
import hashlib
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from convrepro.protocols import grid
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.recompose import config_of, overrides_of
from convrepro.protocols.schema import Config
from convrepro.records import Record, store
from convrepro.records.record import from_json, to_json


def _record(config: Config, **changes: Any) -> Record:
    """A record of the config's run, read back from its text."""
    names = {
        "conv": config.conv["name"],
        "model": config.model["name"],
        "dataset": config.dataset.name,
        "recipe": config.recipe.name,
        "protocol": config.protocol.name,
    }
    record = Record(
        run_id=run_id(config),
        seed=config.seed,
        status="done",
        config=what_is_computed(config),
        names=names,
        official_data=config.dataset.official,
        scaled=config.is_scaled,
        num_parameters=0,
        num_macs=0,
        num_operator_layers=0,
        splits={},
        epochs={},
        selected={},
        measured={},
        environment={"git_commit": "0123456789abcdef"},
    )
    return dataclasses.replace(from_json(to_json(record)), **changes)


def _changed(record: Record, path: str, value: Any) -> Record:
    """The record with another value at a path of its config; the run id stays."""
    config = copy.deepcopy(record.config)
    *above, key = path.split("/")
    node = config
    for name in above:
        node = node[name]
    node[key] = value
    return dataclasses.replace(record, config=config)


@pytest.mark.parametrize(
    ("table", "arguments"),
    [
        ("quickstart", {}),
        ("dk_table6", {}),
        ("dk_table8", {"scale": 0.02, "images": 0.1}),
        ("dk_table7", {"datasets": {"": "cifar10_jpeg"}, "scale": 0.5}),
        ("dk_figure5", {}),
    ],
)
def test_a_tables_cells_come_back(table: str, arguments: dict[str, Any]) -> None:
    cells = list(grid.plan(table, **arguments).configs.values())
    for config in cells[:: max(1, len(cells) // 3)]:
        found = config_of(_record(config))
        assert run_id(found) == run_id(config)
        assert found.is_scaled == config.is_scaled


@pytest.mark.parametrize(
    "overrides",
    [
        ["conv=dk", "conv.points=4", "conv.init_mode=fan_out"],
        ["conv=dk", "conv.placement=all"],
        ["conv=dk", "+conv.padding_mode=reflect", "+conv.sigma=null", "+conv.inner={deep: [1.5, 'a b', true]}"],
        ["dataset=cifar10", "recipe/augmentation=none"],
        ["dataset=cifar10", "recipe.augmentation.flip_probability=0.25", "recipe.augmentation.erase_area=[0.1,0.2]"],
        ["model=resnet20", "model.widths=[4,8,12]", "recipe=dk_adam", "protocol=dk_cifar"],
        ["recipe.milestones=[]", "recipe.optimizer.lr=1e-5", "recipe.epochs=3", "protocol.retrain=true"],
        ["recipe=dk_sgd", "~recipe.optimizer.nesterov", "recipe.sigma_clip=[0.1,2]"],
        ["dataset.mean=[0.5]", "dataset.num_classes=11", "model.filters=8"],
    ],
)
def test_what_was_overridden_comes_back(overrides: list[str]) -> None:
    config = compose([*overrides, "seed=3"])
    record = _record(config)
    found = config_of(record)
    assert (run_id(found), found.seed) == (record.run_id, 3)
    spelled = shlex.split(shlex.join(overrides_of(record)))
    assert run_id(compose(spelled)) == record.run_id


def test_what_is_as_configured_is_not_overridden() -> None:
    record = _record(compose(["model=resnet20", "conv=dk", "conv.hidden=5"]))
    assert overrides_of(record) == [
        "conv=dk", "model=resnet20", "dataset=digits", "recipe=dk_sgd", "protocol=holdout_200", "seed=0",
        "conv.hidden=5",
    ]  # fmt: skip


def test_records_of_this_repository_come_back() -> None:
    records = store.read_everything(Path(__file__).parents[2] / "results" / "records")
    assert records
    for record in records[:: max(1, len(records) // 5)]:
        assert run_id(config_of(record)) == record.run_id


def test_packages_that_the_user_allows_are_in_the_config() -> None:
    assert config_of(_record(compose(["plugins=[mine]"])), plugins=["mine", "yours"]).plugins == ["mine", "yours"]


@pytest.mark.parametrize("node", ["conv", "model", "dataset", "recipe/optimizer"])
def test_a_target_is_the_config_files_never_the_records(node: str) -> None:
    config = compose(["conv=dk"])
    assert config_of(_changed(_record(config), f"{node}/_target_", "os.system")) == config
    with pytest.raises(ValueError, match=r"are not those of run \w+; check out the commit"):
        config_of(_record(compose(["conv=dk", f"{node.replace('/', '.')}._target_=torch.nn.Conv2d"])))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("recipe/version", 2),
        ("dataset/files", {"a/file.npz": {"sha256": "0"}}),
        ("model/operator_roles", ["conv2"]),
    ],
)
def test_another_run_is_refused_and_the_commit_is_named(path: str, value: Any) -> None:
    """A recipe's other version is other code, files have other checksums, and no placement stands for these roles."""
    record = _changed(_record(compose(["conv=dk"])), path, value)
    text = json.dumps(record.config, sort_keys=True, separators=(",", ":"))
    record = dataclasses.replace(record, run_id=hashlib.sha256(text.encode()).hexdigest()[:16])
    with pytest.raises(ValueError, match=f"are not those of run {record.run_id}; check out .* it, 0123456789ab"):
        config_of(record)


def test_a_value_of_another_run_is_refused() -> None:
    with pytest.raises(ValueError, match="are not those of run"):
        config_of(_changed(_record(compose(["conv=dk"])), "conv/hidden", 5))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"conv": "dkk"}, "unknown conv 'dkk'; did you mean 'dk'"),
        ({"conv": "dk,standard"}, "unknown conv 'dk,standard'"),
        ({"model": "../../etc/passwd"}, "unknown model"),
        ({"protocol": ""}, "unknown protocol ''"),
    ],
)
def test_a_name_that_is_no_config_of_ours(names: dict[str, str], message: str) -> None:
    record = _record(compose(["conv=dk"]))
    with pytest.raises(ValueError, match=message) as error:
        config_of(dataclasses.replace(record, names={**record.names, **names}, environment={}))
    assert str(error.value).startswith(f"run {record.run_id} cannot be composed here: ")
    assert str(error.value).endswith("use the configs that it was made with.")
