"""Do two data sets share more values than chance allows?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from convrepro.audits.finding import Judgement, Word

LEVEL = 1e-6
FEWEST_IMPOSSIBLE = 2  # one wrong size is a slip, which its own recomputation finds


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What two data sets print for the same network.

    Args:
        noise: std of one printed value about its expectation, from the luck of training or of the test images; 0 if the
            value has none, such as a number of parameters.
        unit: one unit of the last printed digit.
    """

    first: str
    second: str
    noise: float
    unit: float


def chance(pair: Pair) -> float:
    """Upper bound of the probability that two independent values are printed alike, whatever their expectations.

    Alike they differ by less than a unit u; the difference of two normal values with std s has nowhere a density above
    1 / (2 s sqrt(pi)), over an interval of 2 u.
    """
    if pair.noise == 0.0:
        return 1.0
    return min(1.0, pair.unit / (pair.noise * math.sqrt(math.pi)))


def at_least(probabilities: Sequence[float], count: int) -> float:
    """Probability that at least ``count`` of independent events happen, by convolution."""
    distribution = [1.0]
    for probability in probabilities:
        without = [share * (1.0 - probability) for share in distribution] + [0.0]
        for happened, share in enumerate(distribution):
            without[happened + 1] += share * probability
        distribution = without
    return min(1.0, math.fsum(distribution[count:]))


def copied(pairs: Sequence[Pair]) -> Judgement:
    """Judges how many cells of two data sets are printed alike."""
    alike = sum(pair.first == pair.second for pair in pairs)
    probability = at_least([chance(pair) for pair in pairs], alike)
    text = f"{alike} of {len(pairs)} cells alike"
    if alike == 0:
        return Judgement(word="consistent", arithmetic=text)
    if all(pair.noise == 0.0 for pair in pairs):
        return Judgement(word="cannot tell", arithmetic=f"{text}; how likely that is without copying is not known")
    word: Word = "inconsistent" if probability < LEVEL else "consistent"
    return Judgement(word=word, arithmetic=f"{text}; by chance at most with probability {probability:.2g}")


def copied_sizes(pairs: Sequence[Pair], recomputed: Sequence[tuple[int, int]]) -> Judgement:
    """Judges equal sizes of networks by the true ones: they are no chance.

    Args:
        recomputed: true sizes on both data sets, in the order of ``pairs``; ``unit`` says how they are rounded.
    """
    alike = [pair.first == pair.second for pair in pairs]
    apart = [abs(one - other) > pair.unit for pair, (one, other) in zip(pairs, recomputed, strict=True)]
    impossible = sum(map(all, zip(alike, apart, strict=True)))
    text = f"{sum(alike)} of {len(pairs)} cells alike, {impossible} of these more than a unit apart when recomputed"
    return Judgement(word="inconsistent" if impossible >= FEWEST_IMPOSSIBLE else "consistent", arithmetic=text)
