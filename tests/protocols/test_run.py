"""One seed of one cell, end to end, on real digits."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from convrepro.data import EvaluationLoader, ImageSet
from convrepro.protocols import run as run_module
from convrepro.protocols.composer import compose
from convrepro.protocols.generated import generated
from convrepro.protocols.identity import run_id
from convrepro.protocols.network import build_network
from convrepro.protocols.run import run, run_seeds
from convrepro.protocols.schema import Config
from convrepro.protocols.train import load_data
from convrepro.records import Record, attempts, store, workspace
from convrepro.training import Learner, checkpoints

TINY = [
    *("dataset=digits", "protocol.images=0.2", "model=cnn4", "model.filters=8", "recipe=quickstart"),
    *("recipe.epochs=3", "recipe.batch_size=16", "recipe.optimizer.lr=0.01", "recipe.milestones=[2]"),
    *("machine.accelerator=cpu", "machine.threads=1"),
]


def _config(results_dir: Path, *overrides: str) -> Config:
    return compose([*TINY, f"machine.results_dir='{results_dir}'", *overrides])


def _numbers(record: Record) -> dict[str, Any]:
    """All but the fields that are measured."""
    return dataclasses.asdict(record) | {"measured": None, "environment": None}


class Stop(Exception):
    """Ends a run from within."""


def _stop_at(fraction: float) -> Callable[[float], None]:
    def report(reached: float) -> None:
        if reached >= fraction:
            raise Stop

    return report


def _weights(results_dir: Path, record: Record) -> dict[str, bytes]:
    """The files of a run's weights."""
    folder = workspace.weights_dir(workspace.run_dir(results_dir, record.run_id, record.seed))
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*"))}


@pytest.fixture(scope="module")
def finished_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module", params=["", "protocol.retrain=true"], ids=["one phase", "two phases"])
def finished(request: pytest.FixtureRequest, finished_dir: Path) -> tuple[str, Record]:
    override: str = request.param or "protocol.retrain=false"
    return override, run(_config(finished_dir, "conv=dk", override))


def test_a_record_has_what_a_table_needs(finished: tuple[str, Record]) -> None:
    _, record = finished
    assert record.status == "done"
    assert record.scaled
    assert record.official_data
    assert record.num_operator_layers == 2
    assert set(record.selected) == {"last", "best_on_validation", "best_on_test"}
    assert {len(values) for values in record.epochs.values()} == {3}
    assert record.names == {
        "conv": "dk", "model": "cnn4", "dataset": "digits", "recipe": "quickstart", "protocol": "holdout_200",
    }  # fmt: skip
    assert record.environment["threads"] == 1
    assert record.measured["wall_seconds"] > 0


def test_the_selected_epoch_is_the_best_on_validation(finished: tuple[str, Record]) -> None:
    override, record = finished
    prefix = "select_" if override.endswith("true") else ""
    validation = record.epochs[f"{prefix}validation_accuracy"]
    epoch = int(record.selected["best_on_validation"]["epoch"])
    assert validation[epoch - 1] == max(value for value in validation if value is not None)
    assert record.selected["best_on_validation"]["test_accuracy"] == pytest.approx(
        record.epochs["test_accuracy"][epoch - 1], rel=1e-5
    )


def test_it_is_better_than_chance(finished: tuple[str, Record]) -> None:
    assert finished[1].metric("test_accuracy", "last") > 20.0


@pytest.mark.parametrize("rule", ["last", "best_on_validation"])
def test_kept_weights_have_the_accuracy_that_the_rule_reports(
    finished: tuple[str, Record], finished_dir: Path, rule: str
) -> None:
    override, record = finished
    config = _config(finished_dir, "conv=dk", override)
    folder = workspace.weights_dir(workspace.run_dir(finished_dir, record.run_id, 0))
    network = build_network(config)
    content = checkpoints.load(folder / f"{rule}.pt")
    assert content["epoch"] == record.selected[rule]["epoch"]
    network.load_state_dict(content["weights"])
    network.eval()
    images = EvaluationLoader(
        load_data(config).test,
        batch_size=500,
        mean=config.dataset.mean,
        std=config.dataset.std,
        device=torch.device("cpu"),
    )
    (x_BCHW, labels_B), *rest = images
    assert not rest
    accuracy = 100.0 * (network(x_BCHW).argmax(dim=1) == labels_B).double().mean().item()
    assert accuracy == pytest.approx(record.metric("test_accuracy", rule))


def test_weights_are_kept_for_nothing_else(finished: tuple[str, Record], finished_dir: Path) -> None:
    assert _weights(finished_dir, finished[1]).keys() == {
        "best_on_validation.pt", "best_on_validation.pt.json", "last.pt", "last.pt.json",
    }  # fmt: skip


def test_without_validation_only_the_last_weights_are_kept(tmp_path: Path) -> None:
    record = run(_config(tmp_path, "recipe.epochs=1", "protocol.validation_images=0"))
    assert _weights(tmp_path, record).keys() == {"last.pt", "last.pt.json"}


def test_the_same_again_is_the_same_to_the_last_bit(finished: tuple[str, Record], tmp_path: Path) -> None:
    override, record = finished
    assert _numbers(run(_config(tmp_path, "conv=dk", override))) == _numbers(record)


@pytest.mark.parametrize("fraction", [0.1, 0.45, 0.55, 0.99])
def test_a_stopped_run_goes_on_to_the_same_record(
    finished: tuple[str, Record], finished_dir: Path, tmp_path: Path, fraction: float
) -> None:
    override, record = finished
    config = _config(tmp_path, "conv=dk", override)
    with pytest.raises(Stop):
        run(config, report=_stop_at(fraction))
    assert workspace.state(tmp_path, run_id(config), 0) == "failed"
    assert _numbers(run(config)) == _numbers(record)
    assert workspace.state(tmp_path, run_id(config), 0) == "done"
    assert not list(tmp_path.rglob("*.ckpt*"))
    assert _weights(tmp_path, record) == _weights(finished_dir, record)


CYCLE = [*TINY[:4], "recipe=acl_lenet", "recipe.epochs=3", "recipe.batch_size=16", "protocol=holdout_200"]
MASKS = [
    *("dataset=oxford_pets", "dataset.image_size=[16,16]", "dataset.num_train_images=30", "dataset.num_test_images=6"),
    *("model=unet", "model.kernel_size=3", "conv=aconv", "recipe=aconv_unet", "recipe.epochs=3", "recipe.batch_size=8"),
]


@pytest.mark.parametrize("fraction", [0.3, 0.55, 0.8])
@pytest.mark.parametrize("overrides", [CYCLE, MASKS], ids=["one_cycle", "segmentation"])
def test_cycles_and_masks_resume_in_the_same_bits(
    overrides: list[str], fraction: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def images(config: Config) -> ImageSet:
        numbers = (config.dataset.num_train_images, config.dataset.num_test_images)
        return ImageSet(*(generated(config, number) for number in numbers))

    monkeypatch.setattr(run_module, "load_data", images)
    base = [*overrides, "machine.accelerator=cpu", "machine.threads=1"]
    whole, stopped = (compose([*base, f"machine.results_dir='{tmp_path / name}'"]) for name in ("whole", "stopped"))
    record = run(whole)
    with pytest.raises(Stop):
        run(stopped, report=_stop_at(fraction))
    assert _numbers(run(stopped)) == _numbers(record)
    assert _weights(tmp_path / "stopped", record) == _weights(tmp_path / "whole", record)


def test_another_seed_is_another_result(finished: tuple[str, Record], tmp_path: Path) -> None:
    override, record = finished
    other = run(_config(tmp_path, "conv=dk", override, "seed=1"))
    assert other.run_id == record.run_id
    assert other.epochs["train_loss"] != record.epochs["train_loss"]


def test_a_run_with_a_record_is_not_run_again(tmp_path: Path) -> None:
    config = _config(tmp_path, "recipe.epochs=1")
    record = run(config)
    assert run(config, report=_stop_at(0.0)) == record


def test_a_count_of_an_adaptive_network_has_the_variance_of_its_kernels(tmp_path: Path) -> None:
    """Theorem 3.1 of Tek et al. 2021: about 1; a network of plain convolutions has no such fact."""
    count = ["protocol=count", "model=simple_cnn", "dataset=digits", f"machine.results_dir='{tmp_path}'"]
    adaptive, standard = (run(compose([*count, f"conv={conv}"])) for conv in ("aconv", "standard"))
    assert adaptive.selected.keys() == {"last"}
    assert adaptive.metric("kernel_variance_ratio", "last") == pytest.approx(1.0, abs=0.1)
    assert standard.selected == {}


def test_a_count_needs_no_data_and_leaves_only_its_record(tmp_path: Path) -> None:
    """SPEC of the paper's Table 6: CNN4 has 143,050 parameters on 28 x 28 x 1."""
    record = run(compose(["protocol=count", "dataset=fashion_mnist", "model=cnn4", f"machine.results_dir='{tmp_path}'",
                          "machine.data_dir=/nowhere", "machine.download=false"]))  # fmt: skip
    assert record.metric("num_parameters", "last") == 143_050
    assert record.epochs == {}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [f"{record.run_id}-seed0.json"]


def test_missing_data_without_leave_to_download_say_where_and_leave_nothing(tmp_path: Path) -> None:
    config = compose(["dataset=cifar10", "model=cnn4", f"machine.results_dir='{tmp_path}'", "machine.download=false",
                      f"machine.data_dir='{tmp_path / 'data'}'"])  # fmt: skip
    with pytest.raises(FileNotFoundError, match="convrepro data fetch cifar10") as error:
        run(config)
    assert str(tmp_path / "data") in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "override",
    ["recipe.optimizer.lr=-1", "conv.pieces=0", "+conv.colour=red", "model.filters=-3", "dataset.num_classes=3"],
)
def test_what_cannot_be_built_leaves_nothing_that_counts(tmp_path: Path, override: str) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|takes no key|Invalid"):
        run(_config(tmp_path, "conv=dk", override))
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_a_last_step_that_blows_up_is_a_divergence_too(tmp_path: Path) -> None:
    """The training loss of an epoch's only batch is that of the weights before the step."""
    record = run(_config(tmp_path, "recipe.epochs=1", "recipe.batch_size=5000", "recipe.optimizer.lr=1e15"))
    assert record.status == "diverged"
    assert "validation loss was" in record.reason


def test_a_loss_that_is_no_number_is_a_record_of_its_own(tmp_path: Path) -> None:
    record = run(_config(tmp_path, "recipe.optimizer.lr=1e15"))
    assert record.status == "diverged"
    assert "training loss was nan" in record.reason or "training loss was inf" in record.reason
    assert record.selected == {}
    assert store.read(workspace.records_dir(tmp_path), record.run_id, 0) == record


def test_a_diverged_run_keeps_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_module.train_phase

    def late(learners: list[Learner], *arguments: Any) -> str:
        backend = whole(learners, *arguments)
        for learner in learners:
            learner.reason = "in the last epoch"
        return backend

    monkeypatch.setattr(run_module, "train_phase", late)
    record = run(_config(tmp_path, "recipe.epochs=1"))
    assert record.reason == "in the last epoch"
    assert _weights(tmp_path, record) == {}


def _seeds(results_dir: Path, *overrides: str, seeds: tuple[int, ...] = (0, 1, 2)) -> list[Config]:
    one = _config(results_dir, *overrides)
    return [dataclasses.replace(one, seed=seed) for seed in seeds]


def test_seeds_together_leave_the_records_and_weights_of_seeds_alone(
    finished: tuple[str, Record], finished_dir: Path, tmp_path: Path
) -> None:
    override, _ = finished
    told: dict[int, float] = {}
    together = run_seeds(_seeds(tmp_path, "conv=dk", override), report=told.__setitem__)
    assert list(together) == [0, 1, 2]
    assert told == {0: 1.0, 1: 1.0, 2: 1.0}
    for seed, record in together.items():
        alone = run(_config(finished_dir, "conv=dk", override, f"seed={seed}"))
        assert _numbers(record) == _numbers(alone)
        assert _weights(tmp_path, record) == _weights(finished_dir, alone)
        assert (alone.environment["seeds_together"], record.environment["seeds_together"]) == (1, 3)


def test_a_seed_of_another_process_is_left_to_it(tmp_path: Path) -> None:
    configs = _seeds(tmp_path, "recipe.epochs=1")
    claim = attempts.claim(workspace.run_dir(tmp_path, run_id(configs[1]), 1))
    assert run_seeds(configs).keys() == {0, 2}
    claim.end(None)
    assert store.read(workspace.records_dir(tmp_path), run_id(configs[1]), 1) is None


def test_only_seeds_without_a_record_are_run(tmp_path: Path) -> None:
    configs = _seeds(tmp_path, "recipe.epochs=1")
    first = run(configs[1])
    told: dict[int, float] = {}
    assert run_seeds(configs, report=told.__setitem__)[1] == first
    assert told.keys() == {0, 2}


def test_a_seed_that_diverges_leaves_the_others_records_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its weights are spoilt in the phase that selects: it takes no part in the second."""
    make_learner = run_module.make_learner

    def spoilt(config: Config, **keywords: Any) -> Learner:
        learner = make_learner(config, **keywords)
        if config.seed == 1:
            torch.nn.init.constant_(learner.network.classifier.bias, torch.nan)
        return learner

    monkeypatch.setattr(run_module, "make_learner", spoilt)
    records = run_seeds(_seeds(tmp_path, "recipe.epochs=2", "protocol.retrain=true"))
    monkeypatch.undo()
    assert [record.status for record in records.values()] == ["done", "diverged", "done"]
    assert records[1].epochs == {}  # it diverged in the first
    assert records[1].reason == "the training loss was nan at step 1 of epoch 1"
    alone = run(_config(tmp_path / "alone", "recipe.epochs=2", "protocol.retrain=true", "seed=2"))
    assert _numbers(records[2]) == _numbers(alone)


def test_a_failure_is_noted_for_every_seed_of_the_group(tmp_path: Path) -> None:
    def fail(seed: int, fraction: float) -> None:
        raise OSError("the disk is full")

    configs = _seeds(tmp_path)
    with pytest.raises(OSError, match="the disk is full"):
        run_seeds(configs, report=fail)
    assert {workspace.ending(tmp_path, run_id(configs[0]), seed) for seed in (0, 1, 2)} == {
        "the disk is full (attempt 1)"
    }


def test_time_images_and_threads_are_those_of_all_phases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that ticks once an epoch: it is asked when one starts and when it ends."""
    monkeypatch.setattr("time.monotonic", itertools.count().__next__)
    before = torch.get_num_threads()
    record = run(_config(tmp_path, "protocol.retrain=true", "recipe.epochs=2", "machine.threads=2"))
    torch.set_num_threads(before)
    assert record.environment["threads"] == 2
    assert record.environment["backend"] == "loop"
    seconds = record.measured["wall_seconds"]
    assert seconds >= 2 * 2
    images = record.splits["train"]["num_images"] + record.splits["retrain"]["num_images"]
    assert record.measured["images_per_second"] * seconds == pytest.approx(2 * images)


def test_a_record_that_another_process_finishes_before_the_claim_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(tmp_path, "recipe.epochs=1")
    claim, theirs = attempts.claim, run(_config(tmp_path / "other", "recipe.epochs=1"))

    def late(folder: Path, **how: Any) -> Any:
        store.write(workspace.records_dir(tmp_path), theirs)
        return claim(folder, **how)

    monkeypatch.setattr(attempts, "claim", late)
    assert run(config, report=_stop_at(0.0)) == theirs


@pytest.mark.parametrize("moment", ["epoch", "record"])
def test_a_run_that_was_taken_over_is_discarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """A second attempt begins while the first is at an epoch's end, or between its check and its record."""
    config = _config(tmp_path, "recipe.epochs=1")
    folder = workspace.run_dir(tmp_path, run_id(config), 0)
    check, theirs = attempts.Claim.check, run(_config(tmp_path / "other", "recipe.epochs=1"))
    told = iter([None] * (moment == "record"))

    def late(claim: attempts.Claim) -> None:
        if next(told, moment) is None:
            return check(claim)
        if moment == "record":
            check(claim)
            store.write(workspace.records_dir(tmp_path), theirs)
            return None
        attempts._path(folder, 2).write_text("somebody else's")
        return check(claim)

    monkeypatch.setattr(attempts.Claim, "check", late)
    if moment == "record":
        assert run(config) == theirs
        return
    with pytest.raises(attempts.Lost):
        run(config)
    assert store.read(workspace.records_dir(tmp_path), run_id(config), 0) is None
    assert sorted(path.name for path in folder.glob("attempt*")) == ["attempt1.json", "attempt2.json"]


def test_a_record_says_which_attempt_made_it(tmp_path: Path) -> None:
    config = _config(tmp_path, "recipe.epochs=1")
    attempts.claim(workspace.run_dir(tmp_path, run_id(config), 0)).end("failed", "out of luck")
    assert run(config).environment["attempt"] == 2
    assert attempts.latest(workspace.run_dir(tmp_path, run_id(config), 0)) is None
