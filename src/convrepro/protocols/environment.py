"""What a run was made with: code, versions, device, threads."""

import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("torch", "torchvision", "lightning", "hydra-core", "numpy", "scikit-learn", "pillow")


def describe(device: torch.device, *, channels_last: bool) -> dict[str, Any]:
    """Everything but the configuration that can move a number in its last digits."""
    return {
        **_code(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "channels_last": channels_last,
    }


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()


@cache
def _code() -> dict[str, Any]:
    """Commit of the checkout that the package is run from, and whether its sources differ from it."""
    source = Path(__file__).parents[1]
    try:
        commit = _git(source, "rev-parse", "HEAD")
        changes = _git(source, "status", "--porcelain", "--", str(source), str(source.parents[1] / "configs"))
    except (OSError, subprocess.CalledProcessError):
        return {"convrepro": version("convrepro"), "git_commit": "", "git_dirty": False}
    return {"convrepro": version("convrepro"), "git_commit": commit, "git_dirty": bool(changes)}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()


@cache
def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
