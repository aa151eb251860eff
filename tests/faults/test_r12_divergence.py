"""R12: a loss that is no number ends its seed at the first bad step; the others end as if they had been alone."""

import itertools
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from tests.training import seeds
from tests.training.test_streams import Replayed, _mark, _warm_up
from torch import nn

from convrepro.training import BACKENDS, Learner
from convrepro.training.streams import Streams

SEEDS, NUM_EPOCHS, STEPS = (3, 4, 5), 3, 4


class Poison(nn.Module):
    """Spoils the logits of all training steps from one on: NaN, or minus infinity for the classes 0 and 1.

    Then the loss of a batch with such an image is infinite, and NaN in the steps that follow.
    """

    def __init__(self, from_step: int, value: float) -> None:
        super().__init__()
        self.from_step, self.value = from_step, value
        self.register_buffer("num_seen", torch.zeros((), dtype=torch.int64))

    def forward(self, logits_BK: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.num_seen += 1
        spoiled_BK = logits_BK.clone()
        spoiled_BK[:, : 2 if math.isinf(self.value) else None] += -self.value
        return torch.where(self.num_seen >= self.from_step, spoiled_BK, logits_BK)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Learner]:
    folder = tmp_path_factory.mktemp("alone")
    return {seed: seeds.fitted([seeds.learner(seed, folder)], NUM_EPOCHS)[0] for seed in SEEDS}


def _trained(folder: Path, backend: str, poison: Poison) -> list[Learner]:
    learners = [
        seeds.learner(seed, folder, **({"network": seeds.network(seed).append(poison)} if seed == 4 else {}))
        for seed in SEEDS
    ]
    return seeds.fitted(learners, NUM_EPOCHS, backend=backend)


@pytest.mark.parametrize("backend", ["loop", "streams"])
def test_one_seed_of_three_diverges(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    alone: dict[int, Learner],
    figure: Callable[[int, int], int],
    backend: str,
) -> None:
    Replayed.made = []
    monkeypatch.setitem(BACKENDS, "streams", partial(Streams, graph=Replayed, warm_up=_warm_up, mark=_mark))
    cases = list(itertools.product((7, 1, 12, 4, 5, 8, 2, 3, 6, 9, 10, 11), (math.nan, math.inf)))
    for step, value in cases[: figure(4, len(cases))]:
        poison = Poison(step, value)
        first, poisoned, last = _trained(tmp_path / f"{step} {value}", backend, poison)
        epoch, in_epoch = divmod(step - 1, STEPS)
        assert poisoned.reason == f"the training loss was {value} at step {in_epoch + 1} of epoch {epoch + 1}"
        assert poisoned.num_epochs == len(poisoned.epoch_seconds) == epoch
        assert {len(values) for values in poisoned.history.values()} <= {epoch}
        if backend == "loop":
            assert poison.num_seen == step  # no further step is computed
        for learner in (first, last):
            assert not learner.reason
            assert seeds.same_bits(learner, alone[learner.seed])
            assert learner.history == alone[learner.seed].history


def test_a_seed_that_diverged_diverges_again_where_it_is_resumed(tmp_path: Path) -> None:
    """Nothing of its last epoch is saved, so it comes to the same step."""
    reasons = {_trained(tmp_path, "loop", Poison(7, math.nan))[1].reason for _ in range(2)}
    assert reasons == {"the training loss was nan at step 3 of epoch 2"}
