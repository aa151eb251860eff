import subprocess
import sys
from pathlib import Path

import pytest
from tests import commands

HEAVY = ("torch", "lightning", "hydra", "pandas", "matplotlib", "scipy", "numpy", "jinja2")


def _loaded(code: str, modules: tuple[str, ...]) -> str:
    """Those of the modules that are there after the code, as a fresh process prints them in its last line."""
    code += f"\nimport sys; print([name for name in {modules} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.splitlines()[-1]


def test_reading_tables_imports_nothing_heavy() -> None:
    """Comparing must start in a fraction of a second; each of these takes longer to import than all the rest."""
    code = "import convrepro.tables, convrepro.papers, convrepro.reporting.console, convrepro.reporting.compare"
    assert _loaded(code, HEAVY) == "[]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has a table, and results with the cache that it is read from."""
    folder = tmp_path_factory.mktemp("results") / "table"
    commands.tiny_table(folder, num_cells=1, num_seeds=1, epochs=1)
    (folder / "results").mkdir()
    assert commands.run(["status"], folder)[0] == 0
    return folder


@pytest.mark.parametrize("command", [["list"], ["status"], ["status", "tiny"], ["tables", "--help"]])
def test_a_command_that_only_reads_imports_nothing_heavy(folder: Path, command: list[str]) -> None:
    code = f"""
import os
from pathlib import Path
from convrepro import config_files
from convrepro.cli.main import main
os.chdir({str(folder)!r})
config_files.CONFIG_DIR = Path("configs").absolute()
try:
    main({command})
except SystemExit:  # argparse's end of --help
    pass
"""
    assert _loaded(code, HEAVY) == "[]"


def test_comparing_imports_nothing_heavy() -> None:
    csv = Path(__file__).parents[2] / "results" / "tables" / "dk_table6.csv"
    assert _loaded(f"from convrepro.cli.main import main; main(['compare', {str(csv)!r}])", HEAVY) == "[]"
