"""An explanation on the terminal."""

from collections.abc import Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from convrepro.reporting import neutral
from convrepro.reporting.console import STYLES, terminal
from convrepro.reporting.explanation import Explanation, Section
from convrepro.reporting.presentation import TONES

_INDENT = 2  # characters
_BETWEEN = 3  # columns


def show_explanation(explanation: Explanation, console: Console | None = None) -> None:
    """Prints an explanation. A page too narrow for a section's last columns loses them, and says which."""
    console = console or terminal()
    console.print(Text(neutral.plain(explanation.heading), style="bold"))
    if explanation.source:
        console.print(Text(neutral.plain(explanation.source), style="dim"))
    console.print(Text(neutral.plain(explanation.cell)))
    for section in explanation.sections:
        console.print()
        console.print(Text(neutral.plain(section.title), style="bold"))
        dropped: list[str] = []
        if section.columns:
            dropped = _print_columns(console, section)
        elif section.rows:
            console.print(Padding(_facts(section, console.width), (0, 0, 0, _INDENT)))
        if dropped:
            console.print(Text(f"  not shown at this width: {', '.join(dropped)}", style="dim"))
        for sentence in section.sentences:
            console.print(Padding(Text(neutral.plain(sentence)), (0, 0, 0, _INDENT)))


def _facts(section: Section, width: int) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(max_width=width // 4, overflow="fold")
    table.add_column(overflow="fold")
    for index, (what, value) in enumerate(section.rows):
        is_verdict = section.word and index == 0
        style = STYLES[TONES.get(section.word, "muted")] if is_verdict else "dim"
        table.add_row(Text(neutral.plain(what), style=style), Text(neutral.plain(value)))
    return table


def _print_columns(console: Console, section: Section) -> list[str]:
    """Prints as many columns as fit; returns the titles of the others."""
    titles = [neutral.plain(title) for title in section.columns]
    texts = [[neutral.plain(row[index]) for row in section.rows] for index in range(len(titles))]
    widths = _widths(titles, texts, console.width - _INDENT)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    for title, cells, width in zip(titles, texts, widths, strict=False):
        justify: Literal["left", "right"] = "right" if _are_numbers(cells) else "left"
        table.add_column(Text(title), justify=justify, width=width, overflow="fold")
    for row in zip(*texts[: len(widths)], strict=True):
        table.add_row(*map(Text, row))
    console.print(Padding(table, (0, 0, 0, _INDENT)))
    return titles[len(widths) :]


def _widths(titles: Sequence[str], texts: Sequence[Sequence[str]], width: int) -> list[int]:
    """Widths of the first columns, as many as can be read side by side; what is left over goes to words first."""
    widths = [_narrowest(title, cells) for title, cells in zip(titles, texts, strict=True)]
    while len(widths) > 1 and sum(widths) + _BETWEEN * len(widths) > width:
        widths.pop()
    spare = width - sum(widths) - _BETWEEN * len(widths)
    for index in sorted(range(len(widths)), key=lambda index: _are_numbers(texts[index])):
        wanted = max(map(len, (titles[index], *texts[index]))) - widths[index]
        given = max(0, min(wanted, spare))
        widths[index] += given
        spare -= given
    return widths


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(cell[:1] in ("", "-", "+") or cell[0].isdigit() for cell in cells)


def _narrowest(title: str, cells: Sequence[str]) -> int:
    """Characters below which a column cannot be read: a number in full, words by their longest."""
    whole = cells if _are_numbers(cells) else [word for cell in cells for word in cell.split()]
    return max(map(len, (*title.split(), *whole)), default=0)
