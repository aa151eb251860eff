"""Every file in the config folder composes, builds and says what it is."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from convrepro import config_files
from convrepro.conv.arguments import parameters
from convrepro.protocols import grid
from convrepro.protocols.compose import compose as compose_anew
from convrepro.protocols.composer import Composer, compose
from convrepro.protocols.network import build_network
from convrepro.protocols.schema import Config
from convrepro.protocols.train import make_optimizer
from convrepro.targets import resolve

BUILT = ("conv", "model", "recipe", "recipe/augmentation", "protocol", "machine")
GROUPS = ("conv", "model", "dataset", "recipe", "recipe/augmentation", "protocol", "machine", "table", "campaign")


def _files(*groups: str) -> list[tuple[str, str]]:
    return [(group, name) for group in groups for name in config_files.names(group)]


@pytest.mark.parametrize(("group", "name"), _files(*GROUPS))
def test_a_config_has_its_own_name_and_one_line_about_itself(group: str, name: str) -> None:
    content = config_files.load(group, name)
    assert content["name"] == name
    assert content["about"]
    assert "\n" not in content["about"]


@pytest.mark.parametrize(("group", "name"), _files(*BUILT))
def test_a_config_composes_and_builds(group: str, name: str) -> None:
    config = compose(["dataset=fashion_mnist", f"{group}={name}"])
    make_optimizer(config)
    assert sum(parameter.numel() for parameter in build_network(config).parameters()) > 0


@pytest.mark.parametrize("name", config_files.names("dataset"))
def test_a_dataset_composes_and_every_network_of_the_default_takes_it(name: str) -> None:
    config = compose([f"dataset={name}", "model=resnet20"])
    assert len(config.dataset.mean) == len(config.dataset.std) == config.dataset.in_channels
    assert callable(resolve(config.dataset._target_))
    build_network(config)


@dataclass(frozen=True)
class Expanded:
    """All tables.

    Args:
        plans: by name.
        composed: what the expansion has put together, by its overrides.
    """

    plans: dict[str, grid.PlannedTable]
    composed: dict[tuple[str, ...], Config]


def expand_all() -> Expanded:
    composed: dict[tuple[str, ...], Config] = {}
    fast = Composer.compose

    def noted(self: Composer, overrides: Sequence[str]) -> Config:
        config = composed[tuple(overrides)] = fast(self, overrides)
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Composer, "compose", noted)
        return Expanded({name: grid.plan(name) for name in config_files.names("table")}, composed)


@pytest.fixture(scope="module")
def expanded() -> Expanded:
    return expand_all()


@pytest.mark.parametrize("name", config_files.names("table"))
def test_a_table_expands_and_its_baseline_is_one_of_its_operators(name: str, expanded: Expanded) -> None:
    planned = expanded.plans[name]
    operators = {cell.labels["conv"] for cell in planned.table.cells}
    assert planned.table.baseline in operators | {""}
    assert planned.configs.keys() == {cell.run_id for cell in planned.table.cells}


def test_cells_of_tables_are_what_hydra_makes_of_them(expanded: Expanded) -> None:
    """The first cell with a choice of a file, and the first that sets a key, of all tables; all cells in R15."""
    first: dict[str, tuple[str, ...]] = {}
    for overrides in expanded.composed:
        for override in overrides:
            key, _, _ = override.partition("=")
            first.setdefault(override if key in GROUPS else key, overrides)
    assert len(first) > 100
    for overrides in set(first.values()):
        assert expanded.composed[overrides] == compose_anew(overrides), overrides


@pytest.mark.parametrize("name", config_files.names("conv"))
def test_every_argument_of_an_operators_own_stands_in_its_config(name: str) -> None:
    """What is computed stands in the config: a default in code would be invisible, and could change a run's id."""
    content = config_files.load("conv", name)
    plain = set(parameters(resolve("torch.nn.Conv2d")))
    assert parameters(resolve(content["_target_"])).keys() - plain <= content.keys()


def test_every_operator_is_under_the_contract_of_independence() -> None:
    root = Path(__file__).parents[2]
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (independent,) = [contract["modules"] for contract in contracts if contract["type"] == "independence"]
    targets = {config_files.load("conv", name)["_target_"] for name in config_files.names("conv")} - {"torch.nn.Conv2d"}
    assert {resolve(target).__module__ for target in targets} == set(independent)


def test_numbers_from_papers_name_their_section() -> None:
    for group, name in _files("recipe", "recipe/augmentation", "protocol"):
        if name.startswith("dk_"):
            text = (config_files.CONFIG_DIR / group / f"{name}.yaml").read_text()
            assert "Sec. " in text, f"{group}/{name}"


def test_every_file_is_yaml_with_known_groups() -> None:
    for path in config_files.CONFIG_DIR.rglob("*.yaml"):
        yaml.safe_load(path.read_text())
        group = path.parent.relative_to(config_files.CONFIG_DIR).as_posix()
        assert group in (*GROUPS, ".", "hydra/launcher"), path
