"""Importing the package."""

import subprocess
import sys


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout.strip()


def test_importing_the_package_imports_no_torch() -> None:
    assert _run("import convrepro, sys; print('torch' in sys.modules)") == "False"


def test_torchvision_imports_beside_any_torch() -> None:
    code = "import convrepro, torchvision.datasets; print(torchvision.datasets.MNIST.__name__)"
    assert _run(code) == "MNIST"
