"""``convrepro train``: one run, sweeps, and its errors; each in a process of its own, as Hydra wants it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests import commands
from tests.cli.conftest import Command

from convrepro.data import ImageSet
from convrepro.protocols import run as run_module
from convrepro.protocols.generated import generated
from convrepro.protocols.schema import TASKS, Config
from convrepro.records import consistency
from convrepro.records.record import from_json

ROOT = Path(__file__).parents[2]
TINY = (
    "dataset=digits",
    "protocol.images=0.2",
    "model.filters=4",
    "recipe=quickstart",
    "recipe.epochs=1",
    "recipe.milestones=[]",
    "machine.threads=1",
    "machine.accelerator=cpu",
)


def _run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    return commands.run(["train", *arguments], folder)


def test_a_run_by_the_script_and_the_command_is_one_run(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "train.py", *TINY, "conv=dk", "seed=3"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONWARNINGS": "default"},
    )
    out = done.stdout
    assert (done.returncode, [line for line in done.stderr.splitlines() if "Warning" in line]) == (0, [])
    assert out.startswith("digits cnn4 dk seed 3: test error by last ")
    (path,) = (tmp_path / "results" / "records").iterdir()
    written = path.stat().st_mtime_ns
    assert json.loads(path.read_text())["seed"] == 3
    code, again, _ = _run(tmp_path, *TINY, "conv=dk", "seed=3")
    assert (code, again) == (0, out)
    assert path.stat().st_mtime_ns == written
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["results"]


def test_a_count_says_what_it_counted_and_what_its_operators_save(tmp_path: Path) -> None:
    code, out, err = _run(tmp_path, "model=cnn4", "conv=acl", "dataset=digits", "protocol=count")
    assert (code, err) == (0, "")
    assert "75,264 parameters, 3,136,000 multiply-accumulates, compact_factor 0.3507" in out


def test_a_plugin_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    code, _, err = _run(tmp_path, *TINY, "plugins=[nowhere]")
    assert code == 2
    assert err == "convrepro: `plugins`: 'nowhere' cannot be imported: No module named 'nowhere'.\n"


def test_a_sweep_is_every_combination(tmp_path: Path) -> None:
    """By Hydra's own launcher; by those of tables in the tests of hydra_plugins."""
    code, _, err = _run(tmp_path, "-m", *TINY, "conv=standard,dk", "seed=range(2)")
    assert code == 0, err
    records = [json.loads(path.read_text()) for path in (tmp_path / "results" / "records").iterdir()]
    found = sorted((record["names"]["conv"], record["seed"]) for record in records)
    assert found == [("dk", 0), ("dk", 1), ("standard", 0), ("standard", 1)]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["results"]


def test_a_failing_job_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    code, _, err = _run(tmp_path, "-m", *TINY, "recipe.optimizer.lr=-1,0.01")
    assert code == 2
    assert err.count("convrepro: `recipe.optimizer`: Invalid learning rate: -1") == 1
    assert "Traceback" not in err
    assert len(list((tmp_path / "results" / "records").iterdir())) == 1


RATE = r"\d+\.\d\d % \(epoch 1\)"
CNN = ["dataset=digits", "model=cnn4", "model.filters=4", "recipe=quickstart", "recipe.epochs=1"]
SAID = {
    "classification": ([*CNN, "recipe.milestones=[]"], f"test error by last {RATE}, .*best_on_test {RATE}"),
    "segmentation": (
        [
            "model=unet",
            "dataset=oxford_pets_pack",
            "dataset.image_size=[32,32]",
            "dataset.num_train_images=20",
            "dataset.num_test_images=4",
            "recipe=aconv_unet",
            "recipe.epochs=1",
        ],
        f"test pixel accuracy by last {RATE}, best_on_validation {RATE}, best_on_test {RATE}",
    ),
    "filters": (
        ["model=filter_bank", "dataset=image_filters", "recipe=aconv_filters", "recipe.epochs=3"],
        r"train loss \d\S+ after 3 iterations",
    ),
    "step_timing": ([*CNN, "recipe.milestones=[]", "protocol=step_timing"], r"train_step_microseconds \d\S+"),
    "inference_timing": (
        [*CNN, "recipe.milestones=[]", "protocol=inference_timing"],
        r"inference_milliseconds_per_image \d\S+",
    ),
    "count": ([*CNN, "protocol=count"], r"[\d,]+ parameters, [\d,]+ multiply-accumulates"),
}


def _generated(config: Config) -> ImageSet:
    """Random images, as many as the config says."""
    numbers = (config.dataset.num_train_images, config.dataset.num_test_images)
    return ImageSet(*(generated(config, number) for number in numbers))


@pytest.mark.parametrize("task", TASKS)
def test_every_task_says_what_it_found_and_leaves_a_record_that_fits(
    convrepro: Command, monkeypatch: pytest.MonkeyPatch, task: str
) -> None:
    monkeypatch.setattr(run_module, "load_data", _generated)
    arguments, said = SAID[task]
    code, out, err = convrepro("train", *arguments, "machine.threads=1", "machine.accelerator=cpu")
    assert (code, err) == (0, "")
    assert re.search(f"seed 0: {said}; ", out), out
    (path,) = Path("results", "records").iterdir()
    record = from_json(path.read_text(encoding="utf-8"))
    assert record.config["protocol"]["task"] == task
    consistency.check(record)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model=resnet2O"], "unknown model 'resnet2O'; did you mean 'resnet20'?"),
        (["-m", "conv=standard,dkk"], "unknown conv 'dkk'; did you mean 'dk'?"),
        (["recipe.epocs=3"], "unknown key of recipe 'epocs'; did you mean 'epochs'?"),
        (["-m", "conv=standard,dk", "recipe.epocs=3"], "did you mean 'epochs'?"),
        (["-m", "hydra/launcher=joblib", "recipe.epocs=3"], "did you mean 'epochs'?"),
        (["seed=0,1"], "a sweep needs -m"),
        (["--mulirun"], "unknown flag '--mulirun'; did you mean '--multirun'?"),
        (["recipe.epochs=many"], "`recipe.epochs`"),
        (["+recipe.speed=3"], "unknown key `recipe.speed`"),
        (["model.filters=-3"], "model 'cnn4' cannot be built"),
        (["conv=dk", "conv.hidden=0"], "`hidden` must be at least 1, got 0"),
        (["conv._target_=os.system"], "`_target_` must lie in"),
        (["dataset=cifar10", "machine.download=false", "machine.data_dir=nowhere"], "convrepro data fetch cifar10"),
        (["seed=[1"], "no viable alternative"),
    ],
)
def test_bad_input_is_one_line_and_code_2(convrepro: Command, arguments: list[str], message: str) -> None:
    code, out, err = convrepro("train", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1, err
    assert not Path("results", "records").exists()


def test_help_names_the_groups(convrepro: Command) -> None:
    code, out, _ = convrepro("train", "--help")
    assert code == 0
    assert "Groups: conv, model, dataset, recipe, recipe/augmentation, protocol, machine." in out
