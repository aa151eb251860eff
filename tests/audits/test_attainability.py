"""Numbers of correct images."""

from decimal import Decimal

import pytest

from convrepro.audits.attainability import attainable, attainable_share, grim


def test_thirds_of_three_images() -> None:
    """0, 33.33, 66.67 and 100 are the accuracies on 3 images."""
    assert all(attainable(printed, num_images=3) for printed in ("0.00", "33.33", "66.67", "100.00"))
    assert not attainable("33.34", num_images=3)
    assert attainable("11.11", num_images=3, num_runs=3)


def test_a_half_may_be_rounded_up_or_down() -> None:
    """1 of 16 images is 6.25: printed 6.2 or 6.3."""
    assert attainable("6.2", num_images=16)
    assert attainable("6.3", num_images=16)
    assert not attainable("6.4", num_images=16)


@pytest.mark.parametrize(
    ("total", "decimals"), [(3, 0), (16, 1), (756, 2), (756, 1), (500, 2), (30, 1), (64, 2), (999, 1)]
)
def test_the_share_of_attainable_values_by_counting(total: int, decimals: int) -> None:
    steps = 100 * 10**decimals
    hit = sum(attainable(str(Decimal(value).scaleb(-decimals)), num_images=total) for value in range(steps + 1))
    assert attainable_share(decimals, num_images=total) == pytest.approx(hit / (steps + 1))


def test_every_value_of_two_decimals_is_attainable_on_ten_thousand_images() -> None:
    assert attainable_share(2, num_images=10_000) == 1.0
    assert grim("91.23", num_images=10_000, num_runs=1).word == "cannot tell"


def test_a_value_that_no_number_of_images_gives() -> None:
    """647 of 756 are 85.58, 648 are 85.71."""
    found = grim("85.66", num_images=756, num_runs=1)
    assert found.word == "inconsistent"
    assert "647 are 85.5820, 648 are 85.7143" in found.arithmetic
    assert "fails in 92 %" in found.arithmetic


def test_a_value_that_a_number_of_images_gives() -> None:
    assert grim("85.71", num_images=756, num_runs=1).word == "consistent"


@pytest.mark.parametrize("num_runs", [1, None])
def test_a_value_whose_digits_were_cut_off(num_runs: int | None) -> None:
    """737 of 756 are 97.4868: rounded 97.49, cut off 97.48. 736 are 97.3545, which is not cut off to 97.47."""
    found = grim("97.48", num_images=756, num_runs=num_runs)
    assert found.word != "consistent"
    assert "; 737 would, were further digits cut off instead of rounded" in found.arithmetic
    assert "cut off" not in grim("97.47", num_images=756, num_runs=num_runs).arithmetic
    assert "cut off" not in grim("97.50", num_images=756, num_runs=num_runs).arithmetic


def test_an_unknown_number_of_runs_excuses() -> None:
    assert grim("85.66", num_images=756, num_runs=None).word == "cannot tell"


def test_more_than_all_images_cannot_be_right() -> None:
    assert not attainable("100.20", num_images=756)


@pytest.mark.parametrize(("images", "runs"), [(0, 1), (10, 0)])
def test_no_images_and_no_runs(images: int, runs: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        attainable("50.0", num_images=images, num_runs=runs)
