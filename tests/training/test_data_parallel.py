"""Two processes that train one learner together, against one process.

Sums are rounded in another order where two processes share them: in float64, after 12 steps, by less than 1e-9.
"""

import math
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import commands
from tests.training import seeds
from torch import nn

from convrepro.data import EpochLoader
from convrepro.models import Dropout
from convrepro.training import Learner, checkpoints, data_parallel, seed_group
from convrepro.training.checkpoints import Position

NUM_EPOCHS = 3
ROUNDING: dict[str, float] = {"rtol": 0.0, "atol": 1e-9}


class Noisy(nn.Module):
    """Dropout of the learner's generator, and noise of the process's."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = Dropout(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(x) + 0.01 * torch.randn_like(x)


def _learner(folder: Path, *, is_random: bool = False, **keys: Any) -> Learner:
    """Without random numbers in the network: those of two processes are others than those of one."""
    network = seeds.network(0)
    network[5] = Noisy() if is_random else nn.Identity()
    return seeds.learner(0, folder, network=network, top_k=2, **keys)


def _loader() -> EpochLoader:
    """Batches of 11, 11, 11 and 7 images: shares of 5 and 6, and of 3 and 4."""
    return seeds.train_loader(batch_size=11)


def _facts(learner: Learner) -> dict[str, Any]:
    state = {"state": learner.state(), "reason": learner.reason, "history": learner.history}
    return state | {"names": list(learner.network.state_dict())}


def _resumed_after_signal(folder: Path, rank: int, num_reports: int, **keys: Any) -> Learner:
    """The second process alone hears the signal."""
    stop = {"report": seeds.signal_at(num_reports)} if rank == 1 else {}
    seeds.interrupted([_learner(folder, **keys, **stop)], NUM_EPOCHS, train_loader=_loader())
    return seeds.fitted([_learner(folder, **keys)], NUM_EPOCHS, train_loader=_loader())[0]


def _spoilt(folder: Path, rank: int) -> Learner:
    """In the second epoch, the loss of the second process alone is no number."""
    learner = _learner(folder)
    whole = learner.step

    def step(x: torch.Tensor, targets: torch.Tensor, loss_factor: float) -> None:
        is_spoilt = rank == 1 and learner.num_epochs == 1
        whole(x * math.nan if is_spoilt else x, targets, loss_factor)

    learner.step = step  # type: ignore[method-assign]
    return seeds.fitted([learner], NUM_EPOCHS, train_loader=_loader())[0]


def _refusals(folder: Path) -> list[str]:
    said = []
    for learners, keys in (
        ([_learner(folder), _learner(folder)], {}),
        ([_learner(folder)], {"backend": "streams"}),
        ([_learner(folder)], {"train_loader": seeds.train_loader(batch_size=39)}),
    ):
        with pytest.raises(ValueError, match="device") as error:
            seeds.fitted(learners, **keys)  # type: ignore[arg-type]
        said.append(str(error.value))
    with pytest.raises(ValueError, match="compile") as error:
        _learner(folder, compiled=True)
    return [*said, str(error.value)]


def _normalised(rank: int) -> dict[str, Any]:
    """Of 5 and 2 images, their gradients, running statistics, by momentum and cumulative."""
    found: dict[str, Any] = {}
    for name, layer, x in _cases():
        share = slice(0, 5) if rank == 0 else slice(5, 7)
        data_parallel.normalise_whole_batches(layer)
        own = x[share].clone().requires_grad_(True)
        for _ in range(2):
            y = layer(own)
        (y * _weights(x)[share]).sum().backward()
        gradients = [data_parallel.total(p.grad) for p in layer.parameters()]
        found[name] = {"y": y.detach(), "x": own.grad, "gradients": gradients, "state": dict(layer.state_dict())}
        assert isinstance(layer, nn.modules.batchnorm._BatchNorm)
        found[name]["eval"] = layer.eval()(own).detach()
    return found


def _cases() -> list[tuple[str, nn.Module, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    x = 3.0 + torch.randn(7, 4, 3, 5, dtype=torch.float64, generator=generator)
    made = {
        "2d": (nn.BatchNorm2d(4, momentum=0.3, dtype=torch.float64), x),
        "1d": (nn.BatchNorm1d(4, momentum=None, dtype=torch.float64), x[:, :, 0, 0]),
        "bare": (nn.BatchNorm2d(4, affine=False, track_running_stats=False, dtype=torch.float64), x),
    }
    for layer, _ in made.values():
        for parameter in layer.parameters():
            nn.init.uniform_(parameter, 0.5, 2.0, generator=generator)
    return [(name, *layer_and_x) for name, layer_and_x in made.items()]


def _weights(x: torch.Tensor) -> torch.Tensor:
    return torch.linspace(-1.0, 2.0, x.numel(), dtype=x.dtype).view(x.shape).square()


def _rank(rank: int, folder: Path) -> None:
    """What one of the two processes does; its findings go to files."""
    torch.set_num_threads(1)
    seed_group._SECONDS_UNSTOPPED = 0.0  # a look after each step
    with data_parallel.initialised(rank, 2, folder / "store", timeout_seconds=60.0):
        findings: dict[str, Any] = {"batch norm": _normalised(rank)}
        findings["whole"] = _facts(seeds.fitted([_learner(folder / "whole")], NUM_EPOCHS, train_loader=_loader())[0])
        for num_reports in (1, 6, 8):
            resumed = _resumed_after_signal(folder / f"resumed {num_reports}", rank, num_reports)
            findings[f"resumed {num_reports}"] = _facts(resumed)
        findings["random"] = _facts(
            seeds.fitted([_learner(folder / "random", is_random=True)], NUM_EPOCHS, train_loader=_loader())[0]
        )
        findings["random resumed"] = _facts(_resumed_after_signal(folder / "cut", rank, 6, is_random=True))
        findings["spoilt"] = _facts(_spoilt(folder / "spoilt", rank))
        findings["refusals"] = {"said": _refusals(folder / "refused")}
        seeds.interrupted([_learner(folder / "left", report=seeds.signal_at(6))], NUM_EPOCHS, train_loader=_loader())
    checkpoints.save(findings, folder / f"rank{rank}.pt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two processes")
    commands.start_server()
    context = multiprocessing.get_context("forkserver")
    processes = [context.Process(target=_rank, args=(rank, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(150)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return folder


@pytest.fixture(scope="module")
def ranks(folder: Path) -> list[dict[str, Any]]:
    return [checkpoints.load(folder / f"rank{rank}.pt") for rank in range(2)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _facts(seeds.fitted([_learner(tmp_path_factory.mktemp("alone"))], NUM_EPOCHS, train_loader=_loader())[0])


def _check_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for part in ("network", "optimizer"):
        torch.testing.assert_close(found["state"][part], expected["state"][part], **ROUNDING)
    assert found["history"].keys() == expected["history"].keys()
    for metric, values in found["history"].items():
        assert values == pytest.approx(expected["history"][metric], abs=1e-9)
    assert (found["names"], found["reason"]) == (expected["names"], "")


def _check_equal(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for part in ("network", "optimizer"):
        torch.testing.assert_close(found["state"][part], expected["state"][part], rtol=0.0, atol=0.0)
    assert found["history"] == expected["history"]


def test_two_processes_are_one(ranks: list[dict[str, Any]], alone: dict[str, Any]) -> None:
    """Unequal shares, BN, clipping, momentum, a plateau; evaluations of 2 and 3 batches."""
    for found in ranks:
        _check_close(found["whole"], alone)


@pytest.mark.parametrize("name", ["whole", "resumed 6", "random", "random resumed", "spoilt"])
def test_both_processes_have_the_same_bits(ranks: list[dict[str, Any]], name: str) -> None:
    if name != "spoilt":  # after steps that are no number
        _check_equal(ranks[0][name], ranks[1][name])
    assert ranks[0][name]["history"] == ranks[1][name]["history"]


@pytest.mark.parametrize("num_reports", [1, 6, 8])
def test_stopped_by_a_signal_to_the_second_they_resume(ranks: list[dict[str, Any]], num_reports: int) -> None:
    """After the first step, within an epoch, and at the end of its steps: in the same bits."""
    for found in ranks:
        _check_equal(found[f"resumed {num_reports}"], found["whole"])


def test_each_process_goes_on_with_its_own_random_numbers(ranks: list[dict[str, Any]]) -> None:
    for found in ranks:
        _check_equal(found["random resumed"], found["random"])


def test_a_loss_that_is_no_number_in_one_process_ends_both(ranks: list[dict[str, Any]]) -> None:
    for found in ranks:
        assert found["spoilt"]["reason"] == "the training loss was nan at step 1 of epoch 2"
        assert len(found["spoilt"]["history"]["test_loss"]) == 1


def test_the_first_process_writes(folder: Path) -> None:
    names = {path.name for path in (folder / "whole" / "seed0").iterdir()}
    assert names == {"epoch2.ckpt", "epoch2.ckpt.json", "epoch3.ckpt", "epoch3.ckpt.json", "metrics.csv", "tensorboard"}
    assert len(list((folder / "whole" / "seed0" / "tensorboard").glob("events*"))) == 1


def test_one_process_goes_on_from_the_end_of_an_epoch_of_two(folder: Path, alone: dict[str, Any]) -> None:
    """Stopped within the second epoch of two processes: random numbers are those of as many."""
    left = folder / "left"
    assert list(checkpoints.found(left / "seed0")) == [Position(1), Position(1, 2)]
    reports: list[float] = []
    (learner,) = seeds.fitted([_learner(left, report=reports.append)], NUM_EPOCHS, train_loader=_loader())
    assert len(reports) == 2 * 4
    _check_close(_facts(learner), alone)


def test_refusals_are_one_line(ranks: list[dict[str, Any]]) -> None:
    for said in ranks[0]["refusals"]["said"]:
        assert len(said) <= 200
        assert "\n" not in said
    assert ranks[0]["refusals"]["said"][2].startswith("`recipe.batch_size` 39 leaves 1 of 40 training images to the")


@pytest.mark.parametrize("name", ["2d", "1d", "bare"])
def test_batch_normalisation_is_that_of_the_whole_batch(ranks: list[dict[str, Any]], name: str) -> None:
    layer, x = next((layer, x) for case, layer, x in _cases() if case == name)
    x.requires_grad_(True)
    for _ in range(2):
        y = layer(x)
    (y * _weights(x.detach())).sum().backward()
    own = [found["batch norm"][name] for found in ranks]
    torch.testing.assert_close(torch.cat([one["y"] for one in own]), y.detach(), **ROUNDING)
    torch.testing.assert_close(torch.cat([one["x"] for one in own]), x.grad, **ROUNDING)
    torch.testing.assert_close(torch.cat([one["eval"] for one in own]), layer.eval()(x).detach(), **ROUNDING) if (
        name != "bare"
    ) else None
    for one in own:
        torch.testing.assert_close(one["gradients"], [p.grad for p in layer.parameters()], **ROUNDING)
        torch.testing.assert_close(one["state"], dict(layer.state_dict()), **ROUNDING)


def test_alone_every_function_is_that_of_a_world_of_one() -> None:
    values = torch.tensor([1.0, 2.0])
    assert (data_parallel.world_size(), data_parallel.rank()) == (1, 0)
    assert data_parallel.total(values) is data_parallel.least(values) is values
    network = seeds.network(0)
    assert data_parallel.forward_of(network) is network
    assert type(network[1]) is nn.BatchNorm2d
