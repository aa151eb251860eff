"""A table on the terminal."""

import os
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from convrepro.reporting import comparison_columns
from convrepro.reporting.column import Column
from convrepro.reporting.presentation import TONES, present
from convrepro.tables import BuiltTable

_PAGE_WIDTH = 180
STYLES = {"good": "green", "bad": "bold red", "open": "yellow", "muted": "dim"}


def show(built: BuiltTable, console: Console | None = None) -> None:
    """Prints a table with its claims and notes.

    A page too narrow for all columns loses the least important ones, and says which.
    """
    console = console or terminal()
    shown = present(built)
    console.print(Text(shown.title, style="bold"))
    for line in (shown.source, shown.facts):
        if line:
            console.print(Text(line, style="dim"))
    _print_fitting(console, shown.columns, shown.words)
    for mark, note in shown.footnotes:
        console.print(Text(f"[{mark}] {note}"))
    if shown.comparisons:
        console.print(Text(comparison_columns.TITLE, style="bold"))
        _print_fitting(console, shown.comparisons, [""] * len(built.comparisons))
    if shown.claims:
        console.print(Text("Claims of the paper, on our runs", style="bold"))
    for claim in shown.claims:
        style = STYLES[TONES[claim.word]]
        console.print(Text.assemble((f"{claim.word:<13}", style), f"{claim.text}: {claim.reason} ({claim.source})"))
    for sentence in (*shown.remarks, *shown.assumptions):
        console.print(Text(sentence, style="dim"))


def terminal() -> Console:
    """The terminal at its width; a file or pipe gets every column."""
    console = Console(highlight=False)
    return console if console.is_terminal or "COLUMNS" in os.environ else Console(highlight=False, width=_PAGE_WIDTH)


def _print_fitting(console: Console, columns: Sequence[Column], words: Sequence[str]) -> None:
    """Prints the columns that the page has room for, and the names of the others."""
    kept, dropped = _fitting(columns, console.width)
    console.print(_table(kept, words))
    if dropped:
        names = ", ".join(column.title for column in dropped)
        console.print(Text(f"not shown at this width: {names}", style="dim"))


def _table(columns: Sequence[Column], words: Sequence[str]) -> Table:
    """One row per word; the word says the colour of its verdict."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in columns:
        table.add_column(
            Text(column.title), justify="left" if column.is_label else "right", no_wrap=not column.is_label
        )
    for index, word in enumerate(words):
        tone = STYLES[TONES.get(word, "muted")]
        table.add_row(
            *(Text(column.texts[index], style=tone if column.title == "verdict" else "") for column in columns)
        )
    return table


def _fitting(columns: Sequence[Column], width: int) -> tuple[list[Column], list[Column]]:
    kept, dropped = list(columns), []
    while _width(kept) > width and (last := max(kept, key=lambda column: column.rank)).rank:
        kept.remove(last)
        dropped.append(last)
    return kept, dropped


def _width(columns: Sequence[Column]) -> int:
    return sum(max(map(len, (column.title, *column.texts))) + 3 for column in columns)
