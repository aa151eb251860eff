import subprocess
import sys


def test_reading_tables_imports_nothing_heavy() -> None:
    """Comparing must start in a fraction of a second; each of these takes longer to import than all the rest."""
    heavy = ("torch", "lightning", "hydra", "pandas", "matplotlib", "scipy", "numpy", "jinja2")
    code = (
        "import sys, convrepro.tables, convrepro.papers, convrepro.reporting.console, convrepro.reporting.compare\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
