import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("command", [["list"], ["status"], ["status", "dk_table5"], ["tables", "--help"]])
def test_a_command_that_only_reads_imports_nothing_heavy(tmp_path: Path, command: list[str]) -> None:
    """The second time: the first makes the cache that tables are read from."""
    results = ["--results", str(tmp_path)] if "status" in command else []
    code = f"""
from convrepro.cli.main import main
try:
    main({[*command, *results]})
except SystemExit:  # argparse's end of --help
    pass
"""
    if results:
        _loaded(code, ())
    assert _loaded(code, HEAVY) == "[]"


def test_comparing_imports_nothing_heavy() -> None:
    csv = Path(__file__).parents[2] / "results" / "tables" / "dk_table6.csv"
    assert _loaded(f"from convrepro.cli.main import main; main(['compare', {str(csv)!r}])", HEAVY) == "[]"
