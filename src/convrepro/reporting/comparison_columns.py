"""Comparisons of two operators as texts."""

from collections.abc import Callable, Sequence

from convrepro.reporting import neutral
from convrepro.reporting.column import Column
from convrepro.statistics import Difference
from convrepro.tables import Comparison

TITLE = "Two operators, compared as in the paper"


def comparison_columns(comparisons: Sequence[Comparison]) -> tuple[Column, ...]:
    """The columns of their table, those without content left out; none if there are no comparisons."""

    def column(title: str, rank: int, text: Callable[[Comparison], str], *, is_label: bool = False) -> Column:
        texts = tuple(neutral.label(text(one)) if is_label else neutral.plain(text(one)) for one in comparisons)
        return Column(title=title, texts=texts, rank=rank, is_label=is_label)

    columns = (
        column("dataset", 0, lambda one: one.labels["dataset"], is_label=True),
        column("model", 4, lambda one: one.labels["model"], is_label=True),
        column("operators", 0, lambda one: f"{one.labels['conv']} - {one.than}", is_label=True),
        column("size", 0, _sizes),
        column("paper's size", 0, lambda one: one.printed_size),
        column("t", 0, lambda one: _t(one.student)),
        column("paper's t", 0, lambda one: one.printed_t),
        column("p", 0, lambda one: _p(one.student)),
        column("paper's p", 0, lambda one: one.printed_p),
        column("Welch's t", 1, lambda one: _t(one.welch)),
        column("Welch's p", 1, lambda one: _p(one.welch)),
        column("best size by mean", 2, _by_mean),
        column("not compared", 3, lambda one: one.reason, is_label=True),
    )
    return tuple(column for column in columns if any(column.texts))


def _sizes(one: Comparison) -> str:
    """Of both cells; once if they are the same, and with those that share the best run."""
    if one.tied:
        return " or ".join(map(_square, one.tied))
    return " - ".join(dict.fromkeys(_square(size) for size in (one.size, one.than_size) if size))


def _by_mean(one: Comparison) -> str:
    return ", ".join(f"{conv} {_square(size)}" for conv, size in one.best_by_mean.items())


def _square(size: str) -> str:
    return f"{size}x{size}"


def _t(found: Difference | None) -> str:
    """No t without any spread."""
    t = found.t_statistic if found else None
    return "" if t is None else f"{t:.2f}"


def _p(found: Difference | None) -> str:
    return f"{found.p_value:.2g}" if found else ""
