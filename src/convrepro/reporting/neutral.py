"""Text that came from elsewhere, made harmless before it is shown.

A label can be any text: a run's name, a CSV of somebody else. See "CSV injection" at owasp.org.
"""

import textwrap
import unicodedata

_TITLE_WIDTH = 80  # characters, at the size that pictures are drawn in
_FORMULA = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20")  # the wide ones too, which some spreadsheets take for them
# Control characters drive terminals, format characters reorder text, lone surrogates cannot be written.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


def plain(text: str) -> str:
    r"""The text with every character that is not printed written as an escape such as ``\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(character) for character in text)


def label(text: str) -> str:
    """Plain text that no spreadsheet takes for a formula: an apostrophe is put before =, +, - and @."""
    text = plain(text)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def original(text: str) -> str:
    """A label as it was before ``label`` put an apostrophe before it."""
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(_FORMULA) else text


def without_mathematics(text: str) -> str:
    """The text as matplotlib must have it, which would set what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def wrapped(text: str) -> str:
    """A picture's title, in lines that fit its width."""
    return textwrap.fill(without_mathematics(text), _TITLE_WIDTH)


def _escape(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")
