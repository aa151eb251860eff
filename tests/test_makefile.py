"""What the make targets call."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["reproduce-table"], "convrepro run quickstart"),
        (
            ["reproduce-table", "TABLE=dk_table5", "SCALE=0.02", "SEEDS=2", "LAUNCHER=joblib", "DRY_RUN=1"],
            "convrepro run dk_table5 --launcher joblib --dry-run --scale 0.02 --seeds 2",
        ),
        (
            ["reproduce-table", "ONLY=model=cnn4 conv=dk", "DATASET=mnist", "MACHINE=threads=1", "RESULTS=my results"],
            "--only model=cnn4 --only conv=dk --dataset mnist --results 'my results' --machine threads=1",
        ),
        (["reproduce-table", "DATASET=lfw=lfw_pack mnist=digits"], "--dataset lfw=lfw_pack --dataset mnist=digits"),
        (["reproduce-table", "RETRY_FAILED=1"], "convrepro run quickstart --retry-failed"),
        (["reproduce-table", "RESTART=1", "LAUNCHER=ray"], "convrepro run quickstart --launcher ray --restart"),
        (["test-faults"], "CONVREPRO_FAULTS=large .venv/bin/python -m pytest tests/faults"),
        (["test-faults", "N=7"], "CONVREPRO_FAULTS=7 .venv/bin/python -m pytest tests/faults"),
        (["tables"], "convrepro tables"),
        (["status"], "convrepro status"),
        (["explain", "TABLE=dk_table5", "CELL=model=cnn4 conv=dk"], "convrepro explain dk_table5 model=cnn4 conv=dk"),
        (["audit", "PAPER=dk_cnn"], "convrepro audit dk_cnn"),
        (["smoke"], "convrepro smoke"),
        (["compare", "CSV=mine.csv"], "convrepro compare 'mine.csv'"),
        (
            ["benchmark", "ONLY=epochs cell", "ROUNDS=3", "QUICK=1", "OUTPUT=my results"],
            "convrepro benchmark --only epochs --only cell --rounds 3 --quick --output 'my results'",
        ),
        (["test"], "python -m pytest"),
        (["check"], "lint-imports"),
    ],
)
def test_a_target_calls_the_command_with_its_options(arguments: list[str], command: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert command in " ".join(done.stdout.split())


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_help_names_every_target() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    for target in (
        "install",
        "reproduce-table",
        "tables",
        "status",
        "explain",
        "audit",
        "smoke",
        "compare",
        "benchmark",
        "test",
        "check",
    ):
        assert f"make {target} " in done.stdout
