"""Numbers that follow from others."""

import pytest

from convrepro.audits.arithmetic import Operation, follows


@pytest.mark.parametrize(
    ("printed", "operation", "operands", "word"),
    [
        ("2.47", "difference", ["98.49", "96.02"], "consistent"),
        ("5.09", "difference", ["90.68", "85.09"], "inconsistent"),  # 5.59
        ("12.0", "sum", ["5.0", "7.0"], "consistent"),
        ("12.3", "sum", ["5.0", "7.0"], "inconsistent"),
        ("1.3", "ratio", ["215", "166"], "consistent"),  # 1.295
        ("1.2", "ratio", ["321", "282"], "inconsistent"),  # 1.138
        ("56", "percent", ["9.7", "17.29"], "consistent"),  # 56.1
        ("60", "percent", ["9.7", "17.29"], "inconsistent"),
    ],
)
def test_operations(printed: str, operation: Operation, operands: list[str], word: str) -> None:
    assert follows(printed, operation, operands).word == word


def test_about_excuses_half_a_unit_but_does_not_confirm_it() -> None:
    found = follows("1.2", "ratio", ["321", "282"], about=True)
    assert found.word == "cannot tell"
    assert found.arithmetic.startswith("321 / 282 is 1.135 to 1.142, printed 1.2 (about): near it, but")
    assert follows("1.3", "ratio", ["215", "166"], about=True).word == "consistent"
    assert follows("1.2", "ratio", ["321", "300"], about=True).word == "inconsistent"  # 1.07


def test_counts_are_not_rounded() -> None:
    assert follows("3023", "sum", ["2267", "756"], whole=True).word == "consistent"
    assert follows("3024", "sum", ["2267", "756"], whole=True).word == "inconsistent"
    assert follows("3024", "sum", ["2267", "756"]).word == "consistent"


def test_what_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="a ratio must be one of two positive numbers"):
        follows("1", "ratio", ["3.0", "0.0"])
    with pytest.raises(ValueError, match="the operation must be one of"):
        follows("1", "product", ["3.0", "0.0"])  # type: ignore[arg-type]
