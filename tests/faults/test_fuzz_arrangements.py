"""Any text is an arrangement, or refused in one line that says where it goes wrong."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convrepro.cli.errors import one_line
from convrepro.conv import kernel_functions
from convrepro.conv.arrangement import Arrangement

_SYMBOLS = st.sampled_from(["G", "Lg", "Lt", "Tf", "Ts", "M", "P"])
_BLANKS = st.sampled_from(["", " ", "  ", "\t"])


def _settings(max_examples: int) -> settings:
    return settings(max_examples=max_examples, deadline=None, derandomize=True, database=None)


def test_the_grammar_s_own_texts_are_read_back(figure: Callable[[int, int], int]) -> None:
    """Numbers of kernels: what is written is what is counted, with or without blanks."""

    @_settings(figure(100, 5000))
    @given(st.lists(st.tuples(_SYMBOLS, st.integers(1, 999_999_999), _BLANKS), min_size=1, max_size=8))
    def check(parts: list[tuple[str, int, str]]) -> None:
        read = Arrangement.parse("".join(f"{symbol}{amount}{blank}" for symbol, amount, blank in parts))
        assert read.components == tuple((symbol, amount) for symbol, amount, _ in parts)
        assert read.counts(sum(amount for _, amount, _ in parts)) == read.components
        assert Arrangement.parse(str(read)) == read

    check()


def test_ratios_give_all_kernels(figure: Callable[[int, int], int]) -> None:
    @_settings(figure(100, 5000))
    @given(st.lists(st.tuples(_SYMBOLS, st.integers(1, 9999)), min_size=1, max_size=8), st.integers(1, 100_000))
    def check(parts: list[tuple[str, int]], num_kernels: int) -> None:
        total = sum(weight for _, weight in parts)
        text = " ".join(f"{symbol}{weight / total:.9f}" for symbol, weight in parts if round(weight / total, 9) > 0)
        assert sum(count for _, count in Arrangement.parse(text).counts(num_kernels)) == num_kernels

    check()


def test_any_other_text_is_one_line(figure: Callable[[int, int], int]) -> None:
    pieces = st.sampled_from(
        [*"GLtTfPM.0123456789 ,-+eE\n\x00Ω٣²", "Lg", "G30", "G0.5", "2x4", "conv", "1e9", "9" * 40]
    )

    @_settings(figure(200, 20_000))
    @given(st.lists(pieces, max_size=12).map("".join) | st.text(max_size=30))
    def check(text: str) -> None:
        try:
            read = Arrangement.parse(text)
        except ValueError as error:
            said = one_line(error)
            assert "`arrangement`" in said
            assert "\n" not in said
            assert len(said) <= 200
        else:
            symbols = "|".join(kernel_functions.symbols())
            assert re.fullmatch(rf"\s*(?:(?:{symbols})[0-9]+(?:\.[0-9]+)?\s*)+", text)
            assert all(component.amount > 0 for component in read.components)

    check()


@pytest.mark.parametrize(
    "text", ["2x4, conv, A3", "G", "30G", "G-3", "G3.", "G.5", "G1e3", "G0", "G0.0", "Zz3", "G3,P3"]
)
def test_what_is_nearly_one_is_refused_where_it_goes_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=r"`arrangement`: .* at character \d+ of"):
        Arrangement.parse(text)
