"""What a benchmark run is told: how many rounds, which size, where its images and temporary files are."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Advance = Callable[[float], None]  # told the finished fraction of a section
Choice = TypeVar("Choice")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Shared by all sections.

    Args:
        quick: tiny sizes and few rounds, to try whether everything works: its numbers mean nothing.
        rounds: that count; None for each section's own number.
        threads: of torch, on every side of a comparison.
        data_dir: of data sets.
        folder: temporary; holds the images that ``images.prepare`` wrote, and results.
        source: of these images.
    """

    quick: bool
    rounds: int | None
    threads: int
    data_dir: Path
    folder: Path
    source: str

    def pick(self, full: Choice, quick: Choice) -> Choice:
        return quick if self.quick else full

    def num_rounds(self, full: int) -> int:
        return self.rounds or self.pick(full, 2)

    def fresh_folder(self) -> Path:
        """An empty folder in the temporary one."""
        return Path(tempfile.mkdtemp(dir=self.folder))
