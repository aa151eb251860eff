"""The arrangement of an analytic layer's kernels (Cui et al. 2024, https://arxiv.org/abs/2407.06087, Sec. 3.3)."""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from convrepro.conv import kernel_functions

_TOKEN = re.compile(rf"(?P<symbol>{kernel_functions.SYMBOL})(?P<amount>[0-9]{{1,9}}(?:\.[0-9]+)?)")
_RATIO_TOLERANCE = 0.005  # the ratios that the paper rounds to four digits sum to 0.9999


class Component(NamedTuple):
    """Consecutive kernels of one kind: how many (int), or what share of the layer (float)."""

    symbol: str
    amount: int | float


@dataclass(frozen=True)
class Arrangement:
    r"""Which kernels of a layer are of which kind, in order, Eqs. (9) and (10).

    Written as in the paper, ``"G30Lg15Lt15Tf36P96"``, with or without blanks, in numbers of kernels or, with decimal
    points, in ratios: ``"G0.1562 Lg0.0781 Lt0.0781 Tf0.1875 P0.5"``. A kind may occur several times.

    Example:
        >>> Arrangement.parse("G0.1562 Lg0.0781 Lt0.0781 Tf0.1875 P0.5").counts(192)
        (('G', 30), ('Lg', 15), ('Lt', 15), ('Tf', 36), ('P', 96))
    """

    components: tuple[Component, ...]

    @classmethod
    def parse(cls, text: str) -> "Arrangement":
        """Reads an arrangement.

        Raises:
            ValueError: at the first thing that is not a known kernel with its amount; if numbers and ratios are
                mixed; if ratios do not sum to 1 within 0.005.
        """
        components: list[Component] = []
        position = _after_blanks(text, 0)
        while position < len(text):
            component, end = _component(text, position)
            if components and type(component.amount) is not type(components[0].amount):
                mixed = f"{text[position:end]!r} after {components[0].symbol + _spelled(components[0].amount)!r}"
                raise _error(f"numbers and ratios cannot be mixed, {mixed}", text, position)
            components.append(component)
            position = _after_blanks(text, end)
        if not components:
            raise ValueError("`arrangement` must name at least one kernel, as in 'G30 P96', got an empty text.")
        total = sum((_exact(component.amount) for component in components), Fraction())
        if isinstance(components[0].amount, float) and abs(total - 1) > _RATIO_TOLERANCE:
            raise ValueError(f"the ratios of `arrangement` {text!r} must sum to 1, got {float(total):g}.")
        return cls(tuple(components))

    def counts(self, num_kernels: int) -> tuple[tuple[str, int], ...]:
        """How many kernels of which kind a layer has, in order; components without kernels are left out.

        Ratios are divided by their sum and rounded so that they give all kernels.

        Raises:
            ValueError: if the arrangement is for another number of kernels.
        """
        amounts = [_exact(component.amount) for component in self.components]
        total = sum(amounts, Fraction())
        if isinstance(self.components[0].amount, float):
            counts = _largest_remainder([amount / total * num_kernels for amount in amounts])
        elif total == num_kernels:
            counts = [int(amount) for amount in amounts]
        else:
            raise ValueError(
                f"`arrangement` '{self}' has {total} kernels, the layer has {num_kernels}: "
                "output channels times input channels of a group; ratios, such as 'G0.5 P0.5', fit every layer."
            )
        return tuple((found.symbol, count) for found, count in zip(self.components, counts, strict=True) if count)

    def __str__(self) -> str:
        return " ".join(component.symbol + _spelled(component.amount) for component in self.components)


def _largest_remainder(shares: list[Fraction]) -> list[int]:
    """The shares rounded down, those with the largest remainders up, so that the sum is kept; of equals the earlier."""
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda index: counts[index] - shares[index])
    for index in by_remainder[: int(sum(shares)) - sum(counts)]:
        counts[index] += 1
    return counts


def _after_blanks(text: str, position: int) -> int:
    return len(text) - len(text[position:].lstrip())


def _component(text: str, position: int) -> tuple[Component, int]:
    """The component that starts at ``position``, and where it ends."""
    found = _TOKEN.match(text, position)
    if found is None:
        word = text[position:].split()[0]
        raise _error(
            f"expected a kernel and its number or ratio, such as 'G30' or 'G0.5', found {word!r}", text, position
        )
    symbol, digits = found["symbol"], found["amount"]
    if symbol not in kernel_functions.symbols():
        raise _error(f"unknown kernel {symbol!r}", text, position, f"; known: {', '.join(kernel_functions.symbols())}")
    amount = float(digits) if "." in digits else int(digits)
    if amount == 0:
        raise _error(f"{found[0]!r} stands for no kernels", text, position)
    return Component(symbol, amount), found.end()


def _error(problem: str, text: str, position: int, remedy: str = "") -> ValueError:
    return ValueError(f"`arrangement`: {problem} at character {position + 1} of {text!r}{remedy}.")


def _exact(amount: int | float) -> Fraction:
    """The number as it is written: 0.1562 is 1562 / 10000."""
    return Fraction(repr(amount))


def _spelled(amount: int | float) -> str:
    return format(Decimal(repr(amount)), "f")
