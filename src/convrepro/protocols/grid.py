"""The grid of a table: from ``configs/table/<name>.yaml`` to cells, each with its whole config."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files
from convrepro.protocols import composer
from convrepro.protocols.identity import run_id
from convrepro.protocols.schema import Config
from convrepro.protocols.table_names import marked
from convrepro.records import SELECTION_RULES, Cell, Table

_LABELS = ("dataset", "model", "conv")


@dataclass(kw_only=True)
class TableFile:
    """Keys of a file in ``configs/table``; see ``convrepro.records.Table``."""

    about: str
    name: str
    paper: str
    source: str
    metric: str
    selection: str
    num_seeds: int
    margin: float
    baseline: str
    assumptions: list[str]
    overrides: list[str]  # Hydra overrides of every cell
    grid: list[dict[str, list[Any]]] = field(default_factory=list)  # blocks; each is the product of its axes


@dataclass(frozen=True, kw_only=True)
class PlannedTable:
    """A table and the config of each of its cells, by run id."""

    table: Table
    configs: dict[str, Config]


def plan(
    name: str,
    *,
    scale: float = 1.0,
    images: float = 1.0,
    num_seeds: int | None = None,
    dataset: str | None = None,
    machine_overrides: Sequence[str] = (),
) -> PlannedTable:
    """Expands a table's grid.

    Args:
        name: file in ``configs/table``.
        scale: fraction of the epochs, in (0, 1].
        images: fraction of the training images, in (0, 1].
        num_seeds: seeds 0 .. num_seeds - 1; the table's own number if None.
        dataset: a data set to take the place of the table's own, such as a pack of it.
        machine_overrides: Hydra overrides of ``machine``.

    Raises:
        ValueError: if the table is unknown, its file does not fit, or one of its cells cannot be composed.
    """
    file = _read(name)
    if num_seeds is not None and num_seeds < 1:
        raise ValueError(f"`num_seeds` must be at least 1, got {num_seeds}.")
    other_seeds = None if num_seeds == file.num_seeds else num_seeds
    overrides = [*file.overrides, f"protocol.scale={scale}", f"protocol.images={images}", *machine_overrides]
    compose = composer.shared().compose
    configs: dict[str, Config] = {}
    cells = []
    for point in _points(file.grid):
        if dataset is not None:
            point = {**point, "dataset": dataset}
        config = compose([*(f"{key}={value}" for key, value in point.items()), *overrides])
        if config.protocol.task == "count" and config.is_scaled:
            raise ValueError(f"table {name!r} counts and trains nothing: there is nothing to scale.")
        cell = Cell(
            run_id=run_id(config),
            labels={key: str(value) for key, value in point.items()},
            official_data=config.dataset.official,
            scaled=config.is_scaled,
        )
        if cell.run_id in configs:
            raise ValueError(f"table {name!r} has the cell {cell.labels} twice.")
        configs[cell.run_id] = config
        cells.append(cell)
    table = Table(
        name=marked(name, scale=scale, images=images, num_seeds=other_seeds, dataset=dataset),
        config=name,
        paper=file.paper,
        title=file.about + _scaled(scale, images),
        source=file.source,
        metric=file.metric,
        selection=file.selection,
        num_seeds=other_seeds or file.num_seeds,
        margin=file.margin,
        baseline=file.baseline,
        assumptions=tuple(file.assumptions),
        cells=tuple(cells),
    )
    return PlannedTable(table=table, configs=configs)


def _read(name: str) -> TableFile:
    content = config_files.load("table", name)
    try:
        file = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TableFile), content))
    except OmegaConfBaseException as error:
        raise ValueError(f"configs/table/{name}.yaml: {str(error).splitlines()[0]}") from error
    assert isinstance(file, TableFile)
    if file.selection not in SELECTION_RULES:
        raise ValueError(
            f"configs/table/{name}.yaml: `selection` must be one of {', '.join(SELECTION_RULES)}, "
            f"got {file.selection!r}."
        )
    if not file.grid:
        raise ValueError(f"configs/table/{name}.yaml: `grid` must have a block.")
    for block in file.grid:
        if missing := [label for label in _LABELS if not block.get(label)]:
            raise ValueError(f"configs/table/{name}.yaml: a block of `grid` lacks {', '.join(missing)}.")
    return file


def _points(grid: Sequence[Mapping[str, Sequence[Any]]]) -> list[dict[str, Any]]:
    """Every combination of each block's axes; dataset, model and conv lead, the last axis varies fastest."""
    points = []
    for block in grid:
        axes = {label: block[label] for label in _LABELS} | dict(block)
        points += [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return points


def _scaled(scale: float, images: float) -> str:
    """What a title says of a scaled-down table; empty for a full one."""
    shares = {"the epochs": scale, "the training images": images}
    said = [f"{share:.4g} of {what}" for what, share in shares.items() if share != 1.0]
    return f" (scaled: {' and '.join(said)})" if said else ""
