"""One step of every kind that a cell's runs take."""

from pathlib import Path

import pytest
import torch

from convrepro.protocols import smoke as smoke_module
from convrepro.protocols.composer import compose
from convrepro.protocols.smoke import smoke
from convrepro.training import Learner

DIGITS = ["dataset=digits", "model=cnn4", "model.filters=4"]


@pytest.mark.parametrize(
    "overrides",
    [
        DIGITS,
        [*DIGITS, "conv=dk", "recipe=quickstart"],
        [*DIGITS, "protocol=dk_cifar"],
        [*DIGITS, "protocol=count"],
        ["dataset=mnist", "model=lenet", "recipe=acl_lenet", "protocol=aconv"],
        ["dataset=lfw", "model=lenet", "recipe=acl_lenet", "protocol=aconv_lfw"],
        ["dataset=image_filters", "model=filter_bank", "recipe=aconv_filters", "protocol=filter_learning"],
    ],
)
def test_it_needs_no_data_and_writes_nothing(overrides: list[str], tmp_path: Path) -> None:
    smoke(compose([*overrides, f"machine.data_dir={tmp_path}", f"machine.results_dir={tmp_path}"]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_each_phase_takes_a_step_and_is_evaluated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []
    step, evaluate = Learner.step, Learner.evaluate

    def noted_step(self: Learner, *batch: torch.Tensor) -> None:
        done.append(f"step of {len(batch[0])}")
        step(self, *batch)

    def noted_evaluate(self: Learner, name: str, batches: object) -> None:
        done.append(name)
        evaluate(self, name, batches)  # type: ignore[arg-type]

    monkeypatch.setattr(Learner, "step", noted_step)
    monkeypatch.setattr(Learner, "evaluate", noted_evaluate)
    smoke(compose([*DIGITS, "protocol=dk_cifar"]), tmp_path)
    assert done == ["step of 2", "validation", "step of 2", "test"]


def test_no_weights_are_asked_for(tmp_path: Path) -> None:
    smoke(compose([*DIGITS, "recipe.pretrained=run/0123456789abcdef", "recipe.trained=classifier"]), tmp_path)


def test_what_is_not_finite_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def poisoned(config: object) -> torch.nn.Module:
        network = smoke_module.build_network(config)  # type: ignore[arg-type]
        with torch.no_grad():
            next(network.parameters()).fill_(torch.nan)
        return network

    monkeypatch.setattr(smoke_module, "fresh_network", poisoned)
    with pytest.raises(ValueError, match="the training loss was nan"):
        smoke(compose(DIGITS), tmp_path)
