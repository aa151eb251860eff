"""What is known of one cell, as texts, before anybody decides how it looks."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of an explanation.

    Args:
        title: one line.
        columns: titles; empty if each row is a name and its value.
        rows: texts, one per column. A narrow page drops the last columns.
        sentences: below the rows.
        word: of a verdict, by which its row is coloured; empty if the section has none.
    """

    title: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    sentences: tuple[str, ...] = ()
    word: str = ""


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What is known of one cell: a heading, then sections in the order of interest."""

    heading: str
    source: str
    cell: str
    sections: tuple[Section, ...]
