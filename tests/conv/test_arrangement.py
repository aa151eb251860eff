"""Arrangements as the paper prints them, and what cannot be read."""

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convrepro.conv import arrangement, kernel_functions
from convrepro.conv.arrangement import Arrangement, Component

EXP3 = (("G", 30), ("Lg", 15), ("Lt", 15), ("Tf", 36), ("P", 96))  # Table 1

_symbols = st.sampled_from(kernel_functions.symbols())
_numbers = st.lists(st.tuples(_symbols, st.integers(1, 10**9 - 1)), min_size=1, max_size=6)
_weights = st.lists(st.tuples(_symbols, st.floats(1e-6, 1)), min_size=1, max_size=6)


def _arranged(components: list[tuple[str, int]] | list[tuple[str, float]]) -> Arrangement:
    return Arrangement(tuple(Component(symbol, amount) for symbol, amount in components))


def _in_ratios(weights: list[tuple[str, float]]) -> Arrangement:
    total = sum(weight for _, weight in weights)
    return _arranged([(symbol, weight / total) for symbol, weight in weights])


@pytest.mark.parametrize(
    "text",
    [
        "G30 Lg15 Lt15 Tf36 P96",
        "G30Lg15Lt15Tf36P96",
        "  G30\tLg15\nLt15 Tf36P96 ",
        "G0.1562 Lg0.0781 Lt0.0781 Tf0.1875 P0.5",
        "G0.1562Lg0.0781Lt0.0781Tf0.1875P0.5",
    ],
)
def test_spellings_of_exp3(text: str) -> None:
    """Table 1 in numbers, Sec. 4.2 in ratios, with and without blanks; the ratios sum to 0.9999."""
    assert Arrangement.parse(text).counts(192) == EXP3


def test_order_is_kept_and_a_kind_may_come_again() -> None:
    """Table 2: the order matters."""
    assert Arrangement.parse("Lg2 P1 Lg3").counts(6) == (("Lg", 2), ("P", 1), ("Lg", 3))


def test_one_kernel_of_a_kind_is_a_number_and_all_of_them_a_ratio() -> None:
    assert Arrangement.parse("P1").counts(1) == (("P", 1),)
    assert Arrangement.parse("P1.0").counts(192) == (("P", 192),)


@pytest.mark.parametrize(
    ("text", "num_kernels", "counts"),
    [
        ("G0.5 P0.5", 3, (("G", 2), ("P", 1))),  # remainders 0.5 and 0.5: the earlier component
        ("G0.3 Lg0.3 P0.4", 4, (("G", 1), ("Lg", 1), ("P", 2))),  # 1.2, 1.2, 1.6
        ("G0.1 Lg0.1 P0.8", 4, (("G", 1), ("P", 3))),  # 0.4, 0.4, 3.2: one left for the earlier of two
        ("G0.1 P0.9", 1, (("P", 1),)),  # components without kernels are left out
        ("G0.33333 Lg0.33333 P0.33333", 3, (("G", 1), ("Lg", 1), ("P", 1))),
    ],
)
def test_ratios_are_rounded_by_largest_remainder(text: str, num_kernels: int, counts: object) -> None:
    assert Arrangement.parse(text).counts(num_kernels) == counts


@given(_weights, st.integers(1, 10_000))
def test_ratios_give_all_kernels(weights: list[tuple[str, float]], num_kernels: int) -> None:
    assert sum(count for _, count in _in_ratios(weights).counts(num_kernels)) == num_kernels


@given(_weights, st.integers(1, 10_000))
def test_ratios_miss_a_share_by_less_than_one_kernel(weights: list[tuple[str, float]], num_kernels: int) -> None:
    """With kinds that all differ, so that a component that was left out is known."""
    ours = _in_ratios(list(dict(weights).items()))
    counts = dict(ours.counts(num_kernels))
    for symbol, ratio in ours.components:
        assert counts.get(symbol, 0) == pytest.approx(ratio * num_kernels, abs=1 + 1e-9)


@given(_numbers)
def test_numbers_survive_printing_and_reading(components: list[tuple[str, int]]) -> None:
    ours = _arranged(components)
    assert Arrangement.parse(str(ours)) == ours


@given(_weights)
def test_ratios_survive_printing_and_reading(weights: list[tuple[str, float]]) -> None:
    ours = _in_ratios(weights)
    assert Arrangement.parse(str(ours)) == ours


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("G30 Gb15 P96", "unknown kernel 'Gb' at character 5 of 'G30 Gb15 P96'; known: G, Lg, Lt, Tf, Ts, M, P."),
        ("G30 15", "expected a kernel and its number or ratio, such as 'G30' or 'G0.5', found '15' at character 5 of"),
        ("G P96", "expected a kernel and its number or ratio, such as 'G30' or 'G0.5', found 'G' at character 1 of"),
        ("G30, P96", "such as 'G30' or 'G0.5', found ',' at character 4 of"),
        ("G-3 P96", "such as 'G30' or 'G0.5', found 'G-3' at character 1 of"),
        ("g30", "such as 'G30' or 'G0.5', found 'g30' at character 1 of"),
        ("G1e3", "such as 'G30' or 'G0.5', found 'e3' at character 3 of"),
        ("G1234567890", "such as 'G30' or 'G0.5', found '0' at character 11 of"),
        ("G0.5 P0.5.1", "such as 'G30' or 'G0.5', found '.1' at character 10 of"),
        ("G30 P0 M1", "'P0' stands for no kernels at character 5 of 'G30 P0 M1'."),
        ("G0.0 P1.0", "'G0.0' stands for no kernels at character 1 of"),
        ("G30 P0.5", "numbers and ratios cannot be mixed, 'P0.5' after 'G30' at character 5 of 'G30 P0.5'."),
        ("G0.5 P30", "numbers and ratios cannot be mixed, 'P30' after 'G0.5' at character 6 of 'G0.5 P30'."),
        ("G0.5 P0.4", "the ratios of `arrangement` 'G0.5 P0.4' must sum to 1, got 0.9."),
        ("G0.5 P0.506", "must sum to 1, got 1.006."),
        ("", "`arrangement` must name at least one kernel, as in 'G30 P96', got an empty text."),
        ("  ", "`arrangement` must name at least one kernel, as in 'G30 P96', got an empty text."),
    ],
)
def test_what_cannot_be_read_is_pointed_at(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Arrangement.parse(text)
    assert "\n" not in str(caught.value)


def test_ratios_may_miss_one_by_rounding() -> None:
    assert Arrangement.parse("G0.5 P0.505").counts(100) == (("G", 50), ("P", 50))


@pytest.mark.parametrize("num_kernels", [125, 127])
def test_numbers_for_another_layer(num_kernels: int) -> None:
    with pytest.raises(ValueError, match=rf"`arrangement` 'G30 P96' has 126 kernels, the layer has {num_kernels}: out"):
        Arrangement.parse("G30P96").counts(num_kernels)


def test_docstring_example() -> None:
    failed, attempted = doctest.testmod(arrangement)
    assert (failed, attempted) == (0, 1)
