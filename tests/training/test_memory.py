"""Memory kept between steps."""

import platform
import subprocess
import sys

import pytest

from convrepro.training.memory import keep_freed_memory

CODE = """
import resource, torch
from convrepro.training.memory import keep_freed_memory

def faults():
    torch.ones(2**24)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults(), keep_freed_memory(), faults())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has the setting")
def test_a_large_tensor_is_not_mapped_anew_at_every_step() -> None:
    """64 MB four times are 65,536 pages of 4 KiB, each a fault when mapped anew."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=120)
    mapped, taken, kept = done.stdout.split()
    assert taken == "True"
    assert int(kept) < int(mapped) / 2


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not keep_freed_memory()
