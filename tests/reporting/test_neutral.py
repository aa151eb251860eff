import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrepro.reporting import neutral


@pytest.mark.parametrize("text", ["cnn4", "dk_first", "conv.points=3", "5.96 ± 0.06", "Šámal, 1998", "", "a - b"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert neutral.plain(text) == neutral.label(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),  # drives a terminal
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("user\u202eexe.", r"user\u202eexe."),  # reverses what follows
        ("zero\u200bwidth", r"zero\u200bwidth"),
        ("\ud800", r"\ud800"),  # a lone surrogate cannot be written as UTF-8
        ("\x9b2J", r"\x9b2J"),  # the one-byte form of the escape sequence
    ],
)
def test_what_is_not_printed_is_escaped(text: str, shown: str) -> None:
    assert neutral.plain(text) == shown


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", "=cmd|' /C calc'!A0"])
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert neutral.label(text) == f"'{text}"


@given(st.text(st.characters(codec="utf-8")))
def test_labels_are_printable_and_no_formula(text: str) -> None:
    shown = neutral.label(text)
    assert not any(ord(character) < 32 or ord(character) == 127 for character in shown)
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_a_printable_label_can_be_read_back(text: str) -> None:
    if not text.startswith("'"):
        assert neutral.original(neutral.label(text)) == text


def test_a_long_title_is_broken_into_lines_that_fit() -> None:
    text = "DK-CNN, test error on Fashion-MNIST " * 4 + "$5"
    lines = neutral.wrapped(text).splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= 80
    assert " ".join(lines) == text.replace("$", r"\$")
