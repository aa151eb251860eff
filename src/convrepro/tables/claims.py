"""A paper's claims, tested on the rows of a built table."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from convrepro.papers import Claim
from convrepro.statistics import Finding, has_no_effect, lower, rises
from convrepro.tables.judging import as_printed
from convrepro.tables.row import JudgedClaim, Row


def judge_claim(claim: Claim, rows: Sequence[Row], replaced: Mapping[str, str]) -> JudgedClaim:
    """What our runs say of a claim.

    A claim is decided once all seeds that were asked for are there: a look in between would be a second test.
    Scaled runs and other data may support a claim; the reason says so.

    Args:
        claim: of the paper.
        rows: of the claim's table.
        replaced: our data set -> the one it stands in for.
    """
    ours = _cells(claim, claim.conv, rows, replaced)
    if claim.kind == "lower":
        involved = ours + _cells(claim, claim.than, rows, replaced)
        finding = lower(*(row.ours for row in involved)) if len(involved) == 2 else _not_in_grid(claim)
    else:
        involved = ours
        series = _series(ours, claim.axis)
        margin = max((row.margin for row in ours), default=0.0)
        finding = rises(series) if claim.kind == "rises" else has_no_effect(series, margin=margin)
    return JudgedClaim(text=_text(claim, rows), source=claim.source, finding=_qualified(finding, involved, replaced))


def _cells(claim: Claim, conv: str, rows: Sequence[Row], replaced: Mapping[str, str]) -> list[Row]:
    wanted = {**claim.where, "conv": conv}.items()
    return [row for row in rows if wanted <= as_printed(row.labels, replaced).items()]


def _not_in_grid(claim: Claim) -> Finding:
    return Finding(word="undecided", reason=f"the grid needs one cell of {claim.conv} and one of {claim.than}")


def _series(rows: Sequence[Row], axis: str) -> list[list[tuple[float, float]]]:
    groups: dict[object, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        others = tuple(sorted((label, value) for label, value in row.labels.items() if label != axis))
        groups[others] += [(float(row.labels[axis]), value) for value in row.values.values()]
    return list(groups.values())


def _qualified(finding: Finding, rows: Sequence[Row], replaced: Mapping[str, str]) -> Finding:
    if missing := sum(not row.is_complete for row in rows):
        reason = f"{missing} of {len(rows)} cells incomplete; {finding.reason}"
        return replace(finding, word="undecided", reason=reason)
    remarks = []
    if any(row.scaled for row in rows):
        remarks.append("scaled runs")
    for ours, theirs in replaced.items():
        if ours != theirs:
            remarks.append(f"on {ours} in place of {theirs}")
    return replace(finding, reason="; ".join([finding.reason, *remarks]))


def _text(claim: Claim, rows: Sequence[Row]) -> str:
    where = ", ".join(claim.where.values())
    metric = rows[0].metric if rows else "metric"
    match claim.kind:
        case "lower":
            return f"{where}: {metric} of {claim.conv} is below that of {claim.than}"
        case "rises":
            return f"{where}: {metric} of {claim.conv} falls when {claim.axis} falls"
        case "no_effect":
            return f"{where}: {claim.axis} has no effect on the {metric} of {claim.conv}"
