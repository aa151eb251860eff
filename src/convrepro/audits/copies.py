"""Values that stand twice: of two data sets, where they should differ, and of one cell, where they should not."""

import itertools
import math
from collections.abc import Iterator, Mapping

from convrepro.audits import facts
from convrepro.audits.finding import Finding
from convrepro.audits.repeats import Pair, copied, copied_sizes
from convrepro.audits.rounding import rounded_size, unit
from convrepro.audits.subject import Subject
from convrepro.papers import PrintedNumber
from convrepro.papers.paper import UNITS

FEWEST_CELLS = 3  # of two data sets, to be compared at all

Cells = dict[frozenset[tuple[str, str]], PrintedNumber]


def copies(subject: Subject) -> Iterator[Finding]:
    """Each two data sets that have the same networks and metric, in one table or in two."""
    groups: dict[tuple[str, str, str], Cells] = {}
    for number in subject.numbers:
        rest = frozenset((label, value) for label, value in number.labels.items() if label != "dataset")
        groups.setdefault((number.metric, number.table, number.labels["dataset"]), {})[rest] = number
    for (one, first), (other, second) in itertools.combinations(groups.items(), 2):
        (metric, table, dataset), (other_metric, other_table, other_dataset) = one, other
        shared = [rest for rest in first if rest in second]
        if metric != other_metric or dataset == other_dataset or len(shared) < FEWEST_CELLS:
            continue
        pairs = [_pair(first[rest], second[rest]) for rest in shared]
        true_sizes = [(_size(first[rest]), _size(second[rest])) for rest in shared]
        known = [(a, b) for a, b in true_sizes if a is not None and b is not None]
        is_counted = metric == "num_parameters" and len(known) == len(pairs)
        judgement = copied_sizes(pairs, known) if is_counted else copied(pairs)
        yield Finding(
            table=other_table,
            check="repeated",
            cell=f"{metric} of {other_dataset} and of {dataset}" + (f" in {table}" if table != other_table else ""),
            word=judgement.word,
            arithmetic=judgement.arithmetic,
        )


def repeated_cells(subject: Subject) -> Iterator[Finding]:
    """Cells that stand in two tables: there they should be alike, if they are of the same runs."""
    seen: dict[tuple[str, frozenset[tuple[str, str]]], PrintedNumber] = {}
    alike: dict[tuple[str, str], list[str]] = {}
    for number in subject.numbers:
        key = (number.metric, frozenset(number.labels.items()))
        earlier = seen.setdefault(key, number)
        if earlier.table == number.table:
            continue
        if earlier.printed == number.printed:
            alike.setdefault((earlier.table, number.table), []).append(number.printed)
        else:
            yield Finding(
                table=number.table,
                check="arithmetic",
                cell=f"{number.metric}, a cell of {earlier.table} too",
                word="cannot tell",
                arithmetic=f"{number.printed} here and {earlier.printed} there: other runs, or a slip",
            )
    for (first, second), values in alike.items():
        yield Finding(
            table=second,
            check="arithmetic",
            cell=f"cells of {first} too",
            word="consistent",
            arithmetic=f"{', '.join(values)} in both",
        )


def noise(number: PrintedNumber) -> float:
    """Std of a printed value about its expectation: that of the mean of its runs, or of a share of the test images.

    0 if the value has none or it is not known. Of the stds that round to the printed one the smallest is taken.
    """
    if number.printed_spread and number.num_runs:
        return rounded_size(number.printed_spread).low / math.sqrt(number.num_runs)
    num_images = facts.num_test_images(number.labels["dataset"])
    if number.metric not in facts.load()["shares_of_images"] or num_images is None or not 0.0 < number.value < 100.0:
        return 0.0
    return math.sqrt(number.value * (100.0 - number.value) / num_images)


def _pair(first: PrintedNumber, second: PrintedNumber) -> Pair:
    return Pair(
        first=f"{first.printed}{first.unit}",
        second=f"{second.printed}{second.unit}",
        noise=math.sqrt((noise(first) ** 2 + noise(second) ** 2) / 2.0),
        unit=float(max(unit(first.printed), unit(second.printed)) * UNITS[first.unit]),
    )


def _size(number: PrintedNumber) -> int | None:
    labels: Mapping[str, str] = number.labels
    side = labels.get("model.kernel_size", "")
    kernel_size = int(side) if side.isdecimal() else None
    return facts.network_size(labels["model"], labels["dataset"], labels["conv"], kernel_size=kernel_size)
