"""What each seed of a cell left of a metric, and what became of the seeds that left nothing."""

from collections.abc import Callable, Mapping, Sequence

from convrepro.records import Record
from convrepro.statistics import Summary, summarize
from convrepro.tables.row import LOSS_OF_ACCURACY, is_trained, more_is_better

Values = dict[int, float]
Records = Mapping[int, Record]
_ACCURACY = "test_accuracy"
_LARGEST = 1e100  # squares of larger values are no numbers


def rule_of(metric: str, selection: str) -> str:
    """The rule that a metric goes by: that of the table, and ``last`` where there is no epoch to choose."""
    return selection if is_trained(metric) else "last"


def values_of(
    metric: str, selection: str, records: Records, reference: Records | None = None
) -> tuple[Values, list[str]]:
    """The values that can be reckoned with, by seed, and a sentence for each seed without one.

    Args:
        metric: its name.
        selection: the table's rule.
        records: of the cell, by seed.
        reference: of the cell that ``accuracy_loss`` is counted from; None if the table has none.
    """
    rule = rule_of(metric, selection)
    if metric != LOSS_OF_ACCURACY:
        return _collect(records, metric, lambda seed: records[seed].metric(metric, rule))
    if reference is None:
        return {}, [f"{metric} needs a reference in the table's file"]
    missing = [seed for seed in records if seed not in reference]
    values, problems = _collect(
        {seed: record for seed, record in records.items() if seed in reference},
        metric,
        lambda seed: round(reference[seed].metric(_ACCURACY, rule) - records[seed].metric(_ACCURACY, rule), 9),
    )
    return values, problems + [f"the reference has no seed {seed}" for seed in missing]


def seeds_by_content(records: Records) -> dict[str, list[int]]:
    """Checksum of the images that were read -> seeds of the cell that read them; without runs that record none."""
    seeds: dict[str, list[int]] = {}
    for seed, record in records.items():
        if sha256 := record.splits.get("content", {}).get("sha256"):
            seeds.setdefault(str(sha256), []).append(seed)
    return seeds


def content_problems(records: Records, dataset: str, num_runs: Mapping[str, int]) -> list[str]:
    """Whether a cell's runs had other images than each other, or than those of other cells on the same data set.

    Args:
        records: of the cell, by seed.
        dataset: the cell's.
        num_runs: checksum of the images -> how many runs of the table read these as this data set.
    """
    own = seeds_by_content(records)
    if not own or len(num_runs) < 2:
        return []
    found = [
        f"{sha256[:12]} in {num} run{'s' if num > 1 else ''}"
        + (f" (here seeds {', '.join(map(str, own[sha256]))})" if sha256 in own else "")
        for sha256, num in sorted(num_runs.items())
    ]
    return [f"the runs on {dataset} had different images: {'; '.join(found)}"]


def optimism(metric: str, selection: str, records: Records) -> tuple[Summary | None, Summary | None]:
    """Summaries of the metric by ``best_on_validation``, and of what choosing by the test set adds to it.

    Both None unless the rule looks at the test set and every finished run knows both rules. Positive is flattering:
    a higher accuracy, a lower error.
    """
    done = [record for record in records.values() if record.status == "done"]
    is_chosen = is_trained(metric) and metric != LOSS_OF_ACCURACY and selection == "best_on_test"
    if not done or not is_chosen or not all("best_on_validation" in record.selected for record in done):
        return None, None
    try:
        honest = [record.metric(metric, "best_on_validation") for record in done]
        chosen = [record.metric(metric, selection) for record in done]
    except ValueError:  # the cell's own values say what is missing
        return None, None
    sign = 1.0 if more_is_better(metric) else -1.0
    gains = [sign * (ours - theirs) for ours, theirs in zip(chosen, honest, strict=True)]
    return summarize(honest), summarize(gains)


def best(metric: str, values: Sequence[float]) -> float | None:
    """The best run; None if there is none."""
    return (max if more_is_better(metric) else min)(values, default=None)


def _collect(records: Records, metric: str, value_of: Callable[[int], float]) -> tuple[Values, list[str]]:
    values, problems = {}, []
    for seed, record in records.items():
        if record.status == "diverged":
            problems.append(f"seed {seed} diverged: {record.reason or 'no reason is recorded'}")
            continue
        try:
            value = value_of(seed)
        except ValueError as error:
            problems.append(str(error).removesuffix("."))
            continue
        if abs(value) <= _LARGEST:
            values[seed] = value
        else:
            problems.append(f"seed {seed}: {metric} is {value}")
    return values, problems
