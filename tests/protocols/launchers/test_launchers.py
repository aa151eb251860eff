"""Launchers by their names."""

import importlib.util
import multiprocessing
import re
import subprocess
import sys
from importlib.machinery import ModuleSpec
from multiprocessing.connection import Connection

import pytest

from convrepro.protocols import launchers


@pytest.mark.parametrize("name", launchers.LAUNCHERS)
def test_every_launcher_is_a_file_with_its_name(name: str) -> None:
    assert launchers.of(name).__module__ == f"convrepro.protocols.launchers.{name}"


def test_an_unknown_launcher() -> None:
    with pytest.raises(ValueError, match="`launcher` must be one of serial, joblib, ray, submitit, got 'rocket'"):
        launchers.of("rocket")


@pytest.mark.parametrize("name", ["ray", "submitit"])
def test_a_missing_package_is_one_line_that_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def find_spec(asked: str) -> ModuleSpec | None:
        return None if asked == name else found(asked)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    said = f"`launcher` {name} needs the package {name}; install it with `pip install 'convrepro[{name}]'`."
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        launchers.of(name)


def test_names_import_no_torch() -> None:
    code = "import sys; from convrepro.protocols import launchers; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def _tell_what_others_import(theirs: Connection) -> None:
    for name in ("serial", "joblib"):
        launchers.of(name)
    theirs.send([name for name in ("torch", "ray", "submitit") if name in sys.modules])


def test_neither_package_is_imported_for_another_launcher() -> None:
    context = multiprocessing.get_context("forkserver")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_tell_what_others_import, args=(theirs,))
    process.start()
    theirs.close()
    assert ours.recv() == ["torch"]
    process.join()
