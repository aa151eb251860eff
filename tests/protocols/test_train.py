"""Networks, optimizers, devices and phases, from a config."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from convrepro.conv import AdaptiveConv2d, CurriculumSmoothingConv2d
from convrepro.protocols import train
from convrepro.protocols.composer import compose
from convrepro.protocols.network import build_network
from convrepro.protocols.phases import phases_of
from convrepro.protocols.schema import Config
from convrepro.protocols.train import (
    backend_of,
    device_of,
    evaluation_batch_size,
    load_data,
    make_learner,
    make_optimizer,
    train_phase,
)
from convrepro.training import Learner, Refused

CPU = torch.device("cpu")
ADAPTIVE = [
    *("dataset=digits", "protocol.images=0.1", "model=simple_cnn", "model.kernel_size=3", "model.filters=4"),
    *("conv=aconv", "recipe=quickstart", "recipe.epochs=2", "recipe.optimizer.lr=0.1"),
]
CURRICULUM = [
    *("dataset=digits", "protocol.images=0.1", "model=cnn4", "model.filters=4", "conv=cbs"),
    *("recipe=quickstart", "recipe.epochs=30", "protocol.scale=0.1"),
]
SGD = ["recipe.optimizer._target_=torch.optim.SGD", "~recipe.optimizer.betas", "~recipe.optimizer.eps"]


def test_the_same_seed_draws_the_same_weights() -> None:
    first, second = (build_network(compose(["conv=dk", "seed=5"])).state_dict() for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)


def test_another_seed_draws_others() -> None:
    first, second = (build_network(compose([f"seed={seed}"])) for seed in (0, 1))
    assert not torch.equal(next(first.parameters()), next(second.parameters()))


def test_an_operators_argument_is_never_left_to_its_default() -> None:
    with pytest.raises(ValueError, match="conv 'dk' must set init_mode, even to the default"):
        build_network(compose(["conv=dk", "~conv.init_mode"]))


def test_the_papers_optimizer() -> None:
    optimizer = make_optimizer(compose(["recipe=dk_sgd"]))([torch.zeros(1, requires_grad=True)])
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["nesterov"]
    assert optimizer.param_groups[0]["weight_decay"] == 1e-4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+recipe.optimizer.momentumm=0.9", "recipe.optimizer takes no key 'momentumm'"),
        ("recipe.optimizer.lr=fast", "`recipe.optimizer`: .*str"),
        ("recipe.optimizer.lr=-1", "`recipe.optimizer`: Invalid learning rate: -1"),
        ("recipe.optimizer._target_=os.system", "`_target_` must lie in"),
    ],
)
def test_a_wrong_optimizer(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_optimizer(compose([override]))


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto").type == "cpu"
    with pytest.raises(ValueError, match="torch finds no CUDA device here; use cpu or auto"):
        device_of("gpu")


class Stop(Exception):
    """Ends a training from within."""


def _stop_at(fraction: float) -> Callable[[float], None]:
    def report(reached: float) -> None:
        if reached >= fraction:
            raise Stop

    return report


def _trained(config: Config, folder: Path, report: Callable[[float], None] = lambda fraction: None) -> Learner:
    (phase,), _ = phases_of(config, load_data(config))
    learner = make_learner(config, device=CPU, folder=folder, report=report)
    train_phase([learner], config, phase)
    assert not learner.reason
    return learner


def _sigmas(learner: Learner) -> list[torch.Tensor]:
    return [layer.sigma.detach() for layer in learner.network.modules() if isinstance(layer, AdaptiveConv2d)]


@pytest.mark.parametrize(
    ("overrides", "low", "high"),
    [
        ([], 1 / 3, 3.0),  # Tek et al. 2021, Sec. 3.3: [1/n, n]
        (["recipe.sigma_clip=[0.25,0.3]"], 0.25, 0.3),
        (["recipe.sigma_clip=[0.25,0.3]", *SGD], 0.25, 0.3),
    ],
)
def test_training_keeps_apertures_in_the_range_of_the_recipe(
    tmp_path: Path, overrides: list[str], low: float, high: float
) -> None:
    """They start between 0.1 and 0.5, and the learning rate is far too high."""
    sigma_O = torch.cat(_sigmas(_trained(compose([*ADAPTIVE, *overrides]), tmp_path)))
    assert len(sigma_O) == 8
    assert sigma_O.min().item() == pytest.approx(low)  # one that started below, or was pushed there
    assert sigma_O.max() <= high


def test_a_resumed_training_clips_as_one_that_was_not_stopped(tmp_path: Path) -> None:
    config = compose([*ADAPTIVE, "recipe.sigma_clip=[0.25,0.3]"])
    whole = _trained(config, tmp_path / "whole")
    with pytest.raises(Stop):
        _trained(config, tmp_path / "stopped", _stop_at(0.7))
    resumed = _trained(config, tmp_path / "stopped")
    torch.testing.assert_close(resumed.network.state_dict(), whole.network.state_dict(), rtol=0.0, atol=0.0)
    assert all(((sigma_O >= 0.25) & (sigma_O <= 0.3)).all() for sigma_O in _sigmas(resumed))


def _smoothing(learner: Learner) -> list[float]:
    layers = [layer for layer in learner.network.modules() if isinstance(layer, CurriculumSmoothingConv2d)]
    return [layer.sigma.item() for layer in layers]


def test_a_scaled_curriculum_goes_through_the_epochs_of_the_whole_recipe(tmp_path: Path) -> None:
    """Its three epochs stand for 0, 10 and 20 of 30, and sigma falls to 0.9 of itself every 5 epochs."""
    assert _smoothing(_trained(compose(CURRICULUM), tmp_path)) == [pytest.approx(0.9**4)] * 2


def test_a_resumed_curriculum_is_that_of_one_that_was_not_stopped(tmp_path: Path) -> None:
    config = compose(CURRICULUM)
    whole = _trained(config, tmp_path / "whole")
    with pytest.raises(Stop):
        _trained(config, tmp_path / "stopped", _stop_at(0.5))
    resumed = _trained(config, tmp_path / "stopped")
    assert resumed.history == whole.history
    torch.testing.assert_close(resumed.network.state_dict(), whole.network.state_dict(), rtol=0.0, atol=0.0)


def test_the_recipes_clipping_and_plateau_reach_the_learner(tmp_path: Path) -> None:
    """A plateau of a scaled run waits for a tenth of the whole recipe's epochs; gradients of 0 move nothing."""
    plateau = "recipe.plateau={metric:train_loss,decay_factor:0.5,patience:10}"
    scaled = ["recipe.epochs=50", "protocol.scale=0.1", "recipe.milestones=[]"]
    config = compose([*ADAPTIVE, *scaled, plateau, "recipe.clip_gradient_value=1e-30"])
    learner = make_learner(config, device=CPU, folder=tmp_path)
    learner.history = {"train_loss": [1.0, 2.0, 2.0]}
    learner.start_epoch(3)
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5)
    learner.step(torch.randn(4, 1, 8, 8), torch.arange(4))
    assert all(parameter.grad.abs().max() <= 1e-30 for parameter in learner.parameters)


PLATEAU = {"metric": "train_loss", "decay_factor": 0.5, "patience": 3}


@pytest.mark.parametrize(
    ("changes", "losses", "factor"),
    [
        ({}, [1.0] * 4, 1.0),  # the best and three without a gain: torch waits for a fourth
        ({}, [1.0] * 5, 0.5),
        ({"counting": "keras"}, [1.0] * 4, 0.5),
        ({"counting": "keras"}, [1.0] * 7, 0.25),
        ({"counting": "keras", "cooldown": 3}, [1.0] * 7, 0.5),
        ({"counting": "keras", "cooldown": 3}, [1.0] * 9, 0.25),
        ({"counting": "keras", "least_rate": 0.06}, [1.0] * 4, 0.6),  # 0.06 of 0.1
        ({"counting": "keras", "least_rate": 0.02}, [1.0] * 4, 0.5),
    ],
)
def test_the_recipes_plateau_after_a_made_up_history(
    tmp_path: Path, changes: dict[str, object], losses: list[float], factor: float
) -> None:
    asked = ",".join(f"{key}:{value}" for key, value in (PLATEAU | changes).items())
    config = compose([*ADAPTIVE, "recipe.epochs=20", "recipe.milestones=[]", f"recipe.plateau={{{asked}}}"])
    learner = make_learner(config, device=CPU, folder=tmp_path)
    learner.history = {"train_loss": losses}
    learner.start_epoch(len(losses))
    assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * factor)


def test_a_cooldown_moves_with_the_scale(tmp_path: Path) -> None:
    """Of a tenth of the epochs: a patience of 3 and a cooldown of 3."""
    plateau = "recipe.plateau={metric:train_loss,decay_factor:0.5,patience:30,counting:keras,cooldown:30}"
    scaled = ["recipe.epochs=200", "protocol.scale=0.1", "recipe.milestones=[]"]
    learner = make_learner(compose([*ADAPTIVE, *scaled, plateau]), device=CPU, folder=tmp_path)
    for num_epochs, factor in ((4, 0.5), (8, 0.5), (9, 0.25)):
        learner.history = {"train_loss": [1.0] * num_epochs}
        learner.start_epoch(num_epochs)
        assert learner.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * factor)


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
def test_rate_and_momentum_of_a_cycle(tmp_path: Path, optimizer: str) -> None:
    """At the start, at the peak after a quarter, and at the end; three momenta of their own, one of them each."""
    momenta = "recipe.one_cycle.momenta=[0.95,0.85,0.9]"
    own = {
        "AdamW": [],
        "SGD": [*SGD, "+recipe.optimizer.momentum=0.5", "recipe.optimizer.lr=0.001"],
    }
    config = compose(["dataset=digits", "recipe=fastai", "recipe.epochs=8", momenta, *own[optimizer]])
    learner = make_learner(config, device=CPU, folder=tmp_path)
    for position, rate, momentum in ((0.0, 4e-5, 0.95), (1.0, 5.2e-4, 0.9), (2.0, 1e-3, 0.85), (8.0, 1e-8, 0.9)):
        learner.go_to(position)
        for group in learner.optimizer.param_groups:
            assert group["lr"] == pytest.approx(rate)
            found = group["betas"] if optimizer == "AdamW" else (group["momentum"],)
            assert found == pytest.approx((momentum, 0.99) if optimizer == "AdamW" else (momentum,))


def test_rates_and_decay_of_groups(tmp_path: Path) -> None:
    """Apertures learn at a rate of their own, and nothing but kernels and linear weights decays."""
    asked = ["recipe.sigma_learning_rate=0.003", "recipe.decayed=kernels", "recipe.optimizer.weight_decay=0.02"]
    learner = make_learner(compose([*ADAPTIVE, *asked]), device=CPU, folder=tmp_path)
    names = {id(parameter): name for name, parameter in learner.network.named_parameters()}
    settings = {
        names[id(parameter)]: (group["lr"], group["weight_decay"])
        for group in learner.optimizer.param_groups
        for parameter in group["params"]
    }
    assert settings == {
        name: (0.003, 0.0) if name.endswith("sigma") else (0.1, 0.02 if parameter.ndim > 1 else 0.0)
        for name, parameter in learner.network.named_parameters()
    }
    assert set(settings.values()) == {(0.003, 0.0), (0.1, 0.02), (0.1, 0.0)}


def test_one_group_where_neither_is_asked_for(tmp_path: Path) -> None:
    (group,) = make_learner(compose(ADAPTIVE), device=CPU, folder=tmp_path).optimizer.param_groups
    assert group["lr"] == 0.1


def test_a_fused_optimizer_on_a_gpu_only() -> None:
    """By the names of the arguments; the recipe's own choice stands."""
    config = compose(["recipe=dk_adam"])
    gpu = make_optimizer(config, torch.device("cuda")).keywords
    assert (gpu["fused"], gpu["capturable"]) == (True, True)
    assert "fused" not in make_optimizer(config, CPU).keywords
    assert make_optimizer(compose(["+recipe.optimizer.fused=false"]), torch.device("cuda")).keywords["fused"] is False
    other = ["recipe=dk_sgd", "recipe.optimizer._target_=torch.optim.Adagrad", "~recipe.optimizer.momentum",
             "~recipe.optimizer.nesterov"]  # fmt: skip
    assert "fused" not in make_optimizer(compose(other), torch.device("cuda")).keywords


@pytest.mark.parametrize(
    ("backend", "device", "overrides", "expected"),
    [
        ("auto", "cpu", [], "loop"),
        ("loop", "cuda", [], "loop"),
        ("auto", "cuda", [], "streams"),
        ("streams", "cuda", [], "streams"),
        ("auto", "cuda", ["+recipe.optimizer.dampening=0.5", "recipe.optimizer.nesterov=false"], "loop"),
    ],
)
def test_the_back_end(tmp_path: Path, backend: str, device: str, overrides: list[str], expected: str) -> None:
    config = compose(["recipe=dk_sgd", f"machine.backend={backend}", *overrides])
    learner = make_learner(config, device=CPU, folder=tmp_path)
    assert backend_of(config, torch.device(device), [learner]) == expected


@pytest.mark.parametrize(
    ("device", "overrides", "reason"),
    [
        ("cpu", [], "streams needs a CUDA device; use loop or auto"),
        ("cuda", ["+recipe.optimizer.dampening=0.5", "recipe.optimizer.nesterov=false"], "streams takes optimizers"),
    ],
)
def test_a_back_end_that_cannot_be(tmp_path: Path, device: str, overrides: list[str], reason: str) -> None:
    config = compose(["recipe=dk_sgd", "machine.backend=streams", *overrides])
    with pytest.raises(ValueError, match=reason):
        backend_of(config, torch.device(device), [make_learner(config, device=CPU, folder=tmp_path)])


def test_the_machines_layout_precision_and_compiler_reach_the_learner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch, "compile", lambda network: compiled.append(network) or network)
    machine = [
        "dataset=cifar10",
        "model.memory_format=contiguous",
        "machine.precision=bfloat16",
        "machine.compile=true",
    ]
    other = make_learner(compose(machine), device=CPU, folder=tmp_path)
    assert (other.precision, compiled) == ("bfloat16", [other.network])
    usual = make_learner(compose(["dataset=cifar10"]), device=CPU, folder=tmp_path)
    assert (usual.precision, len(compiled)) == ("float32", 1)
    weights = [learner.network.layer2.conv2.weight for learner in (usual, other)]
    assert [weight.is_contiguous(memory_format=torch.channels_last) for weight in weights] == [True, False]
    x, labels = torch.ones(2, 3, 32, 32).to(memory_format=torch.channels_last), torch.tensor([0, 1])
    for learner, memory_format in ((usual, torch.channels_last), (other, torch.contiguous_format)):
        seen: list[torch.Tensor] = []
        learner.network.layer1.register_forward_pre_hook(lambda layer, images, seen=seen: seen.extend(images))
        learner.start_epoch(0)
        learner.step(x, labels)
        assert seen[0].is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("backend", ["auto", "streams"])
def test_where_streams_turn_out_to_be_impossible_only_auto_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*arguments: object, **keywords: object) -> None:
        if keywords["backend"] == "streams":
            raise Refused("cannot capture a step: no reason")

    monkeypatch.setattr(train, "fit", refuse)
    monkeypatch.setattr(train, "backend_of", lambda *arguments: "streams")
    config = compose(["dataset=digits", f"machine.backend={backend}"])
    (phase,), _ = phases_of(config, load_data(config))
    learners = [make_learner(config, device=CPU, folder=tmp_path)]
    if backend == "auto":
        assert train_phase(learners, config, phase) == "loop"
        assert caplog.messages == ["back-end streams cannot capture a step: no reason; loop goes on."]
    else:
        with pytest.raises(ValueError, match=r"streams cannot capture a step: no reason; use loop"):
            train_phase(learners, config, phase)


@pytest.mark.parametrize(
    ("dataset", "device", "expected"),
    [("cifar10", "cpu", 200), ("cifar10", "cuda", 1953), ("imagenet", "cuda", 200), ("digits", "cuda", 93750)],
)
def test_images_that_are_evaluated_at_once(dataset: str, device: str, expected: int) -> None:
    assert evaluation_batch_size(compose([f"dataset={dataset}"]), torch.device(device)) == expected


def test_a_last_batch_of_one_image_is_refused_where_the_network_normalises_over_the_batch(tmp_path: Path) -> None:
    asked = ["dataset=digits", "model.filters=2", "recipe=quickstart", "recipe.epochs=1", "recipe.milestones=[]"]
    config = compose([*asked, "model=simple_cnn", "model.kernel_size=3", "protocol.images=0.1"])
    num_images = len(phases_of(config, load_data(config))[0][0].train)
    alone = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=num_images - 1))
    expected = rf"`recipe.batch_size` {num_images - 1} leaves one of the {num_images} training images to the last batch"
    with pytest.raises(ValueError, match=expected):
        _trained(alone, tmp_path)
    _trained(dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, batch_size=num_images)), tmp_path)
