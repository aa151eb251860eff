"""The runs of a cell: their values by each selection rule, and the last epochs of their curves."""

from collections.abc import Sequence

from convrepro.papers import Paper
from convrepro.records import SELECTION_RULES, Record
from convrepro.reporting.curve_reading import read_curve
from convrepro.reporting.explanation import Section
from convrepro.reporting.presentation import metric_with_unit
from convrepro.tables import Row
from convrepro.tables.row import COUNTS

NUM_EPOCHS = 5  # of each curve that are shown
_CURVES = (  # in the order in which they are wanted; the others follow
    *("train_loss", "train_accuracy", "train_pixel_accuracy", "validation_accuracy", "select_validation_accuracy"),
    *("test_accuracy", "test_pixel_accuracy", "test_top5_accuracy", "test_loss", "learning_rate"),
)


def seeds(rows: Sequence[Row], records: Sequence[Record], paper: Paper | None) -> Section:
    """What each run came to, one line for each metric of the cell, and which rule counts here and in the paper."""
    rules = [rule for rule in SELECTION_RULES if any("epoch" in record.selected.get(rule, {}) for record in records)]
    columns: dict[str, list[str]] = {}
    for record in records:
        for row in rows:
            values = {rule.replace("_", " "): _value(row, record, rule) for rule in rules}
            cells = {"seed": str(record.seed), "metric": row.metric if len(rows) > 1 else ""}
            cells |= values or {"value": _value(row, record, row.selection)}
            cells |= {
                "time": _seconds(record),
                "images/s": _speed(record),
                "": record.reason and f"{record.status}: {record.reason}",
            }
            for title, text in cells.items():
                columns.setdefault(title, []).append(text)
    shown = {title: texts for title, texts in columns.items() if any(texts)}
    theirs = paper.tables[rows[0].config].selection if paper and rows[0].config in paper.tables else ""
    chosen = f"Epoch chosen by {rows[0].selection}; by the paper: {theirs or 'not known'}."
    of = f", {metric_with_unit(rows[0])}" if len(rows) == 1 else ""
    return Section(
        title=f"Seeds{of}{' by each selection rule' if rules else ''}",
        columns=tuple(shown),
        rows=tuple(zip(*shown.values(), strict=True)),
        sentences=(chosen,) if rules else (),
    )


def _seconds(record: Record) -> str:
    seconds = record.measured.get("wall_seconds")
    return f"{seconds:,.1f} s" if seconds else ""


def _speed(record: Record) -> str:
    speed = record.measured.get("images_per_second")
    return f"{speed:,.0f}" if speed else ""


def _value(row: Row, record: Record, rule: str) -> str:
    """A run's value by a rule, and the epoch that the rule chose; empty if the run has none."""
    try:
        value = record.metric(row.metric, rule)
    except ValueError:
        if rule != row.selection or record.seed not in row.values:
            return ""
        value = row.values[record.seed]  # of a metric that needs another cell
    shown = f"{value:,.0f}" if row.metric in COUNTS else f"{value:.6g}"
    epoch = record.selected.get(rule, {}).get("epoch")
    return f"{shown} (epoch {epoch:.0f})" if epoch else shown


def curves(row: Row, records: Sequence[Record]) -> list[Section]:
    """The last epochs of the runs that have any, and what their curves show; no section if none has."""
    with_curves = [record for record in records if record.epochs]
    if not with_curves:
        return []
    known = list(dict.fromkeys(name for record in with_curves for name in record.epochs))
    names = [name for name in _CURVES if name in known] + [name for name in known if name not in _CURVES]
    lines = []
    for record in with_curves:
        num_epochs = max(map(len, record.epochs.values()))
        for epoch in range(max(0, num_epochs - NUM_EPOCHS), num_epochs):
            values = (_at(name, record.epochs.get(name, ()), epoch) for name in names)
            lines.append((f"{record.seed}", f"{epoch + 1} of {num_epochs}", *values))
    return [
        Section(
            title="Curves, last epochs",
            columns=("seed", "epoch", *(name.replace("_", " ") for name in names)),
            rows=tuple(lines),
            sentences=(
                *(f"Seed {record.seed}: {read_curve(record.epochs, row.metric)}." for record in with_curves),
                "Training loss and accuracy are of the images as augmented, while the weights change.",
            ),
        )
    ]


def _at(name: str, values: Sequence[float | None], epoch: int) -> str:
    if epoch >= len(values):
        return ""
    value = values[epoch]
    if value is None:
        return "not finite"
    return f"{value:.2f}" if name.endswith("accuracy") else f"{value:.4g}"
