"""A cell that is another one now: refused with what differs, until it is to begin anew."""

import dataclasses
from pathlib import Path

import pytest
from tests.protocols.test_run import TINY

from convrepro.protocols import begun
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.schema import Config
from convrepro.records import Cell, Table, attempts, workspace


def _table(*configs: Config) -> Table:
    cells = tuple(
        Cell(
            run_id=run_id(config),
            labels={"dataset": "digits", "model": "cnn4", "conv": name},
            official_data=True,
            scaled=False,
        )
        for config, name in zip(configs, ("standard", "dk"), strict=False)
    )
    return Table(
        name="tiny", config="tiny", paper="", title="", source="", metric="test_error", selection="last",
        num_seeds=2, margin=0.5, baseline="standard", assumptions=(), cells=cells,
    )  # fmt: skip


def _config(*overrides: str) -> Config:
    return compose([*TINY, *overrides])


def _begin(results_dir: Path, config: Config, state: str | None = "interrupted") -> None:
    folder = workspace.run_dir(results_dir, run_id(config), 1)
    attempts.claim(folder, config=what_is_computed(config)).end(state, "")  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["interrupted", "failed"])
def test_a_changed_configuration_is_refused_until_it_is_begun_anew(tmp_path: Path, state: str) -> None:
    old, new = _config("recipe.epochs=3"), _config("recipe.epochs=2", "recipe.version=9")
    begun.note(_table(old), [old], tmp_path, restart=False)
    _begin(tmp_path, old, state)
    begun.note(_table(old), [old], tmp_path, restart=False)
    with pytest.raises(ValueError, match=r"^tiny, digits cnn4 standard: begun with recipe") as refused:
        begun.note(_table(new), [new], tmp_path, restart=False)
    assert "recipe.epochs 3 (now 2), recipe.version 1 (now 9)" in str(refused.value)
    assert len(str(refused.value)) <= 200
    assert "--restart" in str(refused.value)
    begun.note(_table(new), [new], tmp_path, restart=True)
    begun.note(_table(new), [new], tmp_path, restart=False)


def test_what_is_finished_or_was_never_begun_may_change(tmp_path: Path) -> None:
    old, new = _config("recipe.epochs=3"), _config("recipe.epochs=2")
    begun.note(_table(old), [old], tmp_path, restart=False)
    begun.note(_table(new), [new], tmp_path, restart=False)
    begun.note(_table(old), [old], tmp_path, restart=False)
    _begin(tmp_path, old, None)
    begun.note(_table(new), [new], tmp_path, restart=False)


def test_other_cells_do_not_hinder_and_stay_noted(tmp_path: Path) -> None:
    one, old, new = _config(), _config("conv=dk", "recipe.epochs=3"), _config("conv=dk", "recipe.epochs=2")
    begun.note(_table(one, old), [one, old], tmp_path, restart=False)
    _begin(tmp_path, old)
    begun.note(_table(one, new), [one], tmp_path, restart=False)
    with pytest.raises(ValueError, match="digits cnn4 dk: begun with"):
        begun.note(_table(one, new), [one, new], tmp_path, restart=False)


def test_a_seed_is_no_difference(tmp_path: Path) -> None:
    config = _config()
    begun.note(_table(config), [config], tmp_path, restart=False)
    _begin(tmp_path, config)
    begun.note(_table(config), [dataclasses.replace(config, seed=5)], tmp_path, restart=False)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"digits cnn4 standard": 3}'])
def test_a_broken_note_is_made_anew(tmp_path: Path, text: str) -> None:
    config = _config()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "tiny.json").write_text(text)
    begun.note(_table(config), [config], tmp_path, restart=False)
    assert run_id(config) in (tmp_path / "runs" / "tiny.json").read_text()


def test_differences_go_into_the_depth_and_know_what_is_unset() -> None:
    assert list(begun.differences({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 1, "c": [2]}, "e": None})) == [
        "a.c [1] (now [2])",
        "d 2 (now unset)",
    ]
