"""The thin entry points."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import TINY_TABLE

from convrepro import config_files
from convrepro.protocols.identity import run_id_of
from convrepro.records import archive

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(("script", "command"), [("train.py", "train"), ("gpu_campaign.py", "campaign")])
def test_a_script_is_its_command(script: str, command: str, tmp_path: Path) -> None:
    path = ROOT / "scripts" / script
    done = subprocess.run(
        [sys.executable, path, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.startswith(f"usage: convrepro {command}")


def test_a_campaign_runs_from_a_plain_checkout_that_is_not_installed(tmp_path: Path) -> None:
    """Neither the distribution nor what only downloads and sweeps need can be found."""
    checkout = tmp_path / "checkout"
    for folder in ("configs/table", "configs/campaign"):
        (checkout / folder).mkdir(parents=True)
    for entry in config_files.CONFIG_DIR.iterdir():
        if entry.name not in ("table", "campaign"):
            (checkout / "configs" / entry.name).symlink_to(entry)
    for name in ("src", "scripts"):
        (checkout / name).symlink_to(ROOT / name)
    (checkout / "configs/table/tiny.yaml").write_text(yaml.safe_dump(TINY_TABLE))
    campaign = {"about": "for a test", "name": "first_gpu_hours", "cells": [{"table": "tiny"}]}
    (checkout / "configs/campaign/first_gpu_hours.yaml").write_text(yaml.safe_dump(campaign))
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata, sys\n"
        "whole = importlib.metadata.version\n"
        "def version(name):\n"
        "    if name == 'convrepro':\n"
        "        raise importlib.metadata.PackageNotFoundError(name)\n"
        "    return whole(name)\n"
        "importlib.metadata.version = version\n"
        "sys.modules['pooch'] = sys.modules['hydra_plugins'] = None\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "scripts/gpu_campaign.py", "--deadline", "300", "--out", tmp_path / "out"),
            *("--seeds", "1", "--images", "0.2", "--machine", "accelerator=cpu", "--machine", "threads=1"),
        ],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": f"src{os.pathsep}{tmp_path}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "2 of 2 cells and 2 of 2 runs are done" in done.stdout
    merged = archive.merge(tmp_path / "out" / "records.zip", tmp_path / "records", run_id_of=run_id_of)
    assert sum(merged.new.values()) == 2
