"""What a paper prints: numbers with their precision, comparisons, claims, and where it is silent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

# Printed unit -> how many of the metric's own.
UNITS = {"%": 1, "": 1, "M": 10**6, "GFLOPs": 10**9, "us": 1, "ms/img": 1}
SPREADS = {
    "std": "standard deviation (n or n - 1 not printed; read as n - 1)",
    "population_std": "standard deviation (n in the denominator, as in the authors' code)",
}
ClaimKind = Literal["lower", "higher", "alike", "ratio", "rises", "no_effect"]
ComparisonMetric = Literal["t_statistic", "p_value", "best_kernel_size"]


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
        printed_best: the best run's result, where it is printed beside the mean; else empty.
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
    printed_best: str = ""

    @property
    def value(self) -> float:
        """In the metric's own unit: 0.14 M parameters are 140000."""
        return self._own_unit(Decimal(self.printed))

    @property
    def spread(self) -> float | None:
        return self._own_unit(Decimal(self.printed_spread)) if self.printed_spread else None

    @property
    def best(self) -> float | None:
        return self._own_unit(Decimal(self.printed_best)) if self.printed_best else None

    @property
    def half_unit(self) -> float:
        """Half a unit of the last printed digit, in the metric's own unit: 0.005 for 5.96."""
        return self._own_unit(_half_unit(self.printed))

    @property
    def spread_half_unit(self) -> float | None:
        """The same of the spread; None if none is printed."""
        return self._own_unit(_half_unit(self.printed_spread)) if self.printed_spread else None

    @property
    def best_half_unit(self) -> float | None:
        """The same of the best run; None if none is printed."""
        return self._own_unit(_half_unit(self.printed_best)) if self.printed_best else None

    @property
    def decimals(self) -> int:
        return max(0, -_exponent(self.printed))

    def _own_unit(self, number: Decimal) -> float:
        return float(number * UNITS[self.unit])


@dataclass(frozen=True, kw_only=True)
class PrintedComparison:
    """What a paper prints of two cells.

    Args:
        table: name in ``configs/table``.
        labels: of the first cell, as in ``PrintedNumber``.
        than: labels of the second; its data set and network are those of the first.
        metric: ``t_statistic`` and ``p_value`` of a two-tailed t-test, the first cell minus the second; or
            ``best_kernel_size``, the size at which the two operators are compared, when no cell has that label.
        printed: as printed: ``2.7e-4``, ``-2.19``, ``9x9``.
        misprint: how the paper contradicts itself here; empty if it does not.
    """

    table: str
    labels: Mapping[str, str]
    than: Mapping[str, str]
    metric: ComparisonMetric
    printed: str
    misprint: str

    @property
    def value(self) -> float:
        """The number; of a kernel size its side."""
        return float(self.printed.partition("x")[0])

    @property
    def half_unit(self) -> float:
        """Half a unit of the last printed digit; 0 for a kernel size."""
        return 0.0 if self.metric == "best_kernel_size" else float(_half_unit(self.printed))


@dataclass(frozen=True, kw_only=True)
class PrintedTable:
    """What a table's caption and the text say of all its numbers.

    Args:
        name: in ``configs/table``.
        source: where it stands: ``Table 5``, ``Section 4.4``.
        metrics: what it has; the paper's claims and comparisons are about the first.
        spread: key of ``SPREADS``; empty if the table prints none.
        selection: rule by which the paper's epoch was chosen; empty if it does not say, or chooses none.
        note: what must be read beside the table.
    """

    name: str
    source: str
    metrics: tuple[str, ...]
    spread: str
    selection: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A sentence of the paper that our own runs can support or contradict.

    Args:
        table: the table whose runs test it.
        kind: ``lower`` or ``higher`` (``conv`` has a lower or higher metric than ``than``), ``alike`` (the two differ
            by less than the table's margin), ``ratio`` (the metric of ``conv`` is ``ratio`` times that of ``than``),
            ``rises`` (the metric rises with ``axis``) or ``no_effect`` (``axis`` changes the metric by less than the
            margin).
        where: labels of the cells it speaks of, without ``conv``. An empty value stands for cells without that label.
        conv: the operator it speaks of.
        than: the operator that ``lower``, ``higher``, ``alike`` and ``ratio`` compare with; else empty.
        than_where: labels in which the cell of ``than`` differs from ``where``.
        axis: the label that ``rises`` and ``no_effect`` vary; else empty.
        metric: what it is about; empty for the first of the table.
        paired: whether runs of the same seed share their weights, so that ``lower``, ``higher`` and ``alike`` go by
            the differences within seeds.
        ratio: lowest and highest of ``ratio``; else empty.
        source: where the paper says so.
    """

    table: str
    kind: ClaimKind
    where: Mapping[str, str]
    conv: str
    source: str
    than: str = ""
    than_where: Mapping[str, str] = field(default_factory=dict)
    axis: str = ""
    metric: str = ""
    paired: bool = False
    ratio: tuple[float, ...] = ()


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
    comparisons: tuple[PrintedComparison, ...] = ()

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


_DECIMAL = re.compile(r"-?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,2})?", re.ASCII)
_KERNEL_SIZE = re.compile(r"([1-9]\d?)x\1", re.ASCII)


def is_decimal(text: str) -> bool:
    """Whether a text is a decimal number as papers print them: ``5.96``, ``1.``, ``-2.19``, ``2.7e-4``."""
    return _DECIMAL.fullmatch(text) is not None


def is_kernel_size(text: str) -> bool:
    """Whether a text is the size of a square kernel, such as ``9x9``."""
    return _KERNEL_SIZE.fullmatch(text) is not None


def _half_unit(printed: str) -> Decimal:
    return Decimal((0, (5,), _exponent(printed) - 1))


def _exponent(printed: str) -> int:
    exponent = Decimal(printed).as_tuple().exponent
    assert isinstance(exponent, int), "the reader lets decimal numbers through only"
    return exponent
