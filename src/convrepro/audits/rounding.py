"""What a printed number says: a closed interval, for a half may have been rounded up, down or to even."""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_SLACK = 1e-9  # of the larger side: binary rounding of decimal bounds, never a digit that anybody prints


@dataclass(frozen=True)
class Interval:
    """All values from ``low`` to ``high``; ``high`` may be infinite."""

    low: float
    high: float

    def __sub__(self, other: "Interval") -> "Interval":
        return Interval(self.low - other.high, self.high - other.low)

    def __add__(self, other: "Interval") -> "Interval":
        return Interval(self.low + other.low, self.high + other.high)

    def scaled(self, factor: float) -> "Interval":
        """Times a number that is not negative."""
        return Interval(self.low * factor, self.high * factor)

    @property
    def magnitude(self) -> "Interval":
        """The absolute values."""
        nearest = 0.0 if self.low <= 0.0 <= self.high else min(abs(self.low), abs(self.high))
        return Interval(nearest, max(abs(self.low), abs(self.high)))

    def hull(self, other: "Interval") -> "Interval":
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def overlaps(self, other: "Interval") -> bool:
        """Whether some value lies in both."""
        sides = (self.low, self.high, other.low, other.high)
        slack = _SLACK * max(abs(side) for side in sides if math.isfinite(side))
        return self.low <= other.high + slack and other.low <= self.high + slack

    def __str__(self) -> str:
        return f"{self.low:.3g} to {self.high:.3g}"


def unit(printed: str) -> Fraction:
    """One unit of the last printed digit: 0.01 for 5.96, 0.0001 for 2e-4, 1 for ``0.``."""
    return Fraction(10) ** _exponent(printed)


def decimals(printed: str) -> int:
    """Digits behind the point: 2 for 5.96, 4 for 2e-4, 0 for ``0.`` and for 1e3."""
    return max(0, -_exponent(printed))


def bounds(printed: str) -> tuple[Fraction, Fraction]:
    """Smallest and largest value that may be printed so, exactly."""
    value, half = Fraction(Decimal(printed)), unit(printed) / 2
    return value - half, value + half


def rounded(printed: str) -> Interval:
    """The values that may be printed so."""
    low, high = bounds(printed)
    return Interval(float(low), float(high))


def rounded_size(printed: str) -> Interval:
    """The values that may be printed so, of a quantity that is never negative, such as a std."""
    low, high = bounds(printed)
    return Interval(max(0.0, float(low)), float(high))


def cut_off(printed: str) -> Interval:
    """The values that are printed so if further digits are dropped instead of rounded."""
    value = Fraction(Decimal(printed))
    further = value + unit(printed) if value >= 0 else value - unit(printed)
    return Interval(*sorted((float(value), float(further))))


def _exponent(printed: str) -> int:
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int), "readers let finite numbers through only"
    return exponent
