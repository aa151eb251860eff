"""Picture of how image filters were learned, losses and apertures (Tek, Çam, Karlı 2021, Fig. 4b and c)."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convrepro import durable
from convrepro.records import Record
from convrepro.reporting import neutral

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FILTER_NAMES = (  # of sigma_0, sigma_1, ...: the order of ``convrepro.protocols.filter_targets``
    "Laplace",
    "Sobel, horizontal",
    "Sobel, vertical",
    "Gauss 0.25",
    "Gauss 1",
    "Gauss 2",
    "Laplace of Gauss 2",
    "Sobel, horizontal, of Gauss 2",
    "Sobel, vertical, of Gauss 2",
)
_COLOURS = ("#667078", "#18794e", "#946800", "#c62a2f", "#3e63dd", "#8e4ec6")


def draw(records: Sequence[Record]) -> "Figure":
    """Training loss by iteration, one line a record and one colour an operator; beside it the apertures of one record.

    The apertures are those of the lowest seed that has any; without one there is no second picture. A line ends where
    its run diverged.

    Args:
        records: of the task ``filters``.

    Raises:
        ValueError: if no record has a training loss.
    """
    from matplotlib.figure import Figure

    shown = sorted((record for record in records if record.epochs.get("train_loss")), key=lambda record: record.seed)
    if not shown:
        raise ValueError("there is no record with a training loss to draw; run the table first.")
    with_apertures = [record for record in shown if "sigma_0" in record.epochs]
    figure = Figure(figsize=(10.0 if with_apertures else 5.0, 3.8), layout="constrained")
    panels = figure.subplots(1, 2 if with_apertures else 1, squeeze=False)[0]
    _draw_losses(panels[0], shown)
    if with_apertures:
        _draw_apertures(panels[1], with_apertures[0])
    for axes in panels:
        axes.set_xlabel("iteration")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    return figure


def write(records: Sequence[Record], path: Path) -> Path:
    """Writes the picture as PNG; the same records give the same bytes.

    Raises:
        ValueError: if the path ends otherwise, or there is nothing to draw.
    """
    if path.suffix != ".png":
        raise ValueError(f"the picture must end in .png, got {path.name!r}.")
    content = io.BytesIO()
    draw(records).savefig(content, format="png", dpi=160)
    durable.write(path, content.getvalue())
    return path


def _draw_losses(axes: "Axes", records: Sequence[Record]) -> None:
    operators = sorted({record.names["conv"] for record in records}, key=lambda name: (name != "standard", name))
    for number, name in enumerate(operators):
        colour, label = _COLOURS[number % len(_COLOURS)], neutral.without_mathematics(neutral.plain(name))
        for record in (one for one in records if one.names["conv"] == name):
            iterations, values = _finite(record.epochs["train_loss"])
            axes.plot(iterations, values, color=colour, linewidth=1.0, alpha=0.8, label=label)
            label = "_"  # one line of an operator stands in the legend
    axes.set_yscale("log")
    axes.set_ylabel("mean squared error")


def _draw_apertures(axes: "Axes", record: Record) -> None:
    for number, name in enumerate(FILTER_NAMES):
        if f"sigma_{number}" in record.epochs:
            axes.plot(*_finite(record.epochs[f"sigma_{number}"]), linewidth=1.0, label=name)
    axes.set_yscale("log")
    axes.set_ylabel(f"aperture, in sides of the kernel; seed {record.seed}")


def _finite(values: Sequence[float | None]) -> tuple[list[int], list[float]]:
    points = [(iteration, value) for iteration, value in enumerate(values, start=1) if value is not None]
    return [iteration for iteration, _ in points], [value for _, value in points]
