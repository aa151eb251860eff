"""The network that a run starts with."""

import hashlib
from pathlib import Path

import pytest
import torch

from convrepro.conv import AdaptiveConv2d
from convrepro.protocols import network as network_module
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id
from convrepro.protocols.network import build_network, check_pretrained, fresh_network, start_network
from convrepro.protocols.run import run, run_seeds
from convrepro.protocols.schema import Config
from convrepro.records import workspace
from convrepro.training import load_checkpoint

TINY = [
    *("dataset=digits", "protocol.images=0.2", "model=cnn4", "model.filters=4", "recipe=quickstart", "recipe.epochs=2"),
    *("recipe.milestones=[1]", "machine.accelerator=cpu", "machine.threads=1"),
]


def _config(results_dir: Path, *overrides: str) -> Config:
    return compose([*TINY, f"machine.results_dir='{results_dir}'", *overrides])


def _transfer(results_dir: Path, source: Config, *overrides: str) -> Config:
    asked = f"recipe.pretrained=run/{run_id(source)}"
    return _config(results_dir, asked, "recipe.trained=classifier", "recipe.batch_size=16", *overrides)


def test_glorot_is_for_ordinary_convolutions_only() -> None:
    """A Glorot-uniform weight lies within sqrt(6 / (k^2 (C + O))): 4 to 4 channels of 3x3, sqrt(6 / 72) = 0.289."""
    asked = ["dataset=digits", "model=cnn4", "model.filters=4", "recipe.initialisation=glorot_uniform"]
    plain = build_network(compose(asked)).get_submodule("layer2.conv2")
    assert 0.2 < plain.weight.abs().max().item() <= (6 / 72) ** 0.5
    adaptive = list(build_network(compose([*asked, "conv=aconv"])).modules())
    bounds = [layer.weight.abs().max().item() for layer in adaptive if isinstance(layer, AdaptiveConv2d)]
    assert max(bounds[1:]) > (6 / 72) ** 0.5  # He-uniform: up to sqrt(6 / 36)


def test_only_the_classifier_moves_from_the_weights_of_another_run(tmp_path: Path) -> None:
    """Kobayashi 2023, Sec. 3.2: features of a finished run, a new classifier."""
    source = _config(tmp_path)
    run(source)
    before = load_checkpoint(network_module.weights_of_run(source, run_id(source)))["weights"]
    target = _transfer(tmp_path, source)
    record = run(target)
    folder = workspace.weights_dir(workspace.run_dir(tmp_path, record.run_id, 0))
    after = load_checkpoint(folder / "last.pt")["weights"]
    moved = {name for name, values in after.items() if not torch.equal(values, before[name])}
    assert moved == {"classifier.weight", "classifier.bias"}
    assert record.num_parameters == sum(after[name].numel() for name in moved)


def test_a_record_has_the_fingerprint_of_the_weights_it_started_from(tmp_path: Path) -> None:
    """Each seed of a group has that of its own."""
    sources = [_config(tmp_path, f"seed={seed}") for seed in (0, 1)]
    first_records = run_seeds(sources)
    records = run_seeds([_transfer(tmp_path, source, f"seed={source.seed}") for source in sources])
    files = [network_module.weights_of_run(source, run_id(source)) for source in sources]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    assert [records[seed].environment["pretrained_sha256"] for seed in (0, 1)] == digests
    assert digests[0] != digests[1]
    assert "pretrained_sha256" not in first_records[0].environment


def test_the_classifier_starts_afresh(tmp_path: Path) -> None:
    source = _config(tmp_path)
    run(source)
    target = _transfer(tmp_path, source)
    started, fresh = start_network(target).state_dict(), fresh_network(target).state_dict()
    assert torch.equal(started["classifier.weight"], fresh["classifier.weight"])
    assert not torch.equal(started["layer1.conv1.weight"], fresh["layer1.conv1.weight"])


def test_weights_that_are_not_there_are_said_before_anything_is_written(tmp_path: Path) -> None:
    source = _config(tmp_path)
    with pytest.raises(ValueError, match=rf"needs the weights of run {run_id(source)}, seed 3, which are not there"):
        run(_transfer(tmp_path, source, "seed=3"))
    assert list(tmp_path.iterdir()) == []


def test_published_weights_are_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(network_module, "load_pretrained", lambda network, name: names.append(name))
    start_network(compose(["dataset=digits", "model=cnn4", "recipe.pretrained=torchvision/Some_Weights.V1"]))
    assert names == ["Some_Weights.V1"]


def test_weights_from_anywhere_else_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be torchvision/<weights> or run/<run id>, 16 .* digits, got 'x'"):
        compose(["recipe.pretrained=x"])


def test_each_file_of_weights_is_looked_for_once_and_those_of_runs_for_every_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    monkeypatch.setattr(network_module, "published_file", names.append)
    published = [_config(tmp_path, "recipe.pretrained=torchvision/Some_Weights.V1", f"seed={seed}") for seed in (0, 1)]
    check_pretrained([_config(tmp_path), *published])
    assert names == ["Some_Weights.V1"]
    source = _config(tmp_path)
    run(source)
    check_pretrained([_transfer(tmp_path, source)])
    with pytest.raises(ValueError, match="seed 1, which are not there"):
        check_pretrained([_transfer(tmp_path, source), _transfer(tmp_path, source, "seed=1")])
