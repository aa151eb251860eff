"""``convrepro plan``."""

from pathlib import Path

from tests.cli.conftest import Command


def test_every_run_with_its_state_and_an_estimate_once_one_was_measured(convrepro: Command) -> None:
    code, out, _ = convrepro("plan", "tiny", "--images", "0.2")
    assert code == 0
    assert "4 runs to do; how long they take is known after a first run here" in out
    assert not Path("results").exists()

    convrepro(
        "run", "tiny", "--images", "0.2", "--only", "conv=standard", "--machine", "threads=1", "--launcher", "serial"
    )
    _, out, _ = convrepro("plan", "tiny", "--images", "0.2")
    lines = out.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["done", "done"]
    assert all(" missing " in line and line.endswith(" s") for line in lines[3:5])
    assert lines[5].startswith("2 runs to do, about ")
