"""Sweeps by the launchers of tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from tests import commands

from convrepro import config_files
from convrepro.protocols.launchers import LAUNCHERS

SWEEP = [
    *("-m", "dataset=digits", "protocol.images=0.2", "model.filters=4", "recipe=quickstart", "recipe.epochs=1"),
    *("recipe.milestones=[]", "machine.threads=1", "machine.accelerator=cpu", "hydra/launcher=joblib"),
]


def _train(folder: Path, *overrides: str) -> tuple[int, str, str]:
    return commands.run(["train", *SWEEP, *overrides], folder)


def test_every_launcher_but_the_first_is_a_choice() -> None:
    """Without a choice Hydra runs jobs one after the other itself."""
    assert config_files.names("hydra/launcher") == sorted(LAUNCHERS[1:])
    for name in LAUNCHERS[1:]:
        content = yaml.safe_load((config_files.CONFIG_DIR / "hydra" / "launcher" / f"{name}.yaml").read_text())
        assert content == {"_target_": "hydra_plugins.convrepro_launcher.ConvreproLauncher", "name": name}


def test_hydra_finds_it() -> None:
    assert "ConvreproLauncher" in [launcher.__name__ for launcher in Plugins.instance().discover(Launcher)]


def test_it_is_light() -> None:
    """Every program that uses Hydra imports it."""
    code = "import sys, hydra_plugins.convrepro_launcher; assert not {'torch', 'convrepro'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_jobs_are_told_in_their_order_and_failures_do_not_stop_the_others(tmp_path: Path) -> None:
    code, out, err = _train(tmp_path, "recipe.optimizer.lr=-1,0.01", "seed=0,1")
    assert code == 2
    assert [line.split(":")[0] for line in out.splitlines()] == [f"digits cnn4 standard seed {n}" for n in (0, 1)]
    assert all("test error by last" in line and line.endswith(".json") for line in out.splitlines())
    failed = [line for line in err.splitlines() if line.startswith("convrepro: ")]
    assert sorted(failed) == [
        f"convrepro: digits cnn4 standard seed {n}: `recipe.optimizer`: Invalid learning rate: -1." for n in (0, 1)
    ]
    assert "Traceback" not in err
    records = [json.loads(path.read_text()) for path in (tmp_path / "results" / "records").iterdir()]
    assert sorted(record["seed"] for record in records) == [0, 1]


def test_a_plugin_of_the_same_name_does_not_take_its_place(tmp_path: Path) -> None:
    """As hydra-joblib-launcher does, whose choice is called joblib, too."""
    plugin = tmp_path / "installed" / "hydra_plugins" / "other_launcher.py"
    plugin.parent.mkdir(parents=True)
    plugin.write_text(
        "from dataclasses import dataclass\n"
        "from hydra.core.config_store import ConfigStore\n"
        "@dataclass\n"
        "class Other:\n"
        "    _target_: str = 'hydra_plugins.nowhere.Other'\n"
        "    n_jobs: int = 2\n"
        "ConfigStore.instance().store(group='hydra/launcher', name='joblib', node=Other, provider='other')\n"
    )
    code = (
        "from convrepro.cli import main, train\n"
        "train.sweep = lambda configs, *, launcher: print(launcher, len(configs))\n"
        "main.main(['train', '-m', 'hydra/launcher=joblib', 'seed=0,1,2'])"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path / 'installed'}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "joblib 3\n", "")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("hydra.launcher.name=rocket", "`launcher` must be one of serial, joblib, ray, submitit, got 'rocket'."),
        ("hydra/launcher=rai", "unknown launcher 'rai'; did you mean 'ray'?"),
    ],
)
def test_an_unknown_launcher_is_one_line(tmp_path: Path, override: str, message: str) -> None:
    assert _train(tmp_path, "seed=0,1", override) == (2, "", f"convrepro: {message}\n")
