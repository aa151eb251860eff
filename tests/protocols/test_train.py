"""Networks, optimizers, devices and phases, from a config."""

import pytest
import torch

from convrepro.protocols.compose import compose
from convrepro.protocols.train import build_network, device_of, make_optimizer


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
