"""A paper's claims, tested on the rows of a built table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from convrepro.papers import Claim
from convrepro.statistics import Finding, alike, between, has_no_effect, has_ratio, higher, lower, paired, rises
from convrepro.tables.judging import as_printed
from convrepro.tables.row import JudgedClaim, Row


def judge_claims(claims: Iterable[Claim], rows: Sequence[Row], replaced: Mapping[str, str]) -> tuple[JudgedClaim, ...]:
    """What our runs say of the claims that speak of a cell of the table.

    A claim is decided once all seeds that were asked for are there: a look in between would be a second test.
    Scaled runs and other data may support a claim; the reason says so.

    Args:
        claims: of the table.
        rows: of the table.
        replaced: our data set -> the one it stands in for.
    """
    found = (_judge(claim, [row for row in rows if row.metric == _metric(claim, rows)], replaced) for claim in claims)
    return tuple(judged for judged in found if judged)


def _metric(claim: Claim, rows: Sequence[Row]) -> str:
    """What a claim is about: the first metric of the table if it does not say."""
    return claim.metric or (rows[0].metric if rows else "")


def _judge(claim: Claim, rows: Sequence[Row], replaced: Mapping[str, str]) -> JudgedClaim | None:
    ours = _cells(claim.conv, claim.where, rows, replaced)
    other = _cells(claim.than, {**claim.where, **claim.than_where}, rows, replaced) if claim.than else []
    involved = ours + other
    if not involved:
        return None
    finding = _qualified(_found(claim, ours, other), involved, replaced)
    return JudgedClaim(text=_text(claim, involved[0].metric), source=claim.source, finding=finding)


def _found(claim: Claim, ours: Sequence[Row], other: Sequence[Row]) -> Finding:
    if claim.kind in ("rises", "no_effect"):
        series = _series(ours, claim.axis)
        return rises(series) if claim.kind == "rises" else has_no_effect(series, margin=ours[0].margin)
    if not len(ours) == len(other) == 1:
        first, second = _side(claim.conv, claim.where, claim), _side(claim.than, claim.than_where, claim)
        return Finding(word="undecided", reason=f"the grid needs one cell of {first} and one of {second}")
    if claim.kind == "ratio":
        low, high = claim.ratio
        return has_ratio(ours[0].ours, other[0].ours, low=low, high=high)
    found = paired(ours[0].values, other[0].values) if claim.paired else between(ours[0].ours, other[0].ours)
    match claim.kind:
        case "lower":
            return lower(found)
        case "higher":
            return higher(found)
        case _:
            return alike(found, margin=ours[0].margin)


def _cells(conv: str, where: Mapping[str, str], rows: Sequence[Row], replaced: Mapping[str, str]) -> list[Row]:
    """The rows with these labels; an empty value stands for rows without that label."""
    wanted = {**where, "conv": conv}
    return [
        row
        for row in rows
        if all(as_printed(row.labels, replaced).get(label, "") == value for label, value in wanted.items())
    ]


def _series(rows: Sequence[Row], axis: str) -> list[list[tuple[float, float]]]:
    groups: dict[object, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        others = tuple(sorted((label, value) for label, value in row.labels.items() if label != axis))
        groups[others] += [(float(row.labels[axis]), value) for value in row.values.values()]
    return list(groups.values())


def _qualified(finding: Finding, rows: Sequence[Row], replaced: Mapping[str, str]) -> Finding:
    if finding.difference is None:
        return finding
    if missing := sum(not row.is_complete for row in rows):
        reason = f"{missing} of {len(rows)} cells incomplete; {finding.reason}"
        return replace(finding, word="undecided", reason=reason)
    remarks = []
    if any(row.scaled for row in rows):
        remarks.append("scaled runs")
    datasets = {row.labels["dataset"] for row in rows}
    for ours, theirs in replaced.items():
        if ours != theirs and ours in datasets:
            remarks.append(f"on {ours} in place of {theirs}")
    return replace(finding, reason="; ".join([finding.reason, *remarks]))


def _text(claim: Claim, metric: str) -> str:
    where = ", ".join(
        _shown(label, value) for label, value in claim.where.items() if value and label not in claim.than_where
    )
    first, second = _side(claim.conv, claim.where, claim), _side(claim.than, claim.than_where, claim)
    match claim.kind:
        case "lower":
            return f"{where}: {metric} of {first} is below that of {second}"
        case "higher":
            return f"{where}: {metric} of {first} is above that of {second}"
        case "alike":
            return f"{where}: {metric} of {first} is that of {second}"
        case "ratio":
            low, high = claim.ratio
            return f"{where}: {metric} of {first} is {low:g} to {high:g} times that of {second}"
        case "rises":
            return f"{where}: {metric} of {claim.conv} falls when {claim.axis} falls"
        case "no_effect":
            return f"{where}: {claim.axis} has no effect on the {metric} of {claim.conv}"


def _side(conv: str, where: Mapping[str, str], claim: Claim) -> str:
    """An operator and what sets its cell apart from the other of the claim."""
    own = [_shown(label, where[label]) for label in claim.than_where if where.get(label)]
    return f"{conv} ({', '.join(own)})" if own else conv


def _shown(label: str, value: str) -> str:
    return value if label in ("dataset", "model") else f"{label} {value}"
