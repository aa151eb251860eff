"""GitHub-flavoured Markdown."""

import re

from convrepro.reporting import comparison_columns
from convrepro.reporting.column import Column
from convrepro.reporting.presentation import Presentation, present
from convrepro.tables import BuiltTable


def render(built: BuiltTable) -> str:
    """The table, its claims and its notes as Markdown."""
    shown = present(built)
    blocks = [f"# {_block(shown.title)}", _lines([shown.source, shown.facts]), _table(shown.columns)]
    if shown.footnotes:
        blocks.append("  \n".join(f"\\[{mark}\\] {escape(note)}" for mark, note in shown.footnotes))
    if shown.comparisons:
        blocks += [f"## {comparison_columns.TITLE}", _table(shown.comparisons)]
    if shown.claims:
        blocks += ["## Claims of the paper, on our runs", _claims(shown)]
    blocks.append(_bullets("Notes", shown.remarks))
    blocks.append(_bullets("Where the paper is silent", shown.assumptions))
    return "\n\n".join(filter(None, blocks)) + "\n"


def escape(text: str) -> str:
    """Text in which nothing is markup, a cell's end or HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*|\[\]~$])", r"\\\1", text)


def _block(text: str) -> str:
    """Escaped text that begins a block, and is no heading, list, rule or code there."""
    text = re.sub(r"^\s*([-+=#_])", r"\\\1", escape(text))
    return re.sub(r"^\s*(\d+)([.)])(?=\s|$)", r"\1\\\2", text)


def _table(columns: tuple[Column, ...]) -> str:
    cells = [[escape(text) for text in (column.title, *column.texts)] for column in columns]
    widths = [max(3, *map(len, column)) for column in cells]
    rules = [
        "-" * width if column.is_label else "-" * (width - 1) + ":"
        for column, width in zip(columns, widths, strict=True)
    ]
    header, *rows = list(zip(*cells, strict=True))
    return "\n".join(
        "| "
        + " | ".join(
            text.ljust(width) if column.is_label else text.rjust(width)
            for text, width, column in zip(row, widths, columns, strict=True)
        )
        + " |"
        for row in (header, rules, *rows)
    )


def _claims(shown: Presentation) -> str:
    return "\n".join(
        f"- **{claim.word}**: {escape(claim.text)} ({escape(claim.source)}): {escape(claim.reason)}"
        for claim in shown.claims
    )


def _bullets(title: str, sentences: tuple[str, ...]) -> str:
    if not sentences:
        return ""
    return f"## {title}\n\n" + "\n".join(f"- {_block(sentence)}" for sentence in sentences)


def _lines(texts: list[str]) -> str:
    return "  \n".join(_block(text) for text in texts if text)
