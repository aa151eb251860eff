import re
from collections.abc import Callable
from pathlib import Path

import pytest

from convrepro.reporting import markdown
from convrepro.tables import BuiltTable

GOLDEN = Path(__file__).parent / "golden" / "small.md"


def test_golden(built: BuiltTable) -> None:
    assert markdown.render(built) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", r"a\|b"),
        ("<script>", "&lt;script&gt;"),
        ("[x](javascript:1)", r"\[x\](javascript:1)"),
        ("`code` **bold**", r"\`code\` \*\*bold\*\*"),
        ("a & b", "a &amp; b"),
        ("\\|", r"\\\|"),
        ("dk_first", "dk_first"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert markdown.escape(text) == escaped


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "2) a", "---", "===", "    code", "___"])
def test_a_sentence_is_no_block_of_another_kind(make: Callable[..., BuiltTable], text: str) -> None:
    lines = markdown.render(make(title=text, source=text, assumptions=(text,))).splitlines()
    escaped = text.strip() if text.strip() == "code" else re.sub(r"([-+=#_.)])", r"\\\1", text, count=1)
    assert lines[0].removeprefix("#").strip() == escaped
    assert f"- {escaped}" in [line.replace("-     ", "- ") for line in lines]


def test_hostile_labels_stay_in_their_cells(hostile: BuiltTable) -> None:
    text = markdown.render(hostile)
    assert "<script" not in text
    table = [line.replace(r"\|", "") for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1


def test_compared_operators_have_a_table_of_their_own(compared: BuiltTable) -> None:
    text = markdown.render(compared)
    assert "## Two operators, compared as in the paper\n\n| dataset | model      | operators" in text
    assert "| mnist   | simple_cnn | aconv - standard |" in text
