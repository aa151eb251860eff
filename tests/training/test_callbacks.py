"""What happens at the end of an epoch beside the training."""

from pathlib import Path

import torch
from tests.training import seeds

from convrepro.training import KeepWeights, Learner, checkpoints


def test_logs_and_two_checkpoints_of_every_seed(tmp_path: Path) -> None:
    learners = seeds.fitted([seeds.learner(seed, tmp_path) for seed in (0, 1)], 4)
    for learner in learners:
        header, *rows = (learner.folder / "metrics.csv").read_text().splitlines()
        assert header.startswith("epoch,learning_rate,train_loss,train_accuracy,validation_loss")
        assert rows[3].startswith("4,")
        assert float(rows[3].split(",")[2]) == learner.history["train_loss"][3]
        assert checkpoints.whole(learner.folder).keys() == {(3, 0), (4, 0)}
        (events,) = (learner.folder / "tensorboard").glob("events*")
        assert events.stat().st_size > 200
    assert len({(learner.folder / "metrics.csv").read_text() for learner in learners}) == 2


def test_weights_are_those_of_the_epoch_that_the_rule_chose(tmp_path: Path) -> None:
    seen: dict[int, torch.Tensor] = {}
    keep = KeepWeights(tmp_path / "weights", lambda history: ["second"] if len(history["train_loss"]) == 2 else [])

    def after_epoch(learner: Learner) -> None:
        keep(learner)
        seen[learner.num_epochs] = learner.network[0].weight.detach().clone()

    seeds.fitted([seeds.learner(0, tmp_path, after_epoch=after_epoch)], 3)
    content = checkpoints.load(tmp_path / "weights" / "second.pt")
    assert content["epoch"] == 2
    assert torch.equal(content["weights"]["0.weight"], seen[2])
    assert not torch.equal(seen[2], seen[3])


def test_an_epoch_with_a_checkpoint_has_had_its_callback(tmp_path: Path) -> None:
    def after_epoch(learner: Learner) -> None:
        assert (learner.num_epochs, 0) not in checkpoints.whole(learner.folder)

    seeds.fitted([seeds.learner(0, tmp_path, after_epoch=after_epoch)], 2)
