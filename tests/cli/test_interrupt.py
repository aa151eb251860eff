"""A real Ctrl-C in the middle of a real run."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from convrepro.records import store, workspace

COMMAND = [
    *(sys.executable, "-m", "convrepro.cli.main", "run", "quickstart", "--only", "conv=dk", "--seeds", "1"),
    *("--images", "0.3", "--launcher", "serial", "--machine", "threads=1", "--results", "r"),
]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_an_interrupted_table_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = subprocess.run([*COMMAND[:-1], "whole"], cwd=tmp_path, capture_output=True, timeout=300)
    assert whole.returncode == 0
    process = subprocess.Popen(
        COMMAND,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("r/runs/*/train/epoch2.ckpt.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "convrepro: interrupted; the same command goes on where it stopped"
    (folder,) = (path for path in (tmp_path / "r" / "runs").iterdir() if path.is_dir())
    run_id = folder.name.removesuffix("-seed0")
    assert workspace.state(tmp_path / "r", run_id, 0) == "interrupted"

    assert subprocess.run(COMMAND, cwd=tmp_path, capture_output=True, timeout=300).returncode == 0
    resumed, expected = (store.read(tmp_path / name / "records", run_id, 0) for name in ("r", "whole"))
    assert resumed is not None
    assert expected is not None
    assert (resumed.epochs, resumed.selected) == (expected.epochs, expected.selected)
