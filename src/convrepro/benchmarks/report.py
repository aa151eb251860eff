"""Benchmarks as files: what was measured as JSON, one file for each section, and one Markdown table of them all."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib
import torch

from convrepro import durable
from convrepro.benchmarks import row
from convrepro.benchmarks.sections import SECTIONS, Section
from convrepro.benchmarks.settings import Settings
from convrepro.protocols import environment
from convrepro.protocols.composer import compose

TABLE = "README.md"
_KNOWN = ("convrepro", "git_commit", "git_dirty", "python", "versions", "device")  # whatever is run
_INTRODUCTION = """# Benchmarks

`make benchmark` measures all of this and writes it; the JSON files beside it have every sample. Medians, quartiles in
brackets; the sides of a comparison take turns in every round. A goal is met by the median, `MISSED` where even the
better quartile misses it, else `undecided`.
"""


def contents(section: Section, rows: Sequence[row.Row], settings: Settings) -> dict[str, Any]:
    """All that is known of a section, for JSON."""
    device = torch.device("cuda" if section.name == "gpu" else "cpu")
    return {
        "section": section.name,
        "title": section.title,
        "about": section.about,
        "quick": settings.quick,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "images": settings.source,
        "environment": {
            **{key: value for key, value in environment.describe(device, compose([]), 1).items() if key in _KNOWN},
            "cores": joblib.cpu_count(),
            "system": platform.platform(),
            "threads": settings.threads,
        },
        "rows": [found.as_dict() for found in rows],
    }


def write(folder: Path, measured: Mapping[str, Any]) -> None:
    """Writes a section's file, and the table of all sections that have one."""
    durable.write(folder / f"{measured['section']}.json", json.dumps(measured, indent=1, allow_nan=False) + "\n")
    durable.write(folder / TABLE, markdown(read_all(folder)))


def read_all(folder: Path) -> list[dict[str, Any]]:
    """What is on the disk, in the order of the sections.

    Raises:
        ValueError: if a file is not JSON.
    """
    found = []
    for section in SECTIONS:
        path = folder / f"{section.name}.json"
        if path.exists():
            try:
                found.append(json.loads(path.read_text(encoding="utf-8")))
            except ValueError as error:
                raise ValueError(f"{path} is not JSON: {error}; delete it.") from error
    return found


def markdown(sections: Sequence[Mapping[str, Any]]) -> str:
    """A table for each section, then the goals."""
    parts = [_INTRODUCTION, *(_section(measured) for measured in sections), goals(sections)]
    return "\n".join(parts)


def goals(sections: Sequence[Mapping[str, Any]]) -> str:
    """How many goals are met, and a line for each other one."""
    lines = [found for measured in sections for found in measured["rows"] if found["verdict"]]
    unmet = [found for found in lines if found["verdict"] != row.MET]
    said = [f"goals met: {len(lines) - len(unmet)} of {len(lines)}"]
    said += [f"- {found['verdict']}: {found['what']}, {amount(found)}, goal {goal(found)}" for found in unmet]
    return "\n".join(said) + "\n"


def amount(found: Mapping[str, Any]) -> str:
    """A median with its unit."""
    return _with_unit(found["median"], found["unit"])


def quartiles(found: Mapping[str, Any]) -> str:
    """Empty where there is one value."""
    if len(found["values"]) == 1:
        return ""
    return f"[{_number(found['low_quartile'], found['unit'])}, {_number(found['high_quartile'], found['unit'])}]"


def goal(found: Mapping[str, Any]) -> str:
    """A goal with its unit; empty if there is none."""
    bounds = found["goal"]
    if bounds is None:
        return ""
    bound, sign = (bounds["least"], "≥") if bounds["most"] is None else (bounds["most"], "≤")
    return f"{sign} {_with_unit(bound, found['unit'])}"


def _section(measured: Mapping[str, Any]) -> str:
    made_with = measured["environment"]
    versions, dirty = made_with["versions"], " with changes" if made_with["git_dirty"] else ""
    where = (
        f"{measured['measured_at'][:10]}, {made_with['device']}, {made_with['cores']} cores, threads: "
        f"{made_with['threads']}, torch {versions['torch']}, commit {made_with['git_commit'][:7] or 'unknown'}{dirty}, "
        f"images: {measured['images']}"
    )
    quick = "\n**Quick: tiny sizes, to try whether everything works. These numbers mean nothing.**\n"
    lines = [
        *(f"## {measured['title']}", "", measured["about"], "", f"{where}.", quick if measured["quick"] else ""),
        *("| | median | quartiles | goal | | |", "| --- | ---: | --- | --- | --- | --- |"),
    ]
    for found in measured["rows"]:
        cells = (found["what"], amount(found), quartiles(found), goal(found), found["verdict"], found["detail"])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _with_unit(value: float, unit: str) -> str:
    return f"{_number(value, unit)}{unit}" if unit == "x" else f"{_number(value, unit)} {unit}"


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f}" if unit == "MiB" or value >= 100 else f"{value:.2f}"
