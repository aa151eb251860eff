"""The config folder: which names each group has, and what a file says of itself."""

import difflib
import hashlib
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

_PACKAGED = Path(__file__).parent / "configs"  # in a wheel
CONFIG_DIR = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).parents[2] / "configs"


def names(group: str) -> list[str]:
    """Names of the configs in a group, sorted."""
    return sorted(path.stem for path in (CONFIG_DIR / group).glob("*.yaml"))


def load(group: str, name: str) -> dict[str, Any]:
    """Content of one config file, without its defaults list and with interpolations as they stand.

    Raises:
        ValueError: if there is no such config; names the nearest one.
    """
    check_name(name, names(group), kind=group)
    content = yaml.safe_load((CONFIG_DIR / group / f"{name}.yaml").read_text(encoding="utf-8"))
    return {key: value for key, value in content.items() if key != "defaults"}


def contents() -> dict[str, bytes]:
    """Every config file, sorted by its path in the config folder."""
    paths = [
        Path(folder, name)
        for folder, _, names_there in os.walk(CONFIG_DIR, followlinks=True)
        for name in names_there
        if name.endswith(".yaml")
    ]
    return {path.relative_to(CONFIG_DIR).as_posix(): path.read_bytes() for path in sorted(paths)}


def fingerprint() -> str:
    """SHA-256 over the paths and the content of all config files."""
    digest = hashlib.sha256()
    for path, content in contents().items():
        digest.update(f"{path} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def check_name(name: str, known: Iterable[str], *, kind: str) -> None:
    """Raises ValueError with the nearest known name if ``name`` is not known."""
    known = sorted(known)
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    nearest = max(close, key=lambda other: _likeness(name, other), default=None)
    hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(other or 'none' for other in known)}."
    raise ValueError(f"unknown {kind} {name!r}; {hint}")


def _likeness(name: str, other: str) -> tuple[float, int]:
    """Share of common letters; of equals the longer common beginning."""
    beginning = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(name, other, strict=False))
    return difflib.SequenceMatcher(None, other, name).ratio(), sum(1 for _ in beginning)
