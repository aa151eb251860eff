"""``convrepro export``: from a real run to a file."""

import importlib.util
import shutil
from pathlib import Path

import onnxruntime
import pytest
import torch
from tests.cli.conftest import SERIAL, Command

from convrepro.records import Record, store


@pytest.fixture
def records(convrepro: Command) -> list[Record]:
    """Of two seeds of a tiny run with a dynamic kernel."""
    convrepro("run", "tiny", "--images", "0.2", "--only", "conv=dk", *SERIAL)
    return store.read_everything(Path("results/records"))


def test_a_run_becomes_a_checked_file(convrepro: Command, records: list[Record]) -> None:
    run = f"{records[0].run_id}-seed0"
    code, out, err = convrepro("export", run)
    assert (code, err) == (0, "")
    path = Path("results/runs", run, "export", "best_on_validation.onnx")
    first, *_ = out.splitlines()
    assert first == f"digits cnn4 dk seed 0 (run {records[0].run_id}), weights of epoch 1 (best_on_validation)"
    for part in ("parameters: ", "multiply-accumulates: ", " as trained, ", " folded", "largest difference"):
        assert part in out
    assert out.endswith(f"written: {path} ({path.stat().st_size:,} bytes)\n")
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"images": torch.zeros(3, 1, 8, 8).numpy()})[0].shape == (3, 10)


def test_format_weights_file_and_results_are_the_users_choice(convrepro: Command, records: list[Record]) -> None:
    Path("results").rename("elsewhere")
    run = f"{records[0].run_id[:6]}-seed1"
    options = ("--format", "pt2", "--selection", "last", "--output", "net/mine.pt2", "--results", "elsewhere")
    code, out, err = convrepro("export", run, *options)
    assert (code, err) == (0, "")
    assert "seed 1" in out
    assert "(last)" in out
    assert torch.export.load("net/mine.pt2").module()(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert [path.name for path in Path("net").iterdir()] == ["mine.pt2"]


def test_weights_that_are_not_here_are_one_line_with_the_command_that_makes_them(
    convrepro: Command, records: list[Record]
) -> None:
    shutil.rmtree("results/runs")
    code, out, err = convrepro("export", f"{records[0].run_id}-seed1")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    command = err.split("`")[1]
    assert command.startswith("convrepro train conv=dk ")
    assert " seed=1 " in command
    assert not Path("results/runs").exists()


def test_bad_input_is_one_line_code_2_and_no_file(
    convrepro: Command, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = records[0].run_id
    files = set(Path().rglob("*"))
    for arguments, message in (
        (["export"], "the following arguments are required: RUN"),
        (["export", run_id], f"has the seeds 0, 1; name one: {run_id}-seed0"),
        (["export", f"{run_id}-seed7"], f"no record of run '{run_id}-seed7' in results/records"),
        (["export", "results/records"], "a run is named by its id"),
        (["export", f"{run_id}-seed0", "--format", "h5"], "unknown --format 'h5'; known: onnx, pt2"),
        (["export", f"{run_id}-seed0", "--selection", "best_on_test"], "unknown --selection 'best_on_test'"),
        (["export", f"{run_id}-seed0", "--results", "nowhere"], "in nowhere/records"),
        (["export", f"{run_id}-seed0", "--format", "pt2", "--output", "results"], "results"),
    ):
        code, out, err = convrepro(*arguments)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    code, _, err = convrepro("export", f"{run_id}-seed0")
    assert code == 2
    assert "`pip install 'convrepro[export]'`" in err
    assert set(Path().rglob("*")) == files
