"""The sentences below a table: what its columns mean and how its verdicts come about."""

from collections.abc import Sequence

from convrepro.papers import SPREADS, Paper
from convrepro.tables.row import COUNTS, UNTRAINED, Row


def remarks(rows: Sequence[Row], paper: Paper | None) -> tuple[str, ...]:
    """What must be known to read these rows."""
    means = [row for row in rows if not row.is_exact]
    return tuple(
        sentence
        for sentence in (
            *_ours(rows, means),
            *_printed(rows),
            *_differences(means),
            *_words(rows, means),
            *_notes(rows, paper),
        )
        if sentence
    )


def _ours(rows: Sequence[Row], means: Sequence[Row]) -> list[str]:
    if not means:
        return []
    if all(row.metric in UNTRAINED for row in means):
        return ["Ours: mean and sample standard deviation over n untrained networks."]
    rules = sorted({row.selection for row in rows if row.selection})
    chosen = f"; epoch chosen by {', '.join(rules)}" if rules else "; how the epoch was chosen is not known"
    return [f"Ours: mean and sample standard deviation over n runs{chosen}."]


def _printed(rows: Sequence[Row]) -> list[str]:
    kinds = sorted({row.printed.spread_kind for row in rows if row.printed and row.printed.spread_kind})
    runs = sorted({row.printed.num_runs for row in rows if row.printed and row.printed.num_runs})
    over = f" over {' or '.join(map(str, runs))} runs" if runs else ""
    return [f"Paper: mean and {SPREADS[kind]}{over}." for kind in kinds]


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


def _words(rows: Sequence[Row], means: Sequence[Row]) -> list[str]:
    if not any(row.printed for row in rows):
        return []
    if not means:
        kind = "count" if all(row.metric in COUNTS for row in rows) else "value"
        return [f"reproduced: the {kind} rounds to the printed one."]
    margins = " or ".join(f"{margin:g}" for margin in sorted({row.margin for row in means}))
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
