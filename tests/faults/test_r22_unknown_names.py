"""A wrong name is one line with the nearest one, at once, and leaves no folder behind."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

WRONG = (
    ("table", ["run", "dk_tabel5"], "'dk_table5'"),
    ("network", ["train", "model=resnet21"], "'resnet20'"),
    ("operator", ["train", "conv=dkk"], "'dk'"),
    ("placement", ["train", "conv=dk", "conv.placement=alternte"], "'alternate'"),
    ("flag", ["run", "dk_table5", "--scal", "0.1"], "'--scale'"),
    ("dataset", ["run", "dk_table5", "--dataset", "mnistt"], "'mnist'"),
    ("another dataset", ["train", "dataset=cifar11"], "'cifar10'"),
    ("another table", ["explain", "dk_tabel5", "model=cnn4"], "'dk_table5'"),
    ("key", ["train", "recipe.epocs=3"], "'epochs'"),
    ("flag of train", ["train", "--multirn"], "'--multirun'"),
    ("command", ["runn"], "'run'"),
    ("kind", ["list", "tabels"], "'tables'"),
    ("launcher", ["run", "dk_table5", "--launcher", "jobli"], "'joblib'"),
    ("launcher of train", ["train", "-m", "hydra/launcher=jobli"], "'joblib'"),
    ("status", ["status", "dk_tabel5"], "'dk_table5'"),
    ("plan", ["plan", "dk_tabel5"], "'dk_table5'"),
)


def test_the_nearest_name_at_once(tmp_path: Path, figure: Callable[[int, int], int]) -> None:
    for what, arguments, nearest in WRONG[: figure(6, len(WRONG))]:
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "convrepro.cli.main", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        seconds = time.monotonic() - started
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, ""), what
        assert nearest in done.stderr, what
        assert not list(tmp_path.iterdir()), what
        if figure(0, 1):  # beside other tests, the time of one says little
            assert seconds < 2, (what, seconds)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "a\x07b",
        "a\nb",
        "-x",
        "",
        ".",
        "..",
        "con\x1b[31m",
        "x" * 500,
        "dk_table5/..",
    ],
)
def test_names_of_tables_are_no_paths(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    from convrepro.cli.main import main

    monkeypatch.chdir(tmp_path)
    for command in ("run", "status", "explain", "plan", "export", *(["tables"] if name else [])):
        try:
            code = main([command, "--", name])
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr().err
        assert (code, said.count("\n")) == (2, 1), (command, said)
        assert said.strip().isprintable()
    assert not list(tmp_path.iterdir())
