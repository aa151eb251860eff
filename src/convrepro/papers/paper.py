"""What a paper prints: numbers with their precision, claims, and where it is silent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

UNITS = {"%": 1, "": 1, "M": 10**6, "GFLOPs": 10**9}  # printed unit -> how many of the metric's own
SPREADS = {"std": "standard deviation (n or n - 1 not printed; read as n - 1)"}
ClaimKind = Literal["lower", "rises", "no_effect"]


@dataclass(frozen=True, kw_only=True)
class PrintedNumber:
    """One cell of a paper's table.

    Args:
        table: name in ``configs/table``.
        labels: ``dataset``, ``model``, ``conv`` and the other axes, such as ``conv.points``; values as text.
        metric: ``test_error``, ``num_parameters``.
        printed: the digits as printed, for their number says how they were rounded.
        printed_spread: what stands behind the plus-minus; empty if nothing does.
        spread_kind: key of ``SPREADS``; empty if no spread is printed.
        num_runs: number of runs behind the mean; None if it is not printed.
        unit: key of ``UNITS``; empty for a number without one. GFLOPs are 10^9 multiply-accumulates, as papers have it.
        misprint: how the paper contradicts itself here; empty if it does not.
    """

    table: str
    labels: Mapping[str, str]
    metric: str
    printed: str
    printed_spread: str
    spread_kind: str
    num_runs: int | None
    unit: str
    misprint: str

    @property
    def value(self) -> float:
        """In the metric's own unit: 0.14 M parameters are 140000."""
        return float(Decimal(self.printed) * UNITS[self.unit])

    @property
    def spread(self) -> float | None:
        return float(Decimal(self.printed_spread) * UNITS[self.unit]) if self.printed_spread else None

    @property
    def half_unit(self) -> float:
        """Half a unit of the last printed digit, in the metric's own unit: 0.005 for 5.96."""
        return float(Decimal((0, (5,), self._exponent - 1)) * UNITS[self.unit])

    @property
    def decimals(self) -> int:
        return max(0, -self._exponent)

    @property
    def _exponent(self) -> int:
        exponent = Decimal(self.printed).as_tuple().exponent
        assert isinstance(exponent, int), "the reader lets decimal numbers through only"
        return exponent


@dataclass(frozen=True, kw_only=True)
class PrintedTable:
    """What a table's caption and the text say of all its numbers."""

    name: str
    source: str
    metric: str
    spread: str
    selection: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the paper that our own runs can support or contradict.

    Args:
        table: the table whose runs test it.
        kind: ``lower`` (``conv`` has a lower metric than ``than``), ``rises`` (it rises with ``axis``) or
            ``no_effect`` (``axis`` changes the metric by less than the table's margin).
        where: labels of the cells it speaks of, without ``conv``.
        conv: the operator it speaks of.
        than: the operator that ``lower`` compares with; else empty.
        axis: the label that ``rises`` and ``no_effect`` vary; else empty.
        source: where the paper says so.
    """

    table: str
    kind: ClaimKind
    where: Mapping[str, str]
    conv: str
    source: str
    than: str = ""
    axis: str = ""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Where the paper is silent, ambiguous or wrong, and what is done here."""

    topic: str
    paper: str
    ours: str


@dataclass(frozen=True, kw_only=True)
class Paper:
    """A paper.

    Args:
        journal: or ``arXiv:2407.06087`` for a preprint, which has no volume and no pages.
        volume: None if there is none.
        pages: empty if there are none.
        doi: empty if it is not known for certain.
    """

    name: str
    title: str
    authors: tuple[str, ...]
    journal: str
    volume: int | None
    pages: str
    year: int
    doi: str
    tables: Mapping[str, PrintedTable]
    numbers: tuple[PrintedNumber, ...]
    claims: tuple[Claim, ...]
    deviations: tuple[Deviation, ...]

    @property
    def citation(self) -> str:
        """Short: "Liu et al., Neurocomputing 422 (2021) 95-108" or "Cui et al., arXiv:2407.06087 (2024)"."""
        first = self.authors[0].rpartition(" ")[2]
        others = " et al." if len(self.authors) > 1 else ""
        volume = "" if self.volume is None else f" {self.volume}"
        return f"{first}{others}, {self.journal}{volume} ({self.year}) {self.pages}".rstrip()

    def printed(self, table: str, labels: Mapping[str, str], metric: str) -> PrintedNumber | None:
        """The number printed under exactly these labels, in whatever order; None if there is none."""
        for number in self.numbers:
            if (number.table, number.metric) == (table, metric) and dict(number.labels) == dict(labels):
                return number
        return None

    def printed_labels(self, table: str, label: str) -> list[str]:
        """The values that a label takes in a table, in printed order."""
        found = (number.labels[label] for number in self.numbers if number.table == table and label in number.labels)
        return list(dict.fromkeys(found))


def is_decimal(text: str) -> bool:
    """Whether a text is a finite decimal number in plain digits."""
    return text.isascii() and text.replace(".", "", 1).isdigit() and math.isfinite(float(text))
