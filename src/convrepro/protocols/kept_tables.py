"""Tables whose grids were expanded before: reading one back takes no Hydra, and milliseconds."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convrepro import config_files, durable
from convrepro.protocols.table_names import marked
from convrepro.records import Cell, Table, cell, workspace

_PACKAGES = ("hydra-core", "omegaconf")
_ENVIRONMENT = re.compile(rb"\$\{oc\.env:([^,{}]+)")


def table(
    name: str,
    *,
    results_dir: Path,
    scale: float = 1.0,
    images: float = 1.0,
    num_seeds: int | None = None,
    datasets: Mapping[str, str] | None = None,
) -> Table:
    """The table of ``grid.plan`` with these arguments: the kept one if nothing has changed that it follows from.

    It follows from the config files, the code that expands and names runs, the versions of Hydra and OmegaConf, and
    the environment variables that the configs read. Each way in which a table was asked for has one file, which
    is written anew when any of these changes.

    Args:
        name: file in ``configs/table``.
        results_dir: in its cache the table is kept, if the folder is there.
        scale: as in ``grid.plan``.
        images: as in ``grid.plan``.
        num_seeds: as in ``grid.plan``.
        datasets: as in ``grid.plan``.

    Raises:
        ValueError: as ``grid.plan``.
    """
    config_files.check_name(name, config_files.names("table"), kind="table")
    for dataset in (datasets or {}).values():
        config_files.check_name(dataset, config_files.names("dataset"), kind="dataset")
    asked: dict[str, Any] = {"scale": scale, "images": images, "num_seeds": num_seeds, "datasets": datasets or {}}
    path = _path(results_dir, marked(name, **asked))
    key = _key({"name": name, **asked}, _surroundings())
    found = _read(path, key)
    if found is None:
        from convrepro.protocols.grid import plan  # takes longer to import than a kept table to read

        found = plan(name, **asked).table
        if results_dir.is_dir():
            durable.keep(path, {"key": key, "table": dataclasses.asdict(found)})
    return found


def those_kept(names: Iterable[str], *, results_dir: Path) -> dict[str, Table]:
    """The tables, unscaled and with their own data sets, that ``table`` would read back; the others are left out."""
    surroundings = _surroundings()
    asked: dict[str, Any] = {"scale": 1.0, "images": 1.0, "num_seeds": None, "datasets": {}}
    found = {name: _read(_path(results_dir, name), _key({"name": name, **asked}, surroundings)) for name in names}
    return {name: table for name, table in found.items() if table is not None}


def _path(results_dir: Path, name: str) -> Path:
    return workspace.cache_dir(results_dir) / "plans" / f"{name}.json"


def _read(path: Path, key: str) -> Table | None:
    content = durable.kept(path)
    if not isinstance(content, dict) or content.get("key") != key:
        return None
    try:
        fields = content["table"]
        cells = tuple(Cell(**{**entry, "metrics": tuple(entry["metrics"])}) for entry in fields["cells"])
        return Table(**{**fields, "cells": cells, "assumptions": tuple(fields["assumptions"])})
    except (KeyError, TypeError):
        return None


def _key(asked: Mapping[str, Any], surroundings: Sequence[str]) -> str:
    """SHA-256 over all that a table follows from."""
    parts = [*(f"{key}={value!r}" for key, value in asked.items()), *surroundings]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _surroundings() -> list[str]:
    """What all tables follow from, however they are asked for."""
    contents = config_files.contents()
    # The machine's settings are in no table, but they read the environment: another data folder is no other table.
    computing = [content for path, content in contents.items() if not path.startswith("machine/")]
    variables = sorted({match.decode() for content in computing for match in _ENVIRONMENT.findall(content)})
    code = [*sorted(Path(__file__).parent.glob("*.py")), Path(cell.__file__), Path(config_files.__file__)]
    return [
        config_files.fingerprint(),
        *(hashlib.sha256(path.read_bytes()).hexdigest() for path in code),
        *(f"{package} {version(package)}" for package in _PACKAGES),
        *(f"{variable}={os.environ.get(variable)!r}" for variable in variables),
    ]
