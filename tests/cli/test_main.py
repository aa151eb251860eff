"""The command as a whole."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Command

from convrepro.cli import listing, run


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["data", "list"], ["run", "--help"], ["campaign", "--help"]]
)
def test_a_quick_command_imports_no_torch(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom convrepro.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "print('HEAVY', [name for name in ('torch', 'lightning', 'hydra', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_help_names_every_command(convrepro: Command) -> None:
    code, out, _ = convrepro("--help")
    assert code == 0
    for command in (
        "list",
        "plan",
        "run",
        "tables",
        "status",
        "compare",
        "train",
        "data",
        "export",
        "campaign",
        "merge",
    ):
        assert f"\n    {command} " in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["runn"], "unknown command 'runn'; did you mean 'run'?"),
        (["list", "tabels"], "unknown kind 'tabels'; did you mean 'tables'?"),
        (["compare", "nowhere.csv"], "nowhere.csv"),
        (["data", "verify", "cifar"], "unknown dataset 'cifar'; did you mean 'cifar10'?"),
        (["status", "dk_table55"], "unknown table 'dk_table55'; did you mean 'dk_table5'?"),
    ],
)
def test_bad_input_is_one_line_and_code_2(convrepro: Command, arguments: list[str], message: str) -> None:
    code, out, err = convrepro(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_debug_shows_where_an_error_came_from(convrepro: Command) -> None:
    with pytest.raises(ValueError, match="unknown table"):
        convrepro("--debug", "run", "tinny")


def test_an_interrupt_is_130_and_says_what_goes_on(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "command", interrupt)
    monkeypatch.setattr(listing, "command", interrupt)
    code, _, err = convrepro("run", "quickstart")
    assert (code, err) == (130, "convrepro: interrupted; the same command goes on where it stopped\n")
    assert convrepro("list") == (130, "", "convrepro: interrupted\n")


def test_a_reader_that_has_enough_is_no_error() -> None:
    """As in `convrepro list | head -1`; the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "convrepro.cli.main", "list"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")
