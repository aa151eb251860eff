"""The command, run in this process on a tiny table."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from convrepro import config_files
from convrepro.cli import main as command

Command = Callable[..., tuple[int, str, str]]

SERIAL = ("--launcher", "serial", "--machine", "threads=1", "--machine", "accelerator=cpu")

TINY_TABLE = {
    "about": "a table for tests",
    "name": "tiny",
    "paper": "",
    "source": "",
    "metric": "test_error",
    "selection": "best_on_validation",
    "num_seeds": 2,
    "margin": 0.5,
    "baseline": "standard",
    "assumptions": [],
    "overrides": ["recipe=quickstart", "recipe.epochs=1", "recipe.milestones=[]", "model.filters=4"],
    "grid": [{"dataset": ["digits"], "model": ["cnn4"], "conv": ["standard", "dk"]}],
}


@pytest.fixture
def convrepro(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Calls the command in an empty folder that has the configs and a table ``tiny``; returns code, output, errors."""
    configs = tmp_path / "configs"
    configs.mkdir()
    for entry in config_files.CONFIG_DIR.iterdir():
        if entry.name != "table":
            (configs / entry.name).symlink_to(entry)
    (configs / "table").mkdir()
    for name in ("quickstart.yaml", "dk_table5.yaml", "dk_table6.yaml"):
        (configs / "table" / name).symlink_to(config_files.CONFIG_DIR / "table" / name)
    (configs / "table" / "tiny.yaml").write_text(yaml.safe_dump(TINY_TABLE, sort_keys=False))
    monkeypatch.setattr(config_files, "CONFIG_DIR", configs)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # `train` sets it, and the arguments, for its process
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        try:
            code = command.main(arguments)
        except SystemExit as error:  # argparse
            code = int(error.code or 0)
        output = capsys.readouterr()
        return code, output.out, output.err

    return call
