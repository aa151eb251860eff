"""The sentences below a table: what its columns mean and how its verdicts come about."""

from collections.abc import Sequence

from convrepro.papers import SPREADS, Paper
from convrepro.tables.row import COUNTS, TIMES, UNTRAINED, Comparison, Row, is_trained


def remarks(rows: Sequence[Row], paper: Paper | None, comparisons: Sequence[Comparison] = ()) -> tuple[str, ...]:
    """What must be known to read these rows and comparisons."""
    means = [row for row in rows if not row.is_exact]
    return tuple(
        sentence
        for sentence in (
            *_ours(means),
            *_optimism(means),
            *_printed(rows),
            *_differences(means),
            *_times(means),
            *_words(rows, means),
            *_compared(comparisons),
            *_notes(rows, paper),
        )
        if sentence
    )


def _ours(means: Sequence[Row]) -> list[str]:
    if not means:
        return []
    if all(row.metric in UNTRAINED for row in means):
        return ["Ours: mean and sample standard deviation over n untrained networks."]
    trained = [row for row in means if is_trained(row.metric)]
    rules = sorted({row.selection for row in trained if row.selection})
    chosen = f"; epoch chosen by {', '.join(rules)}" if rules else "; how the epoch was chosen is not known"
    return [f"Ours: mean and sample standard deviation over n runs{chosen if trained else ''}."]


def _optimism(means: Sequence[Row]) -> list[str]:
    if not any(row.optimism for row in means):
        return []
    return [
        "optimism: by how much the best epoch on the test set flatters beside the best on validation images, of the "
        "same runs, with its 95 % interval over seeds; positive flatters."
    ]


def _printed(rows: Sequence[Row]) -> list[str]:
    kinds = sorted({row.printed.spread_kind for row in rows if row.printed and row.printed.spread_kind})
    runs = sorted({row.printed.num_runs for row in rows if row.printed and row.printed.num_runs})
    over = f" over {' or '.join(map(str, runs))} runs" if runs else ""
    sentences = [f"Paper: mean and {SPREADS[kind]}{over}." for kind in kinds]
    if "population_std" in kinds:
        sentences.append(
            "For differences the paper's deviation is multiplied by sqrt(n / (n - 1)), as that of a sample."
        )
    return sentences


def _differences(means: Sequence[Row]) -> list[str]:
    methods = {row.difference.method for row in means if row.difference}
    sentences = []
    if "welch" in methods:
        sentences.append("Difference: ours minus the paper's, with Welch's 95 % interval.")
    if "prediction" in methods:
        sentences.append(
            "Difference where one side prints no deviation: with the 95 % prediction interval of the other."
        )
    return sentences


def _times(means: Sequence[Row]) -> list[str]:
    if not any(row.ratio or row.printed_ratio for row in means if row.metric in TIMES):
        return []
    return [
        "Ratios of times: ours with the 95 % interval of the delta method; the paper's is one of two printed times."
    ]


def _compared(comparisons: Sequence[Comparison]) -> list[str]:
    if not comparisons:
        return []
    sentences = [
        "Comparisons: two-tailed t-tests of the means, the first operator minus the second. Student's takes both "
        "variances to be equal, as the paper's p-values do; Welch's does not."
    ]
    if any(comparison.printed_size for comparison in comparisons):
        sentences.append(
            "They are made at the kernel size of the best single run of either operator, as in the paper. A size that "
            "is chosen on the runs that are then compared makes |t| larger and p smaller than they should be."
        )
    if any(comparison.tied for comparison in comparisons):
        sentences.append("Where several sizes share the best run, all are named and the first is compared at.")
    return sentences


def _words(rows: Sequence[Row], means: Sequence[Row]) -> list[str]:
    if not any(row.printed for row in rows):
        return []
    exact = [row for row in rows if row.is_exact and row.printed]
    judged = [row for row in means if row.metric not in TIMES]
    return [*_rounding(exact, is_alone=not means), *_margins(judged)]


def _rounding(exact: Sequence[Row], *, is_alone: bool) -> list[str]:
    if not exact:
        return []
    kind = "count" if all(row.metric in COUNTS for row in exact) else "value"
    names = "" if is_alone else f", of {' and '.join(dict.fromkeys(row.metric for row in exact))}"
    return [f"reproduced{names}: the {kind} rounds to the printed one."]


def _margins(means: Sequence[Row]) -> list[str]:
    if not means:
        return []
    datasets: dict[float, set[str]] = {}
    for row in means:
        datasets.setdefault(row.margin, set()).add(row.labels["dataset"])
    is_per_dataset = len(datasets) > 1 and sum(map(len, datasets.values())) == len(set().union(*datasets.values()))
    margins = " or ".join(
        f"{margin:g} ({', '.join(sorted(names))})" if is_per_dataset else f"{margin:g}"
        for margin, names in sorted(datasets.items())
    )
    return [
        f"reproduced: the 90 % interval of the difference lies within the margin, {margins}. differs: the 95 % "
        "interval excludes zero, and it is not reproduced. Both hold for every mean that rounds to the "
        "printed one. Nothing is corrected for the number of cells and claims: one in twenty 95 % intervals "
        "misses a true zero."
    ]


def _notes(rows: Sequence[Row], paper: Paper | None) -> list[str]:
    if paper is None:
        return []
    return [paper.tables[name].note for name in dict.fromkeys(row.config for row in rows) if name in paper.tables]
