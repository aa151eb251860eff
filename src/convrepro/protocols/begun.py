"""What a table's cells were when they were begun: a cell that is another one now is not gone on with unasked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from convrepro import durable
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.schema import Config
from convrepro.records import Table, attempts, workspace

_UNFINISHED = ("running", "interrupted", "failed")
_MAX_SHOWN = 3  # differences


def note(table: Table, runs: Sequence[Config], results_dir: Path, *, restart: bool) -> None:
    """Notes which configuration each cell is begun with.

    Args:
        table: of the runs.
        runs: that are to be begun or gone on with.
        results_dir: where the note is kept, beside the runs.
        restart: whether cells that were begun with another configuration are begun anew.

    Raises:
        ValueError: if a cell was begun with another configuration and not finished; says in what they differ.
        OSError: if it cannot be noted.
    """
    path = results_dir / "runs" / f"{table.name}.json"
    before = durable.kept(path)
    before = before if isinstance(before, dict) else {}
    computed = {run_id(config): what_is_computed(config) for config in runs}
    for cell in table.cells:
        label = " ".join(cell.labels.values())
        old = before.get(label)
        if cell.run_id not in computed or not isinstance(old, str) or old == cell.run_id or restart:
            continue
        if (config := _begun(results_dir, old, table.num_seeds)) is not None:
            found = list(differences(config, computed[cell.run_id]))
            more = f" and {len(found) - _MAX_SHOWN} more" if len(found) > _MAX_SHOWN else ""
            raise ValueError(
                f"{table.name}, {label}: begun with {', '.join(found[:_MAX_SHOWN])}{more}. Put that back to go on, or "
                "give `--restart` to begin anew."
            )
    now = {" ".join(cell.labels.values()): cell.run_id for cell in table.cells if cell.run_id in computed}
    if any(before.get(label) != run for label, run in now.items()):
        durable.write(path, json.dumps(before | now) + "\n")


def differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """In what two configurations differ, such as ``recipe.epochs 200 (now 100)``."""
    for key in sorted({*before, *now}):
        below = f"{path}.{key}" if path else key
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(old, new, below)
        elif old != new:
            yield f"{below} {_said(old)} (now {_said(new)})"


def _said(value: Any) -> str:
    return "unset" if value is None else f"{value!s:.40}"


def _begun(results_dir: Path, old: str, num_seeds: int) -> Mapping[str, Any] | None:
    """The configuration of an unfinished run; None if there is none."""
    for seed in range(num_seeds):
        newest = attempts.latest(workspace.run_dir(results_dir, old, seed))
        if newest is not None and newest.config and workspace.state(results_dir, old, seed) in _UNFINISHED:
            return newest.config
    return None
