"""Every operator, kind of network and kind of recipe: seeds together, by either back-end, are the seeds alone."""

from functools import partial
from pathlib import Path

import pytest
import torch
from tests.training import seeds
from tests.training.test_streams import Replayed, _mark, _warm_up

from convrepro import config_files
from convrepro.protocols.composer import compose
from convrepro.protocols.phases import phases_of
from convrepro.protocols.train import load_data, make_learner, make_train_loader
from convrepro.training import BACKENDS, Learner, fit, why_not_streams
from convrepro.training.streams import Streams

SMALL = ["dataset=digits", "protocol.images=0.16", "protocol.validation_images=100", "recipe.batch_size=64"]


def _recipes() -> list[str]:
    """Those that name an optimizer themselves; the others take one of these, with other numbers."""
    return [
        name
        for name in config_files.names("recipe")
        if "_target_" in config_files.load("recipe", name).get("optimizer", {})
    ]


CASES = [
    *(("cnn4", conv, ["model.filters=4"]) for conv in config_files.names("conv")),
    *(("resnet20", conv, []) for conv in ("dk", "aconv", "disentangled", "acl")),
    # The others differ in depth.
    *(("densenet40", "standard", []), ("resnet18", "standard", ["model.widths=[4,8,16,32]"])),
    ("simple_cnn", "standard", []),
    *(("cnn4", "aconv", ["model.filters=4", f"recipe={recipe}", "recipe.pretrained=null"]) for recipe in _recipes()),
]


@pytest.mark.parametrize(("model", "conv", "overrides"), CASES, ids=lambda value: str(value))
def test_two_seeds_together_are_two_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, conv: str, overrides: list[str]
) -> None:
    Replayed.made = []
    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=Replayed, warm_up=_warm_up, mark=_mark))
    configs = [compose([*SMALL, f"model={model}", f"conv={conv}", *overrides, f"seed={seed}"]) for seed in (0, 1)]
    (phase,), _ = phases_of(configs[0], load_data(configs[0]))
    loader = make_train_loader(configs[0], phase, seeds.CPU)
    evaluations = {"test": [loader.epoch(9, 9).images(0, 16)]}

    def learners(folder: str) -> list[Learner]:
        return [
            make_learner(config, device=seeds.CPU, folder=tmp_path / folder / f"{config.seed}") for config in configs
        ]

    def trained(group: list[Learner], backend: str) -> list[Learner]:
        fit(group, train_loader=loader, evaluations=evaluations, num_epochs=1, backend=backend)
        return group

    cycles = configs[0].recipe.one_cycle is not None
    assert why_not_streams(learners("unused")) == (
        "takes learning rates that change between epochs only, not one_cycle" if cycles else ""
    )
    alone = [trained([learner], "loop")[0] for learner in learners("alone")]
    assert not torch.equal(alone[0].parameters[-2], alone[1].parameters[-2])
    for backend in ("loop",) if cycles else ("loop", "streams"):
        for ours, theirs in zip(trained(learners(backend), backend), alone, strict=True):
            assert seeds.same_bits(ours, theirs)
