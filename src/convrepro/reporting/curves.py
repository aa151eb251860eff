"""Curves of a table: our means along an axis of numbers, one line for each group of otherwise equal cells.

Metrics and data sets differ in scale: each has a panel of its own.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from convrepro.reporting import neutral
from convrepro.reporting.presentation import label_names, metric_with_unit
from convrepro.tables import BuiltTable, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NO_AXIS = ("dataset", "model", "conv")
_FEWEST_POINTS = 3
_HEIGHT = 4.2  # of a panel that is alone, in inches


def axis(built: BuiltTable) -> str | None:
    """The label that the curves run along: of the grid's own axes of numbers, the one with the most values.

    None if there is none with three values or more, or if the paper prints a number for half of the cells or more:
    then the differences from these are what is to be seen.
    """
    rows = _finite(built.rows)
    if 2 * sum(row.printed is not None for row in built.rows) >= len(built.rows):
        return None
    found = {
        name: len({row.labels.get(name) for row in rows})
        for name in label_names(rows)
        if name not in _NO_AXIS and all(_is_number(row.labels.get(name, "")) for row in rows)
    }
    longest = max(found, key=lambda name: found[name], default=None)
    return longest if longest and found[longest] >= _FEWEST_POINTS else None


def draw(built: BuiltTable) -> "Figure":
    """Means with their deviations; a printed number is a hollow diamond beside its mean.

    Raises:
        ValueError: if the table has no axis.
    """
    from matplotlib.figure import Figure

    along = axis(built)
    if along is None:
        raise ValueError(f"{built.name} has no axis of three numbers or more to draw curves along.")
    panels: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in _finite(built.rows):
        panels[row.metric, row.labels["dataset"]].append(row)
    figure = Figure(figsize=(7.0, _HEIGHT if len(panels) == 1 else 0.75 * _HEIGHT * len(panels)), layout="constrained")
    all_axes = figure.subplots(len(panels), squeeze=False)[:, 0]
    for axes, ((_, dataset), rows) in zip(all_axes, panels.items(), strict=True):
        _draw_panel(axes, rows, along)
        if len(panels) > 1:
            axes.set_title(neutral.without_mathematics(neutral.plain(dataset)), fontsize=9)
    write_title = figure.suptitle if len(panels) > 1 else all_axes[0].set_title
    write_title(neutral.wrapped(neutral.plain(built.title)), fontsize=10)
    return figure


def _draw_panel(axes: "Axes", rows: Sequence[Row], along: str) -> None:
    for name, members in _lines(rows, along).items():
        points = sorted((float(row.labels[along]), row.ours.mean, row.ours.std or 0.0) for row in members if row.ours)
        x, means, deviations = zip(*points, strict=True)
        drawn = axes.errorbar(x, means, deviations, marker="o", markersize=4, linewidth=1.2, capsize=2, label=name)
        for row in members:
            if row.printed:
                colour = drawn.lines[0].get_color()
                axes.plot(float(row.labels[along]), row.printed.value, "D", markerfacecolor="none", color=colour)
    axes.set_xlabel(neutral.without_mathematics(along))
    axes.set_ylabel(neutral.without_mathematics(metric_with_unit(rows[0])))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def _lines(rows: Sequence[Row], along: str) -> Mapping[str, list[Row]]:
    varying = [name for name in label_names(rows) if len({row.labels.get(name) for row in rows}) > 1 and name != along]
    lines = defaultdict(list)
    for row in rows:
        name = ", ".join(f"{label} {row.labels.get(label, '')}" for label in varying)
        lines[neutral.without_mathematics(neutral.plain(name))].append(row)
    return lines


def _finite(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.ours and row.ours.is_finite]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
