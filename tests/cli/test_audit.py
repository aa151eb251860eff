"""``convrepro audit``."""

import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Command

from convrepro.papers.reader import COLUMNS


def test_all_papers_have_contradictions(convrepro: Command) -> None:
    code, out, err = convrepro("audit")
    assert (code, err) == (1, "")
    assert "printed 5.09" in out
    assert out.splitlines()[-1].endswith("cannot tell")


def test_one_table(convrepro: Command) -> None:
    code, out, _ = convrepro("audit", "dk_table6")
    assert code == 0
    assert "143,050 parameters, printed 0.14M" in out
    assert "false alarms" in out


def test_a_users_file(convrepro: Command) -> None:
    Path("mine.csv").write_text(
        ",".join(COLUMNS) + "\nmine,lfw,my_net,mine,,,test_accuracy,85.66,,,1,%,\n", encoding="utf-8"
    )
    code, out, _ = convrepro("audit", "mine.csv")
    assert code == 1
    assert "no number of 756 images gives 85.66" in out


def test_a_broken_file_gets_one_line(convrepro: Command) -> None:
    Path("mine.csv").write_text("table,value\n", encoding="utf-8")
    code, out, err = convrepro("audit", "mine.csv")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "mine.csv:1" in err


def test_an_unknown_name(convrepro: Command) -> None:
    code, out, err = convrepro("audit", "dk_cn")
    assert (code, out) == (2, "")
    assert "did you mean 'dk_cnn'" in err


def test_torch_is_not_imported() -> None:
    check = (
        "import sys; from convrepro.cli.main import main; main(['audit', 'dk_cnn']); "
        "assert not {'torch', 'lightning', 'hydra', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_table_without_numbers_says_so(convrepro: Command) -> None:
    code, out, _ = convrepro("audit", "aconv_section4_1")
    assert code == 0
    assert "aconv_section4_1: no numbers are printed" in out
    assert "Checks:" not in out


def test_what_is_not_checked_and_why(convrepro: Command) -> None:
    lines = ["mine,lfw,my_net,mine,,,seconds,7.5,,,,,", "other,lfw,my_net,mine,,,test_accuracy,85.66,,,1,,"]
    Path("mine.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n", encoding="utf-8")
    code, out, _ = convrepro("audit", "mine.csv")
    assert code == 0
    assert "mine: no check applies to its values (1 of seconds): differences need a spread" in out
    assert "cannot tell   attainable  lfw, 1 value: test_accuracy without the unit %" in out
    assert "other: no check applies" not in out
