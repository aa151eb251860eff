"""From our numbers and the paper's to a difference and a verdict."""

from collections.abc import Mapping, Sequence

from convrepro.papers import Paper, PrintedNumber
from convrepro.statistics import (
    Circumstances,
    Difference,
    Summary,
    Verdict,
    difference,
    judge_exact,
    judge_mean,
    sample_std,
)
from convrepro.tables.row import EXACT, TIMES, is_trained


def judge(
    metric: str, ours: Summary | None, printed: PrintedNumber | None, *, margin: float, given: Circumstances
) -> Verdict:
    """Verdict on one cell: exact values must agree at the printed precision, means within the margin."""
    if metric in EXACT:
        value, half_unit = (printed.value, printed.half_unit) if printed else (None, 0.0)
        return judge_exact(ours, value, half_unit=half_unit, given=given)
    rounding = printed.half_unit if printed else 0.0
    return judge_mean(ours, theirs(printed), margin=margin, rounding=rounding, given=given)


def notes(verdict: Verdict, given: Circumstances) -> tuple[str, ...]:
    """What must be read beside a row's numbers."""
    open_question = verdict.reason if verdict.word == "inconclusive" else ""
    return tuple(filter(None, [given.misprint, *given.obstacles, *given.problems, open_question]))


def theirs(printed: PrintedNumber | None) -> Summary | None:
    """A printed number as a summary; one run if their number is not printed, for the widest interval.

    A deviation with n in the denominator becomes that of the sample, which intervals are made of.
    """
    if printed is None:
        return None
    n, std = printed.num_runs or 1, printed.spread
    if n < 2 or std is None:
        return Summary(n=n, mean=printed.value)
    is_of_population = printed.spread_kind == "population_std"
    return Summary(n=n, mean=printed.value, std=sample_std(std, n) if is_of_population else std)


def subtract(metric: str, ours: Summary | None, other: Summary | None) -> Difference | None:
    """Ours minus the other's; None for exact values, without any deviation, or if a number is not finite."""
    if metric in EXACT or ours is None or other is None:
        return None
    if not (ours.is_finite and other.is_finite) or ours.std is other.std is None:
        return None
    return difference(ours, other)


def against_paper(metric: str, ours: Summary | None, printed: PrintedNumber | None) -> Difference | None:
    """Ours minus the printed; None also for times, which are those of two machines."""
    return None if metric in TIMES else subtract(metric, ours, theirs(printed))


def obstacles(
    *,
    metric: str,
    scaled: bool,
    official_data: bool,
    selection: str,
    printed: PrintedNumber | None,
    labels: Mapping[str, str],
    paper: Paper | None,
) -> tuple[str, ...]:
    """Why a cell's numbers must not be compared with the printed one.

    Args:
        metric: its name.
        scaled: fewer epochs or images than the protocol asks for.
        official_data: whether the data are the official distribution.
        selection: rule by which our epoch was chosen; empty if it is not known, which is no obstacle.
        printed: the number to compare with.
        labels: of our cell.
        paper: that prints it.
    """
    found = ["times of two machines: only their ratios can be compared"] if metric in TIMES else []
    if scaled:
        found.append("scaled: fewer epochs or images than the protocol asks for")
    if printed and printed.labels["dataset"] != labels["dataset"]:
        found.append(f"data set {labels['dataset']} in place of {printed.labels['dataset']}")
    if not official_data:
        found.append(f"{labels['dataset']} is not the official distribution")
    if printed and paper:
        rule = paper.tables[printed.table].selection
        if is_trained(metric) and rule and selection and rule != selection:
            found.append(f"our epoch is chosen by {selection}, the paper's by {rule}")
    return tuple(found)


def stand_in(datasets: Sequence[str], paper: Paper | None, table: str) -> dict[str, str]:
    """Our data set -> the printed one that it stands in for, if each is the only one of its table."""
    if paper is None:
        return {}
    printed = paper.printed_labels(table, "dataset")
    ours = list(dict.fromkeys(datasets))
    return dict(zip(ours, printed, strict=True)) if len(ours) == len(printed) == 1 else {}


def as_printed(labels: Mapping[str, str], replaced: Mapping[str, str]) -> dict[str, str]:
    """The labels under which the paper prints a cell's number."""
    return {**labels, "dataset": replaced.get(labels["dataset"], labels["dataset"])}
