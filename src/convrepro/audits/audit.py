"""All checks of printed numbers that concern one cell or two of one table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from convrepro.audits import facts
from convrepro.audits.attainability import attainable_share, grim
from convrepro.audits.best import best_against_mean
from convrepro.audits.copies import copies, repeated_cells
from convrepro.audits.differences import LEVEL, Called, Side, side, significance
from convrepro.audits.finding import Finding, Judgement
from convrepro.audits.recomputation import factors, factors_elsewhere, macs, sizes, sizes_elsewhere
from convrepro.audits.rounding import decimals
from convrepro.audits.statements import accuracy_losses, sentences
from convrepro.audits.student import Sample, sample
from convrepro.audits.subject import Subject, describe, in_order
from convrepro.audits.t_tests import PrintedTest, common_reading, p_from_means, p_from_t, t_from_means
from convrepro.papers import PrintedNumber

CellKey = frozenset[tuple[str, str]]


def audit(subject: Subject) -> list[Finding]:
    """Findings of every check, by table, those of a table in the order of the checks."""
    if subject.paper and subject.whole:
        subject = subject.without(facts.load()["gathered_tables"])
    found = [
        *differences(subject),
        *tests_without_cells(subject),
        *attainability(subject),
        *bests(subject),
        *sizes(subject),
        *sizes_elsewhere(subject),
        *factors(subject),
        *factors_elsewhere(subject),
        *macs(subject),
        *copies(subject),
        *repeated_cells(subject),
        *accuracy_losses(subject),
        *sentences(subject),
    ]
    order = in_order({finding.table for finding in found}, subject)
    return sorted(found, key=lambda finding: order.index(finding.table))


@dataclass(kw_only=True)
class _Pair:
    """Two cells that the paper compares, and what it says of them."""

    first: PrintedNumber
    second: PrintedNumber
    claimed: Side = ""
    t: str = ""
    p: str = ""


def differences(subject: Subject) -> Iterator[Finding]:
    """Significance of each claimed or tested difference, and of each operator against the ordinary convolution.

    t and p are judged too where they are printed.
    """
    tests: dict[str, list[PrintedTest]] = {}
    for pair in _pairs(subject).values():
        cell = f"{describe(pair.first.labels)} - {_than(pair)}"
        one, other = _sample(pair.first), _sample(pair.second)
        if one is None or other is None:
            if pair.claimed or pair.p:
                yield _finding(
                    pair.first, "difference", side(pair.first.printed, pair.second.printed, pair.claimed), cell
                )
            continue
        called: Called = ""
        if pair.p:
            called = "significant" if float(pair.p) < LEVEL else "not significant"
        yield _finding(pair.first, "difference", significance(one, other, claimed=pair.claimed, called=called), cell)
        if pair.t:
            yield _finding(pair.first, "t", t_from_means(one, other, pair.t), cell)
        if pair.p:
            yield _finding(pair.first, "p", p_from_means(one, other, pair.p), cell)
        if pair.t and pair.p:
            yield _finding(pair.first, "p from t", p_from_t(one, other, pair.t, pair.p), cell)
        if pair.t or pair.p:
            test = PrintedTest(first=one, second=other, t=pair.t, p=pair.p)
            tests.setdefault(pair.first.table, []).append(test)
    for table, found in tests.items():
        if len(found) > 1:
            judgement = common_reading(found)
            yield Finding(
                table=table, check="t", cell="all tests", word=judgement.word, arithmetic=judgement.arithmetic
            )


def unchecked(subject: Subject, findings: Iterable[Finding]) -> Iterator[str]:
    """A line for each table that no finding concerns: what it prints, and why nothing checks it."""
    left_out = facts.load()["gathered_tables"] if subject.paper and subject.whole else []
    checked = {finding.table for finding in findings}
    for table in subject.tables:
        if table in checked or table in left_out:
            continue
        metrics = Counter[str](number.metric for number in subject.numbers if number.table == table)
        metrics.update(comparison.metric for comparison in subject.comparisons if comparison.table == table)
        if not metrics:
            yield f"{table}: no numbers are printed"
            continue
        values = ", ".join(f"{count} of {metric}" for metric, count in metrics.items())
        yield (
            f"{table}: no check applies to its values ({values}): differences need a spread and a number of runs of "
            "both cells, shares of images an accuracy or error in %, sizes a described network"
        )


def tests_without_cells(subject: Subject) -> Iterator[Finding]:
    """Printed t and p of cells whose means are not printed."""
    for comparison in subject.comparisons:
        metrics = subject.tables[comparison.table].metrics[:1]
        both = (comparison.labels, comparison.than)
        is_there = metrics and all(subject.number(comparison.table, labels, metrics[0]) for labels in both)
        if comparison.metric != "best_kernel_size" and not is_there:
            yield Finding(
                table=comparison.table,
                check="t" if comparison.metric == "t_statistic" else "p",
                cell=f"{describe(comparison.labels)} - {describe(comparison.than)}",
                word="cannot tell",
                arithmetic=f"printed {comparison.printed}, without the means that it is of",
            )


def attainability(subject: Subject) -> Iterator[Finding]:
    """One finding per value that the number of images could contradict, and one per group of values that it cannot."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for number in subject.numbers:
        if not number.metric.endswith(("accuracy", "error")):
            continue
        dataset = number.labels["dataset"]
        num_images = facts.num_test_images(dataset)
        if number.metric not in facts.load()["shares_of_images"]:
            reason = f"{number.metric} is no share of images"
        elif number.unit != "%":
            reason = f"{number.metric} without the unit %"
        elif num_images is None:
            reason = f"the number of test images of {dataset} is not known"
        else:
            reason = f"{num_images:,} images: every printable value is attainable"
            for what, printed, num_runs in _shares(number, subject):
                if _is_telling(printed, num_images, num_runs):
                    judgement = grim(printed, num_images=num_images, num_runs=num_runs)
                    yield _finding(number, "attainable", judgement, f"{describe(number.labels)} {what}")
                else:
                    groups.setdefault((number.table, dataset, reason), []).append(printed)
            continue
        groups.setdefault((number.table, dataset, reason), []).append(number.printed)
    for (table, dataset, reason), printed_values in groups.items():
        yield Finding(
            table=table,
            check="attainable",
            cell=f"{dataset}, {len(printed_values)} value{'s' if len(printed_values) > 1 else ''}",
            word="cannot tell",
            arithmetic=reason,
        )


def bests(subject: Subject) -> Iterator[Finding]:
    """Each best run against its mean and std."""
    for number in subject.numbers:
        if number.printed_best:
            judgement = best_against_mean(
                number.printed_best,
                number.printed,
                number.printed_spread,
                num_runs=number.num_runs or 1,
                larger_is_better="accuracy" in number.metric,
            )
            yield _finding(number, "best", judgement, describe(number.labels))


def _pairs(subject: Subject) -> dict[tuple[str, str, CellKey, CellKey], _Pair]:
    """What the paper compares: its t-tests, its claims, and beside them each operator with the ordinary convolution."""
    pairs: dict[tuple[str, str, CellKey, CellKey], _Pair] = {}

    def pair(table: str, metric: str, labels: Mapping[str, str], than: Mapping[str, str]) -> _Pair | None:
        key = (table, metric, _key(labels), _key(than))
        first, second = subject.number(table, labels, metric), subject.number(table, than, metric)
        if key not in pairs and first is not None and second is not None:
            pairs[key] = _Pair(first=first, second=second)
        return pairs.get(key)

    for comparison in subject.comparisons:
        for metric in subject.tables[comparison.table].metrics[:1]:
            if found := pair(comparison.table, metric, comparison.labels, comparison.than):
                if comparison.metric == "t_statistic":
                    found.t = comparison.printed
                elif comparison.metric == "p_value":
                    found.p = comparison.printed
    for claim in subject.claims:
        if claim.kind in ("lower", "higher") and claim.table in subject.tables:
            metric = claim.metric or subject.tables[claim.table].metrics[0]
            labels = _without_empty({**claim.where, "conv": claim.conv})
            than = _without_empty({**claim.where, **claim.than_where, "conv": claim.than})
            if found := pair(claim.table, metric, labels, than):
                found.claimed = _side(claim.kind)
    for number in subject.numbers:
        if number.printed_spread and number.labels["conv"] != "standard":
            pair(number.table, number.metric, number.labels, {**number.labels, "conv": "standard"})
    return pairs


def _side(kind: str) -> Side:
    return "lower" if kind == "lower" else "higher"


def _than(pair: _Pair) -> str:
    """The second cell by what differs in it."""
    first, second = pair.first.labels, pair.second.labels
    return describe({label: value for label, value in second.items() if first.get(label) != value})


def _sample(number: PrintedNumber) -> Sample | None:
    if not number.printed_spread or number.num_runs is None or number.num_runs < 2:
        return None
    return sample(number.printed, number.printed_spread, number.num_runs)


def _shares(number: PrintedNumber, subject: Subject) -> Iterator[tuple[str, str, int | None]]:
    """A cell's shares of images: what they are, as printed, and of how many runs."""
    is_one_run = subject.tables[number.table].selection in facts.load()["selections_of_one_run"]
    num_runs = number.num_runs or (1 if is_one_run and not number.printed_spread else None)
    yield "mean" if num_runs != 1 and number.num_runs else "value", number.printed, num_runs
    if number.printed_best:
        yield "best", number.printed_best, 1


def _is_telling(printed: str, num_images: int, num_runs: int | None) -> bool:
    return attainable_share(decimals(printed), num_images=num_images, num_runs=num_runs or 1) < 1.0


def _finding(number: PrintedNumber, check: str, judgement: Judgement, cell: str) -> Finding:
    return Finding(table=number.table, check=check, cell=cell, word=judgement.word, arithmetic=judgement.arithmetic)


def _key(labels: Mapping[str, str]) -> CellKey:
    return frozenset(labels.items())


def _without_empty(labels: Mapping[str, str]) -> dict[str, str]:
    return {label: value for label, value in labels.items() if value}
