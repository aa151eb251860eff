"""Names of tables: the name of a table's file, and marks for how it was asked for."""

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = r"\d+(?:\.\d+)?(?:e-\d+)?"
_MARKED = re.compile(
    r"(?P<config>[a-z]\w*)"
    rf"(?:\.scale(?P<scale>{_NUMBER}))?"
    rf"(?:\.images(?P<images>{_NUMBER}))?"
    r"(?:\.seeds(?P<num_seeds>\d+))?"
    r"(?P<datasets>(?:\.[a-z]\w*(?:-[a-z]\w*)?)*)"
)


def marked(name: str, *, scale: float, images: float, num_seeds: int | None, datasets: Mapping[str, str]) -> str:
    """The name of a table that was asked for in this way; without a mark for what is the table's own.

    Args:
        name: of the table's file.
        scale: fraction of the epochs.
        images: fraction of the training images.
        num_seeds: if it is not the table's own.
        datasets: a data set of the table -> the one in its place; the key "" stands for the only one that there is.
    """
    marks = [f"scale{scale!r}"] if scale != 1.0 else []  # repr: the shortest text that reads back as the same number
    marks += [f"images{images!r}"] if images != 1.0 else []
    marks += [f"seeds{num_seeds}"] if num_seeds is not None else []
    marks += [f"{ours}-{new}" if ours else new for ours, new in sorted(datasets.items())]
    return ".".join([name, *marks])


def unmarked(name: str) -> tuple[str, dict[str, Any]]:
    """The config name and the arguments of ``grid.plan`` that a table's name tells, marks and all.

    ``dk_table7.scale0.02.seeds2.cifar10_jpeg`` is ``dk_table7`` at a fiftieth of its epochs, with two seeds, on
    another data set; ``aconv_table2.lfw-lfw_pack`` is ``aconv_table2`` with another one in the place of one of its own.
    """
    match = _MARKED.fullmatch(name)
    if match is None:
        return name, {}
    found = match.groupdict()
    marks = {key: float(found[key]) for key in ("scale", "images") if found[key]}
    seeds = {"num_seeds": int(found["num_seeds"])} if found["num_seeds"] else {}
    pairs = [mark.rpartition("-") for mark in found["datasets"].split(".")[1:]]
    datasets = {ours: new for ours, _, new in pairs}
    return found["config"], {**marks, **seeds, **({"datasets": datasets} if datasets else {})}
