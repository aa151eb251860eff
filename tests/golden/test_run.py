"""One tiny run through loader, augmentation, recipe and protocol, pinned together with its id.

If the numbers move and the id does not, code has changed what a config computes: raise ``version`` in the recipes, so
that earlier records stay apart, then run this file as a script to write the numbers again.
"""

import json
import sys
import tempfile
from pathlib import Path

import pytest

from convrepro.protocols.composer import compose
from convrepro.protocols.run import run
from convrepro.records import Record

GOLDEN = Path(__file__).with_name("run.json")
OVERRIDES = [
    *("dataset=digits", "model=cnn4", "conv=dk", "model.filters=8", "recipe=dk_sgd"),
    *("recipe/augmentation=dk_fashion_mnist", "recipe.augmentation.crop_padding=1", "recipe.optimizer.lr=0.02"),
    *("recipe.epochs=6", "recipe.milestones=[2,4]", "protocol.scale=0.5", "protocol.images=0.1"),
    *("protocol.retrain=true", "machine.accelerator=cpu", "machine.threads=1", "seed=3"),
]


def _record(results_dir: Path) -> Record:
    return run(compose([*OVERRIDES, f"machine.results_dir='{results_dir}'"]))


def test_the_same_id_gives_the_same_numbers(tmp_path: Path) -> None:
    expected, record = json.loads(GOLDEN.read_text()), _record(tmp_path)
    assert record.run_id == expected["run_id"]
    assert record.epochs["learning_rate"] == pytest.approx(expected["learning_rate"])
    assert record.splits == expected["splits"]
    for metric in ("select_train_loss", "train_loss"):
        assert record.epochs[metric] == pytest.approx(expected[metric], rel=1e-4)  # processors round differently


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = _record(Path(folder))
    metrics = {metric: found.epochs[metric] for metric in ("learning_rate", "select_train_loss", "train_loss")}
    GOLDEN.write_text(json.dumps({"run_id": found.run_id, "splits": found.splits, **metrics}, indent=1) + "\n")
    sys.exit()
