"""Configs that share their choices, against composing each anew; those of all tables are in tests/configs."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from omegaconf import DictConfig

from convrepro import config_files
from convrepro.protocols import composer as composer_module
from convrepro.protocols import grid
from convrepro.protocols.compose import compose, composed_by_hydra
from convrepro.protocols.composer import Composer
from convrepro.protocols.schema import Config

BASE = ["dataset=fashion_mnist", "model=resnet20", "conv=dk"]


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer()


@pytest.fixture
def hydra_calls(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    calls: list[Sequence[str]] = []

    def counted(overrides: Sequence[str]) -> DictConfig:
        calls.append(overrides)
        return composed_by_hydra(overrides)

    monkeypatch.setattr(composer_module, "composed_by_hydra", counted)
    return calls


def _cells(name: str, monkeypatch: pytest.MonkeyPatch, **asked: object) -> list[tuple[Sequence[str], Config]]:
    """The overrides of each cell of a table, and what its expansion made of them."""
    seen: list[tuple[Sequence[str], Config]] = []
    fast = Composer.compose

    def noted(self: Composer, overrides: Sequence[str]) -> Config:
        seen.append((overrides, fast(self, overrides)))
        return seen[-1][1]

    monkeypatch.setattr(Composer, "compose", noted)
    grid.plan(name, **asked)  # type: ignore[arg-type]
    return seen


def test_a_scaled_table_on_other_data_is_what_hydra_makes_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"scale": 0.02, "images": 0.5, "datasets": {"": "cifar10_jpeg"}, "machine_overrides": ["machine.threads=1"]}
    for overrides, config in _cells("dk_table7", monkeypatch, **asked):
        assert config == compose(overrides), overrides


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["seed=3", "plugins=[a,b]"],
        ["protocol=count"],
        ["protocol=dk_cifar", "protocol.scale=1"],
        ["recipe=quickstart", "recipe/augmentation=dk_cifar", "recipe.augmentation.crop_padding=2"],
        ["machine=default", "machine.results_dir='a b'", "machine.download=no"],
        ["conv.points=5", "conv.name=mine"],
        ["model.placements.all=[conv]"],
        ["recipe.optimizer={lr:1e-2}"],
        ["recipe.milestones=[1,2]", "recipe.sigma_clip=[1,2]", "recipe.epochs=3"],
        ["recipe.plateau={metric:train_loss,decay_factor:0.5,patience:3}"],
        ["dataset.mean=[0]", "dataset.num_classes=7"],  # the model's classes are the data set's
        ["conv=standard", "conv=dk_first"],
        ["+conv.groups=2", "conv.points=4"],
        ["~recipe.optimizer.weight_decay"],
        ["++model.new=1", "hydra.verbose=true"],
    ],
)
def test_so_is_whatever_overrides_say(composer: Composer, overrides: list[str]) -> None:
    for _ in range(2):  # from nothing, and from what the first left
        assert composer.compose([*BASE, *overrides]) == compose([*BASE, *overrides])


@pytest.mark.parametrize(
    "override",
    [
        "model=resnet2O", "conv=dkk", "recipe.epocs=3", "modl=resnet20", "seed=0,1", "conv.hiden=5", "model=[", "=3",
        "recipe.epochs=many", "recipe.epochs=1.5", "recipe.epochs=null", "recipe.epochs=0", "protocol.scale=2",
        "machine=null", "table=quickstart", "recipe.milestones=3", "conv={a:1}", "seed=-1",
        "machine.data_dir=${nothing}", "~conv", "+conv.points=1", "dataset.name=[a]", "model@other=cnn4",
    ],
)  # fmt: skip
def test_a_wrong_override_is_told_in_the_same_words(composer: Composer, override: str) -> None:
    with pytest.raises(ValueError, match=r".") as anew:
        compose([*BASE, override])
    with pytest.raises(ValueError, match=r".") as shared:
        composer.compose([*BASE, override])
    assert str(shared.value) == str(anew.value)


def test_hydra_composes_each_network_and_data_set_once(hydra_calls: list[Sequence[str]]) -> None:
    composer = Composer()
    for model in ("cnn4", "resnet20"):
        for conv in ("standard", "dk", "dk_first"):
            for protocol in ([], ["protocol=count"]):
                composer.compose([f"model={model}", f"conv={conv}", "dataset=cifar10", "seed=1", *protocol])
    assert hydra_calls == [["model=cnn4", "dataset=cifar10"], ["model=resnet20", "dataset=cifar10"]]


def test_a_config_is_nobody_elses(composer: Composer) -> None:
    composer.compose(BASE).conv["points"] = -1
    composer.compose(BASE).dataset.mean.append(9.0)
    assert composer.compose(BASE) == compose(BASE)


def test_a_folder_that_chooses_no_operator_is_told_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _copy_configs(tmp_path, monkeypatch)
    path = tmp_path / "train.yaml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "- conv:" not in line))
    for compose_ in (compose, Composer().compose):
        with pytest.raises(ValueError, match=r"^`conv` must be set: keys with values"):
            compose_(["model=cnn4", "dataset=digits"])


def test_an_operator_that_chooses_a_recipe_is_composed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _copy_configs(tmp_path, monkeypatch)
    content = {"defaults": [{"override /recipe@_global_.recipe": "quickstart"}, "_self_"], "about": "", "name": "mine"}
    content |= {"_target_": "torch.nn.Conv2d", "placement": "none"}
    (tmp_path / "conv" / "mine.yaml").write_text(yaml.safe_dump(content))
    composer = Composer()
    assert composer.compose(["model=resnet20"]).recipe.name == "dk_sgd"
    mine = ["model=resnet20", "conv=mine"]
    assert composer.compose(mine) == compose(mine)
    assert composer.compose(mine).recipe.name == "quickstart"


def test_a_network_that_writes_into_its_operator_is_composed_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _copy_configs(tmp_path, monkeypatch)
    content = yaml.safe_load((tmp_path / "model" / "cnn4.yaml").read_text())
    content["defaults"].insert(0, {"/protocol@_global_.conv": "count"})
    (tmp_path / "model" / "mine.yaml").write_text(yaml.safe_dump(content))
    for conv in ("standard", "dk"):
        overrides = ["model=mine", f"conv={conv}"]
        assert Composer().compose(overrides) == compose(overrides)
        assert compose(overrides).conv["task"] == "count"


def test_a_key_of_the_schema_that_no_file_sets_cannot_be_set_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _copy_configs(tmp_path, monkeypatch)
    path = tmp_path / "recipe" / "dk_sgd.yaml"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for line in lines if not line.startswith("sigma_clip:")))
    for compose_ in (compose, Composer().compose):
        with pytest.raises(ValueError, match="unknown key of recipe 'sigma_clip'"):
            compose_([*BASE, "recipe.sigma_clip=[1,2]"])


def test_a_changed_config_folder_has_another_composer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _copy_configs(tmp_path, monkeypatch)
    first = composer_module.shared()
    assert composer_module.shared() is first
    path = tmp_path / "conv" / "dk.yaml"
    path.write_text(path.read_text().replace("points: 3", "points: 4"))
    assert composer_module.shared().compose(BASE).conv["points"] == 4


def _copy_configs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in config_files.contents().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    monkeypatch.setattr(config_files, "CONFIG_DIR", folder)
