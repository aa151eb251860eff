"""Compact factors of analytic convolutional layers (ACL, Eq. 25)."""

import math
import re
from collections.abc import Mapping
from fractions import Fraction

_PART = re.compile(r"([A-Z][a-z]*)(\d+(?:\.\d+)?)")


def parse(arrangement: str) -> list[tuple[str, Fraction]]:
    """Components of ``G30Lg15P96`` or ``G0.25P0.75``, in order.

    Raises:
        ValueError: if the text is no such list.
    """
    text = arrangement.replace(" ", "")
    parts = _PART.findall(text)
    if not parts or "".join(name + number for name, number in parts) != text:
        raise ValueError(f"an arrangement reads like G30Lg15P96 or G0.25P0.75, got {arrangement!r}.")
    return [(name, Fraction(number)) for name, number in parts]


def compact_factors(
    arrangement: str, *, num_kernels: int, kernel_size: int, parameters: Mapping[str, int]
) -> tuple[float, float]:
    """Smallest and largest compact factor: they differ where ratios give no whole numbers of kernels.

    Args:
        num_kernels: input times output channels.
        kernel_size: side of the kernels.
        parameters: of one kernel of each analytic kind; ``P``, the plain kernel, has kernel_size^2.

    Raises:
        ValueError: if a kind is unknown, or whole numbers do not sum to ``num_kernels``.
    """
    parts = parse(arrangement)
    area = kernel_size**2
    known = {"P": area, **parameters}
    if any(name not in known for name, _ in parts):
        raise ValueError(f"{arrangement} has a kind of kernel besides {', '.join(['P', *parameters])}.")
    weights = [known[name] for name, _ in parts]
    counts = [number for _, number in parts]
    if all(number.denominator == 1 for number in counts) and sum(counts) > 1 and sum(counts) != num_kernels:
        raise ValueError(f"{arrangement} has {sum(counts)} kernels, the layer {num_kernels}.")
    shares = [number / sum(counts) * num_kernels for number in counts]
    base = sum(weight * math.floor(share) for weight, share in zip(weights, shares, strict=True))
    broken = sorted(weight for weight, share in zip(weights, shares, strict=True) if share.denominator != 1)
    num_left = num_kernels - sum(math.floor(share) for share in shares)  # so many shares are rounded up
    fewest, most = base + sum(broken[:num_left]), base + sum(broken[len(broken) - num_left :])
    return 1.0 - most / (num_kernels * area), 1.0 - fewest / (num_kernels * area)
