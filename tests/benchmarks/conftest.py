from pathlib import Path

import pytest

from convrepro.benchmarks import images
from convrepro.benchmarks.settings import Settings
from convrepro.benchmarks.workload import dataset_node


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Quick ones, with 200 + 40 random images."""
    source = images.prepare(tmp_path, dataset_node(), tmp_path / "nowhere", num_train=200, num_test=40)
    return Settings(quick=True, rounds=None, threads=1, data_dir=tmp_path / "nowhere", folder=tmp_path, source=source)
