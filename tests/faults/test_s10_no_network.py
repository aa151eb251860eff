"""S10: without a network everything but downloading works, and nothing so much as tries to reach one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.commands import tiny_table

from convrepro import config_files

# Runs before anything of ours is imported: whoever resolves a name or connects, other than to a process of this
# machine through a file, fails and is noted.
_START = """
import json, socket, sys

tried = []

def refuse(*arguments, **_):
    tried.append(repr(arguments[-1:]))
    raise OSError(101, "Network is unreachable")

def guarded(own):
    return lambda self, *rest: own(self, *rest) if self.family == socket.AF_UNIX else refuse(*rest)

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "create_connection", "getfqdn"):
    setattr(socket, name, refuse)
"""
_IMPORT_ALL = """
import importlib, pkgutil
import convrepro

imported, missing = [], []
for module in pkgutil.walk_packages(convrepro.__path__, "convrepro."):
    try:
        importlib.import_module(module.name)
        imported.append(module.name)
    except ModuleNotFoundError as error:
        missing.append(error.name)
"""
_COMMANDS = """
num_tried_before = len(tried)
import io
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from convrepro import config_files
from convrepro.cli.main import main

config_files.CONFIG_DIR = Path("configs").absolute()

said = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as error:
            code = error.code
    said.append([code, out.getvalue(), err.getvalue()])
"""
_END = "\nprint(json.dumps([tried, {}]))\n"


def offline(code: str, result: str, folder: Path, *arguments: str) -> tuple[list[str], Any]:
    """What was tried, and a result of code in a process without a network."""
    command = [sys.executable, "-c", _START + code + _END.format(result), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    tried, found = json.loads(done.stdout.splitlines()[-1])
    return tried, found


def test_the_guard_sees_a_connection(tmp_path: Path) -> None:
    code = "import urllib.request\ntry: urllib.request.urlopen('https://example.org')\nexcept OSError: pass"
    assert offline(code, "1", tmp_path)[0] != []


def test_all_modules_and_commands(tmp_path: Path) -> None:
    """Imports of all; then a tiny run, and what looks at tables, papers and results."""
    tiny_table(tmp_path, num_cells=1, num_seeds=1, epochs=1)
    tiny = ["--images", "0.1"]
    commands = {
        "run": ["run", "tiny", *tiny, "--launcher", "serial"],
        "list": ["list"],
        "status": ["status"],
        "plan": ["plan", "tiny", *tiny],
        "audit": ["audit", "dk_table6"],
        "compare": ["compare", "results/tables/tiny.images0.1.csv"],
        "tables": ["tables"],
        "explain": ["explain", "tiny", "model=lenet", "conv=standard"],
        "data list": ["data", "list"],
        "data verify": ["data", "verify", "digits"],
        "fetch": ["data", "fetch", "mnist"],
    }
    tried, (imported, missing, num_tried_before, said) = offline(
        _IMPORT_ALL + _COMMANDS,
        "[imported, missing, num_tried_before, said]",
        tmp_path,
        json.dumps([*commands.values()]),
    )
    assert num_tried_before == 0
    assert len(imported) > 100
    assert not [name for name in missing if name.startswith("convrepro")]
    results = dict(zip(commands, said, strict=True))
    for name, (code, out, err) in results.items():
        if name == "fetch":
            continue
        assert code in (0, 1), (name, err)
        assert out, name
        assert "Network is unreachable" not in out + err, name
    url = config_files.load("dataset", "mnist")["downloads"][0]["url"]
    code, out, err = results["fetch"]
    assert code == 2
    assert err.startswith(f"convrepro: {url} was tried 3 times without success")
    assert len(err.splitlines()) == 1
    assert len(tried) == 3  # each is of the fetch
    assert list(tmp_path.glob("data/**/*.gz*")) == []


@pytest.mark.large
def test_side_by_side(tmp_path: Path) -> None:
    """Processes speak through pipes."""
    tiny_table(tmp_path, num_cells=2, num_seeds=1, epochs=1)
    command = ["run", "tiny", "--images", "0.1"]
    tried, [[code, _, err]] = offline(_COMMANDS, "said", tmp_path, json.dumps([[*command, "--launcher", "joblib"]]))
    assert code in (0, 1), err
    assert tried == []
