"""Seeds that are trained together are the seeds that are trained alone."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tests.training import seeds

from convrepro.training import KeepWeights, Learner, checkpoints
from convrepro.training.seed_group import STEPS_PER_CHUNK, SeedGroup

SEEDS = (11, 12, 13, 14)


def _best(history: dict[str, list[float]]) -> list[str]:
    values = history["validation_accuracy"]
    return ["best"] if max(values) > max(values[:-1], default=-1.0) else []


def _learners(folder: Path, chosen: tuple[int, ...] = SEEDS, **keys: object) -> list[Learner]:
    return [
        seeds.learner(seed, folder, after_epoch=KeepWeights(folder / f"weights{seed}", _best), **keys)
        for seed in chosen
    ]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Learner]]:
    folder = tmp_path_factory.mktemp("alone")
    return folder, {learner.seed: seeds.fitted([learner])[0] for learner in _learners(folder)}


def _check(folder: Path, together: list[Learner], alone: tuple[Path, dict[int, Learner]]) -> None:
    for learner in together:
        expected = alone[1][learner.seed]
        for ours, theirs in zip(
            learner.network.state_dict().values(), expected.network.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=0.0, atol=1e-12)
        assert learner.history.keys() == expected.history.keys()
        for metric, values in learner.history.items():
            assert values == pytest.approx(expected.history[metric], abs=1e-12)
        best, best_alone = (
            checkpoints.load(place / f"weights{learner.seed}" / "best.pt") for place in (folder, alone[0])
        )
        assert best["epoch"] == best_alone["epoch"]
        torch.testing.assert_close(best["weights"], best_alone["weights"], rtol=0.0, atol=1e-12)


def test_four_together_are_four_alone(tmp_path: Path, alone: tuple[Path, dict[int, Learner]]) -> None:
    """Through crops, flips, erasing, BN, dropout, clipping, momentum, decay, both schedules and the best epoch."""
    _check(tmp_path, seeds.fitted(_learners(tmp_path)), alone)
    rates = [alone[1][seed].history["learning_rate"] for seed in SEEDS]
    assert len({tuple(rate) for rate in rates}) > 1  # the plateaus are each seed's own


@pytest.mark.parametrize("num_reports", [3, 17, 40, 77])
def test_together_after_a_resume(tmp_path: Path, alone: tuple[Path, dict[int, Learner]], num_reports: int) -> None:
    stop = seeds.stop_after(num_reports)
    with pytest.raises(seeds.Stop):
        seeds.fitted(_learners(tmp_path, report=stop))
    _check(tmp_path, seeds.fitted(_learners(tmp_path)), alone)


def test_begun_alone_and_finished_together(tmp_path: Path, alone: tuple[Path, dict[int, Learner]]) -> None:
    """One seed is at epoch 4, two are at 1, one has not begun: each goes on from where it is."""
    for chosen, num_epochs in (((12,), 4), ((11, 14), 1)):
        seeds.fitted(_learners(tmp_path, chosen), num_epochs)
    reports: list[float] = []
    together = seeds.fitted(_learners(tmp_path, report=reports.append))
    _check(tmp_path, together, alone)
    assert len(reports) == 4 * (2 + 3 * 6)  # the two at epoch 1 begin again with the one that had not begun


def test_a_seed_alone_is_a_plain_loop(alone: tuple[Path, dict[int, Learner]]) -> None:
    """Torch's own schedulers and functions, and nothing of ours but the batches and the dropout's seeds."""
    learner, network, loader = alone[1][13], seeds.network(13), seeds.train_loader()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-2, nesterov=True)
    by_epoch = torch.optim.lr_scheduler.MultiStepLR(optimizer, [4], 0.5)
    by_loss = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=0)
    validation = list(seeds.evaluations()["validation"])
    generator = torch.Generator()
    network[5].set_generator(generator)
    for epoch in range(6):
        learner.start_epoch(epoch)  # seeds its generator
        generator.manual_seed(learner.generator.initial_seed())
        for x, labels in loader.epoch(13, epoch):
            optimizer.zero_grad()
            F.cross_entropy(network.train()(x.double()), labels).backward()
            torch.nn.utils.clip_grad_value_(network.parameters(), 0.5)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        with torch.no_grad():
            losses = [F.cross_entropy(network.eval()(x.double()), y, reduction="sum").item() for x, y in validation]
        by_loss.step(sum(losses) / 20)
        by_epoch.step()
    torch.testing.assert_close(network.state_dict(), learner.network.state_dict(), rtol=0.0, atol=1e-12)


def test_a_nan_in_one_seed_leaves_the_others_bits_alone(tmp_path: Path, alone: tuple[Path, dict[int, Learner]]) -> None:
    learners = _learners(tmp_path)
    with torch.no_grad():
        learners[1].network[6].weight[0, 0] = math.nan
    seeds.fitted(learners)
    assert learners[1].reason == "the training loss was nan at step 1 of epoch 1"
    assert learners[1].num_epochs == 0
    assert not list((tmp_path / "seed12").glob("*.ckpt"))
    for learner in (learners[0], learners[2], learners[3]):
        assert not learner.reason
        assert seeds.same_bits(learner, alone[1][learner.seed])


def test_a_seed_that_has_diverged_is_not_run_any_more(tmp_path: Path) -> None:
    learners = [seeds.learner(seed, tmp_path, network=Recorded()) for seed in (11, 12)]
    torch.nn.init.constant_(learners[0].network[6].bias, math.nan)
    seeds.fitted(learners, 3)
    assert [len(learner.network.seen) for learner in learners] == [1, 12]
    assert [len(learner.history.get("test_loss", [])) for learner in learners] == [0, 3]


def test_all_seeds_diverged_end_the_training(tmp_path: Path) -> None:
    learners = _learners(tmp_path, (11, 12))
    for learner in learners:
        torch.nn.init.constant_(learner.network[6].bias, math.inf)
    seeds.fitted(learners)
    assert [learner.num_epochs for learner in learners] == [0, 0]


class Recorded(seeds.Network):
    """Remembers what it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(x.clone())
        return super().forward(x)


@pytest.mark.parametrize("num_together", [1, 5])
def test_the_batches_of_a_seed_do_not_depend_on_its_company(tmp_path: Path, num_together: int) -> None:
    learners = [seeds.learner(seed, tmp_path, network=Recorded()) for seed in range(3, 3 + num_together)]
    seeds.fitted(learners, 2)
    expected = [x for epoch in (0, 1) for x, _ in seeds.train_loader().epoch(3, epoch)]
    seen = learners[0].network.seen
    assert len(seen) == len(expected) == 8
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(seen, expected, strict=True))


def test_chunks_cover_an_epoch_once(tmp_path: Path) -> None:
    class Loader:
        def __len__(self) -> int:
            return 2 * STEPS_PER_CHUNK + 5

    group = SeedGroup([seeds.learner(0, tmp_path)], backend=None, train_loader=Loader(), evaluations={})
    assert [step for chunk in group.chunks() for step in range(chunk.start, chunk.stop)] == list(range(len(Loader())))
    assert max(chunk.stop - chunk.start for chunk in group.chunks()) == STEPS_PER_CHUNK
