"""The grid of a table: from ``configs/table/<name>.yaml`` to cells, each with its whole config."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from convrepro import config_files
from convrepro.protocols import composer
from convrepro.protocols.identity import run_id
from convrepro.protocols.schema import TRAINED, Config
from convrepro.protocols.table_names import marked
from convrepro.records import SELECTION_RULES, Cell, Table

_LABELS = ("dataset", "model", "conv")
_NO_AXES = ("metrics", "overrides", "margin")  # keys of a block that are said of all its cells


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
    metrics: list[str] = field(default_factory=list)  # of every cell, if it is more than `metric`
    reference: dict[str, Any] = field(default_factory=dict)
    cost: str = ""
    # Blocks; each is the product of its axes. `metrics`, `overrides` and the one `margin` of a block are those of its
    # cells only.
    grid: list[dict[str, list[Any]]] = field(default_factory=list)


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
    datasets: Mapping[str, str] | None = None,
    machine_overrides: Sequence[str] = (),
) -> PlannedTable:
    """Expands a table's grid.

    Args:
        name: file in ``configs/table``.
        scale: fraction of the epochs, in (0, 1].
        images: fraction of the training images, in (0, 1].
        num_seeds: seeds 0 .. num_seeds - 1; the table's own number if None.
        datasets: a data set of the table -> one that takes its place, such as a pack of it; the key "" stands for the
            only one that the table has.
        machine_overrides: Hydra overrides of ``machine``.

    Raises:
        ValueError: if the table is unknown, its file does not fit, or one of its cells cannot be composed.
    """
    file = _read(name)
    if num_seeds is not None and num_seeds < 1:
        raise ValueError(f"`num_seeds` must be at least 1, got {num_seeds}.")
    other_seeds = None if num_seeds == file.num_seeds else num_seeds
    replacing = _checked(datasets or {}, file)
    scaling = [f"protocol.scale={scale}", f"protocol.images={images}"]
    compose = composer.shared().compose
    configs: dict[str, Config] = {}
    cells = []
    for block in file.grid:
        said = {key: [str(value) for value in block.get(key, [])] for key in ("metrics", "overrides")}
        overrides = [*file.overrides, *said["overrides"]]
        for point in _points(block):
            point = {**point, "dataset": replacing.get(point["dataset"], point["dataset"])}
            chosen = [f"{key}={_spelled(value)}" for key, value in point.items()]
            config = compose([*chosen, *overrides, *scaling, *machine_overrides])
            if config.protocol.task not in TRAINED and config.is_scaled:
                config = compose([*chosen, *overrides, *machine_overrides])
            cell = Cell(
                run_id=run_id(config),
                labels={key: str(value) for key, value in point.items()},
                official_data=config.dataset.official,
                scaled=config.is_scaled,
                metrics=tuple(said["metrics"] or file.metrics),
                margin=float(block["margin"][0]) if "margin" in block else None,
            )
            if cell.run_id in configs:
                raise ValueError(f"table {name!r} has the cell {cell.labels} twice.")
            configs[cell.run_id] = config
            cells.append(cell)
    if (scale, images) != (1.0, 1.0) and not any(cell.scaled for cell in cells):
        raise ValueError(f"table {name!r} trains nothing: there is nothing to scale.")
    table = Table(
        name=marked(name, scale=scale, images=images, num_seeds=other_seeds, datasets=datasets or {}),
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
        reference={key: str(value) for key, value in file.reference.items()},
        replaced={new: ours for ours, new in replacing.items()},
        cost=file.cost,
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
    if odd := [assumption for assumption in file.assumptions if not isinstance(assumption, str)]:
        raise ValueError(
            f"configs/table/{name}.yaml: each of `assumptions` must be a sentence, got {odd[0]!r:.60}; quote one that "
            "has a colon."
        )
    for block in file.grid:
        if unknown := [key for key in block if "." not in key and key not in (*_LABELS, *_NO_AXES)]:
            raise ValueError(f"configs/table/{name}.yaml: a block of `grid` has the unknown key {unknown[0]!r}.")
        if missing := [label for label in _LABELS if not block.get(label)]:
            raise ValueError(f"configs/table/{name}.yaml: a block of `grid` lacks {', '.join(missing)}.")
        if "margin" in block and not _is_margin(block["margin"]):
            raise ValueError(
                f"configs/table/{name}.yaml: `margin` of a block must be one number of at least 0, as in [0.05], "
                f"got {block['margin']}."
            )
    return file


def _is_margin(values: Sequence[Any]) -> bool:
    return len(values) == 1 and type(values[0]) in (int, float) and 0 <= values[0] < math.inf


def _checked(datasets: Mapping[str, str], file: TableFile) -> dict[str, str]:
    """The data sets that are replaced, each by its name."""
    own = list(dict.fromkeys(str(name) for block in file.grid for name in block["dataset"]))
    if "" in datasets and (len(own) > 1 or len(datasets) > 1):
        raise ValueError(
            f"table {file.name!r} has the data sets {', '.join(own)}; say which one {datasets['']} stands in for, "
            f"as in {own[0]}={datasets['']}."
        )
    found = {ours or own[0]: new for ours, new in datasets.items()}
    for ours in found:
        config_files.check_name(ours, own, kind=f"data set in table {file.name!r}:")
    if len(set(found.values())) < len(found):
        raise ValueError(
            f"two data sets of table {file.name!r} cannot be replaced by one, got {', '.join(found.values())}."
        )
    return found


def _points(block: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of a block's axes; dataset, model and conv lead, the last axis varies fastest."""
    axes = {label: block[label] for label in _LABELS} | {key: block[key] for key in block if key not in _NO_AXES}
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _spelled(value: Any) -> Any:
    """As Hydra reads it: a value of None is its word null."""
    return "null" if value is None else value


def _scaled(scale: float, images: float) -> str:
    """What a title says of a scaled-down table; empty for a full one."""
    shares = {"the epochs": scale, "the training images": images}
    said = [f"{share:.4g} of {what}" for what, share in shares.items() if share != 1.0]
    return f" (scaled: {' and '.join(said)})" if said else ""
