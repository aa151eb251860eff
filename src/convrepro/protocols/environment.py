"""What a run was made with: code, versions, device, threads."""

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from convrepro import __version__
from convrepro.protocols.schema import Config

_PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "numpy", "scikit-learn", "pillow")


def describe(device: torch.device, config: Config, seeds_together: int) -> dict[str, Any]:
    """Everything but what is hashed that can move a number in its last digits."""
    return {
        **_code(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "memory_format": config.memory_format,
        "precision": config.machine.precision,
        "compiled": config.machine.compile,
        "seeds_together": seeds_together,
        "devices": config.machine.devices,
    }


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()


@cache
def _code() -> dict[str, Any]:
    """Commit of this project's checkout, and whether its sources differ from it; no commit outside a checkout.

    Read once: later runs of a process run what was imported before the first.
    """
    package = Path(__file__).parents[1]
    commit, changes = "", ""
    try:
        top = _git(package, "rev-parse", "--show-toplevel")
        if Path(top) == package.parents[1]:  # not somebody else's checkout that the package was installed into
            commit = _git(package, "rev-parse", "HEAD")
            changes = _git(package, "status", "--porcelain", "--", "src", "configs")
    except (OSError, subprocess.SubprocessError):
        commit = ""
    return {"convrepro": __version__, "git_commit": commit, "git_dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str:
    # No optional locks: a kill during `status` would leave the user's repository locked.
    command = ["git", "--no-optional-locks", "-C", str(folder.parents[1]), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


@cache
def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
