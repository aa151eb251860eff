"""A built table: what a report shows, before anybody decides how it looks."""

from collections.abc import Mapping
from dataclasses import dataclass

from convrepro.papers import PrintedNumber
from convrepro.statistics import Difference, Finding, Summary, Verdict

COUNTS = ("num_parameters", "num_macs")
EXACT = (*COUNTS, "compact_factor")  # no chance has a part in them: they agree at the printed precision or do not
UNTRAINED = ("compact_factor", "kernel_variance_ratio")  # of fresh weights: no epoch is chosen
TIMES = ("train_step_microseconds", "inference_milliseconds_per_image")  # of a machine: only their ratios travel
LOSS_OF_ACCURACY = "accuracy_loss"  # of a cell against the table's reference, seed by seed


def is_trained(metric: str) -> bool:
    """Whether it is that of an epoch, which a selection rule chooses."""
    return metric.endswith(("_accuracy", "_error", "_loss"))


def more_is_better(metric: str) -> bool:
    return metric.endswith("_accuracy")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a cell's network costs; the seconds are the mean over its runs, None if no run was timed."""

    num_parameters: int
    num_macs: int
    num_operator_layers: int
    wall_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """One cell and metric.

    Args:
        table: its name in ``configs/table``, with the marks of ``records.Table.name``.
        labels: as in ``records.Cell``.
        metric: its name.
        run_id: of the cell; empty for numbers that are not ours.
        selection: rule by which the epoch was chosen; empty if it is not known.
        scaled: fewer epochs or images than the protocol asks for.
        official_data: whether the data are the official distribution.
        values: seed -> result of the runs that left one.
        num_seeds: how many seeds were asked for.
        margin: half-width within which two means count as equal.
        ours: summary of the runs; None if there are none.
        cost: None if there are no runs.
        printed: the paper's number; None if it prints none.
        difference: ours minus the paper's; None for exact values and where no interval can be computed.
        verdict: the word and its reason.
        against_baseline: ours minus our baseline's; None for exact values and for the baseline itself.
        added: ours minus our baseline's, of exact values; None for means and for the baseline itself.
        notes: what must be read beside the numbers.
        best: our best run, where the paper prints one.
        best_on_validation: summary by that rule, where the table's own rule looks at the test set; else None.
        optimism: by how much the table's rule flatters beside ``best_on_validation``, seed by seed; positive where it
            does, whichever way the metric runs.
        ratio: ours over our baseline's, of times; None for others.
        printed_ratio: the paper's over the paper's baseline; None where it prints none.
        same_images: whether all runs of the table on this data set read the same images, as far as they say.
    """

    table: str
    labels: Mapping[str, str]
    metric: str
    run_id: str
    selection: str
    scaled: bool
    official_data: bool
    values: Mapping[int, float]
    num_seeds: int
    margin: float
    ours: Summary | None
    cost: Cost | None
    printed: PrintedNumber | None
    difference: Difference | None
    verdict: Verdict
    against_baseline: Difference | None
    added: float | None
    notes: tuple[str, ...]
    best: float | None = None
    best_on_validation: Summary | None = None
    optimism: Summary | None = None
    ratio: Difference | None = None
    printed_ratio: float | None = None
    same_images: bool = True

    @property
    def config(self) -> str:
        """The table's name without its marks."""
        return self.table.partition(".")[0]

    @property
    def n(self) -> int:
        return self.ours.n if self.ours else 0

    @property
    def is_complete(self) -> bool:
        """All seeds that were asked for left a finite number, on the images of all."""
        return self.same_images and self.ours is not None and self.ours.is_finite and self.n >= self.num_seeds

    @property
    def is_exact(self) -> bool:
        return self.metric in EXACT


@dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    """A sentence of the paper and what our runs say of it."""

    text: str
    source: str
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two operators at one kernel size each, as the paper compares them.

    Args:
        labels: of the first cell: ``dataset``, ``model``, ``conv``.
        than: the operator that it is compared with.
        metric: that is compared.
        num_runs: of each side that were asked for.
        size: side of the first cell's kernel; empty if our runs do not say yet.
        than_size: of the second's.
        best_by_mean: operator -> the size with the best mean; empty where the paper fixed both sizes, or if our runs
            do not say yet.
        printed_size: as the paper prints the size that it compares at.
        printed_t: the paper's t; empty if it prints none.
        printed_p: the paper's p, likewise.
        student: first minus second, by Student's two-tailed test; None if a side is not complete.
        welch: the same by Welch's.
        reason: why there are no numbers of ours; empty if there are.
        tied: all sizes that reach the best single run, in the order of the grid, if there are several; ``size`` is
            the first.
    """

    labels: Mapping[str, str]
    than: str
    metric: str
    num_runs: int
    size: str
    than_size: str
    best_by_mean: Mapping[str, str]
    printed_size: str
    printed_t: str
    printed_p: str
    student: Difference | None
    welch: Difference | None
    reason: str
    tied: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BuiltTable:
    """Rows in the order of the grid, one metric after the other, and all that must stand with them.

    Args:
        name: of the table; the stem of its files.
        title: one line.
        source: where it stands: the paper and its table; empty if nowhere.
        baseline: the ``conv`` that ``against_baseline`` refers to; empty if there is none.
        rows: one per cell and metric.
        claims: the paper's, in its order.
        comparisons: the paper's, in its order.
        remarks: what the columns mean and how the verdicts come about.
        assumptions: where the paper is silent, what was decided.
    """

    name: str
    title: str
    source: str
    baseline: str
    rows: tuple[Row, ...]
    claims: tuple[JudgedClaim, ...]
    remarks: tuple[str, ...]
    assumptions: tuple[str, ...]
    comparisons: tuple[Comparison, ...] = ()

    @property
    def footnotes(self) -> dict[str, str]:
        """Note -> its mark (a, b, ..., z, aa, ...), in the order in which the rows need them."""
        notes = dict.fromkeys(note for row in self.rows for note in row.notes)
        return {note: _letters(index) for index, note in enumerate(notes)}


def _letters(index: int) -> str:
    head, last = divmod(index, 26)
    return (_letters(head - 1) if head else "") + chr(ord("a") + last)
