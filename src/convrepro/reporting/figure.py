"""Picture of a table: every difference with its intervals, beside the margin, or curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convrepro import durable
from convrepro.reporting import curves, neutral
from convrepro.reporting.presentation import TONES, metric_with_unit, present
from convrepro.statistics.verdict import WITHIN_LEVEL
from convrepro.tables import BuiltTable, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"good": "#18794e", "bad": "#c62a2f", "open": "#946800", "muted": "#667078"}
_TITLE_HEIGHT, _PANEL_HEIGHT, _ROW_HEIGHT = 0.4, 0.7, 0.28  # inches; one panel is as high as its rows and its axis


def is_drawable(built: BuiltTable) -> bool:
    """Whether there are curves or differences to see."""
    return curves.axis(built) is not None or any(row.difference for row in built.rows)


def draw(built: BuiltTable) -> "Figure":
    """Curves where the table has an axis for them; else a forest plot of the rows that have a difference, in order.

    Raises:
        ValueError: if there are neither.
    """
    return draw_forest(built) if curves.axis(built) is None else curves.draw(built)


def draw_forest(built: BuiltTable) -> "Figure":
    """The rows that have a difference, top to bottom in their order, a panel for each metric.

    Raises:
        ValueError: if no row has one.
    """
    from matplotlib.figure import Figure

    shown = present(built)
    labels = [column.texts for column in shown.columns if column.is_label and column.title != "metric"]
    panels: dict[str, list[tuple[str, Row]]] = {}
    for index, row in enumerate(built.rows):
        if row.difference:
            name = " ".join(filter(None, (texts[index] for texts in labels))) or neutral.label(row.labels["conv"])
            panels.setdefault(metric_with_unit(row), []).append((name, row))
    if not panels:
        raise ValueError(f"{built.name} has no difference to draw; it needs two seeds and a printed value.")
    heights = [_PANEL_HEIGHT + _ROW_HEIGHT * len(rows) for rows in panels.values()]
    figure = Figure(figsize=(7.0, _TITLE_HEIGHT + sum(heights)), layout="constrained")
    all_axes = figure.subplots(len(panels), squeeze=False, height_ratios=heights)[:, 0]
    for axes, (metric, rows) in zip(all_axes, panels.items(), strict=True):
        _draw_rows(axes, rows)
        which = f"{neutral.without_mathematics(metric)}: " if len(panels) > 1 else ""
        axes.set_xlabel(f"{which}ours minus paper; thin: 95 %, thick: 90 % interval; shaded: margin")
    all_axes[0].set_title(neutral.wrapped(shown.title), fontsize=10)
    return figure


def _draw_rows(axes: "Axes", rows: Sequence[tuple[str, Row]]) -> None:
    for height, (_, row) in enumerate(rows):
        assert row.difference is not None
        colour = _COLOURS[TONES.get(row.verdict.word, "muted")]
        axes.fill_betweenx([height - 0.5, height + 0.5], -row.margin, row.margin, color="#e6f2ea", linewidth=0)
        axes.plot(row.difference.interval(), [height, height], color=colour, linewidth=1)
        axes.plot(
            row.difference.interval(WITHIN_LEVEL), [height, height], color=colour, linewidth=3.5, solid_capstyle="butt"
        )
        axes.plot([row.difference.estimate], [height], "o", color=colour, markeredgecolor="white")
    axes.axvline(0.0, color="#667078", linestyle=":", linewidth=1)
    axes.set_yticks(range(len(rows)), [neutral.without_mathematics(name) for name, _ in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def write(built: BuiltTable, path: Path) -> Path:
    """Writes the picture as PNG or SVG, by the path's ending; the same rows give the same bytes.

    Raises:
        ValueError: if the ending is another, or there is nothing to draw.
    """
    import io

    import matplotlib

    file_format = path.suffix.removeprefix(".")
    if file_format not in ("png", "svg"):
        raise ValueError(f"a figure must end in .png or .svg, got {path.name!r}.")
    content = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": built.name, "svg.fonttype": "none"}):
        metadata = {"Date": None} if file_format == "svg" else {}
        draw(built).savefig(content, format=file_format, dpi=160, metadata=metadata)
    durable.write(path, content.getvalue())
    return path
