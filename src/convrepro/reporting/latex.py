r"""LaTeX with booktabs: ``\usepackage{booktabs}`` is all that the document must load."""

import re
import unicodedata
from collections.abc import Sequence

from convrepro.reporting.column import Column
from convrepro.reporting.presentation import Presentation, present
from convrepro.tables import BuiltTable

_COMMANDS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{character: f"{{{character}}}" for character in "[]*"},  # \\ takes them for its arguments
}
_WIDEST = 4  # rank of the last column that a page has room for
_WIDEST_BESIDE_PAPER = 1  # the same beside a comparison with the paper
_FEW = 6  # columns that leave room for the others
_SIGNED = re.compile(r"(?<![\w.])[+-](?=\d)")


def render(built: BuiltTable) -> str:
    """The table as a float, its claims and notes below it in small print.

    Where the comparison with the paper takes the page's width, what is ours alone stands in a second block. Two
    operators that the paper compares stand in a block of their own.
    """
    shown = present(built)
    columns = [column for column in shown.columns if column.rank <= _WIDEST]
    labels = [column for column in columns if column.is_label]
    beside = [column for column in columns if column.rank > _WIDEST_BESIDE_PAPER]
    if len(columns) - len(beside) <= _FEW or not beside:
        blocks = [columns]
    else:
        blocks = [[column for column in columns if column not in beside], [*labels, *beside]]
    blocks += [list(shown.comparisons)] if shown.comparisons else []
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(_caption(shown))}}}",
        rf"\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', shown.name).strip('-')}}}",
        r"\scriptsize",
        r"\setlength{\tabcolsep}{3pt}",
        r"\par\medskip".join("\n".join(["", *_tabular(block), ""]) for block in blocks).strip(),
        *_notes(shown),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tabular(columns: Sequence[Column]) -> list[str]:
    alignment = "".join("l" if column.is_label else "r" for column in columns)
    rows = zip(*(column.texts for column in columns), strict=True)
    return [
        rf"\begin{{tabular}}{{@{{}}{alignment}@{{}}}}",
        r"\toprule",
        _row([column.title for column in columns]),
        r"\midrule",
        *(_row(list(row)) for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]


def escape(text: str) -> str:
    """Text in which nothing is a command; what fonts lack is written as its code point."""
    text = _SIGNED.sub(lambda sign: "\0" if sign[0] == "-" else "\1", text)
    text = "".join(_COMMANDS.get(character) or _printable(character) for character in text)
    return text.replace("\0", "$-$").replace("\1", "$+$").replace("--", "{-}{-}")


def _printable(character: str) -> str:
    if unicodedata.normalize("NFD", character)[0].isascii():  # letters with accents are in every font
        return character
    return rf"\texttt{{U+{ord(character):04X}}}"


def _caption(shown: Presentation) -> str:
    return ". ".join(text.rstrip(".") for text in (shown.title, shown.source, shown.facts) if text) + "."


def _row(texts: list[str]) -> str:
    return " & ".join(map(escape, texts)) + r" \\"


def _notes(shown: Presentation) -> list[str]:
    sentences = [f"[{mark}] {note}" for mark, note in shown.footnotes]
    sentences += [f"{claim.word}: {claim.text} ({claim.source}): {claim.reason}" for claim in shown.claims]
    sentences += [*shown.remarks, *shown.assumptions]
    return [r"\par\medskip\raggedright", *(rf"{escape(sentence)}\par" for sentence in sentences)]
