"""Texts that came from elsewhere are text wherever they are shown: no formula, no command, no markup."""

import csv
import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from tests.faults import invented_tables

from convrepro.cli.errors import one_line
from convrepro.reporting import console, html, latex, long_form, markdown, neutral
from convrepro.tables import BuiltTable, build

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", '=HYPERLINK("a")', "\uff1d1", "=cmd|' /C calc'!A0")
TERMINAL = ("\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "a\x08b", "a\rb", "a\nb", "\u202eexe", "a\x00b")
MARKUP = ("<script>alert(1)</script>", '"><img src=x onerror=1>', "</td><td>", "[x](javascript:1)", "![x](y)", "a|b")
MARKUP += (
    "$x$",
    "`x`",
    "**x**",
    "\\input{/etc/passwd}",
    "\\write18{x}",
    "100%",
    "a&b",
    "a_b^c",
    "{}",
    "[bold]x[/bold]",
)


def _built(text: str) -> BuiltTable:
    """A table in which every text is the hostile one."""
    table = invented_tables.table(invented_tables.CONVS, invented_tables.NUM_SEEDS)
    cells = tuple(
        replace(cell, labels={**cell.labels, "model": text, "conv": f"{text}{number}"})
        for number, cell in enumerate(table.cells)
    )
    table = replace(table, title=text, source=text, assumptions=(text,), cells=cells)
    return build(table, invented_tables.RECORDS, None)


@pytest.mark.parametrize("text", [*FORMULAS, *TERMINAL, *MARKUP])
def test_no_spreadsheet_finds_a_formula(text: str) -> None:
    rows = list(csv.reader(io.StringIO(long_form.render(_built(text)))))
    assert len({len(row) for row in rows}) == 1
    for row in rows:
        for field in row:
            is_number = re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", field)
            assert is_number or not field.lstrip().startswith((*"=+-@\t\r", "\uff1d"))


@pytest.mark.parametrize("text", [*FORMULAS, *TERMINAL, *MARKUP])
def test_nothing_drives_a_terminal(text: str) -> None:
    page = Console(record=True, width=200, file=io.StringIO(), color_system=None)
    console.show(_built(text), page)
    shown = page.export_text()
    assert all(character == "\n" or character.isprintable() for character in shown)
    if "[bold]" in text:
        assert "[bold]x[/bold]" in shown
    assert one_line(ValueError(text)).isprintable()


@pytest.mark.parametrize("text", [*TERMINAL, *MARKUP])
def test_no_page_finds_markup(text: str) -> None:
    built = _built(text)
    page = html.render(built)
    assert "<script" not in page
    assert "<img" not in page
    assert page.count("<td") == html.render(_built("plain")).count("<td")
    shown = markdown.render(built)
    assert not re.search(r"<[a-z/]|(?<!\\)[`$]|(?<!\\)\]\(", shown)
    tables = [re.sub(r"\\\|", "", line).count("|") for line in shown.splitlines() if line.startswith("| ")]
    assert len(set(tables)) == 1


@pytest.mark.parametrize("text", [*TERMINAL, *MARKUP])
def test_no_document_finds_a_command(text: str) -> None:
    """The commands of a hostile table are those of a harmless one, and those that stand for one character."""
    one_character = {
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
        "textbar",
        "textasciigrave",
        "texttt",
    }
    found = set(re.findall(r"\\([a-zA-Z]+)", latex.render(_built(text))))
    assert found - one_character <= set(re.findall(r"\\([a-zA-Z]+)", latex.render(_built("plain"))))


def test_a_label_can_be_read_back() -> None:
    for text in ("=1+1", "@x", "\uff1d1"):
        assert neutral.original(neutral.label(text)) == text
