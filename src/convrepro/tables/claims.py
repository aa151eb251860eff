"""A paper's claims, tested on the rows of a built table."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from convrepro.papers import Claim
from convrepro.statistics import Finding, has_no_effect, lower, rises
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
    found = (_judge(claim, rows, replaced) for claim in claims)
    return tuple(judged for judged in found if judged)


def _judge(claim: Claim, rows: Sequence[Row], replaced: Mapping[str, str]) -> JudgedClaim | None:
    ours = _cells(claim, claim.conv, rows, replaced)
    involved = ours + (_cells(claim, claim.than, rows, replaced) if claim.kind == "lower" else [])
    if not involved:
        return None
    if claim.kind == "lower":
        finding = lower(*(row.ours for row in involved)) if len(involved) == 2 else _not_in_grid(claim)
    elif claim.kind == "rises":
        finding = rises(_series(ours, claim.axis))
    else:
        finding = has_no_effect(_series(ours, claim.axis), margin=ours[0].margin)
    finding = _qualified(finding, involved, replaced)
    return JudgedClaim(text=_text(claim, involved[0].metric), source=claim.source, finding=finding)


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
    if finding.difference is None:
        return finding
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


def _text(claim: Claim, metric: str) -> str:
    where = ", ".join(
        value if label in ("dataset", "model") else f"{label} {value}" for label, value in claim.where.items()
    )
    match claim.kind:
        case "lower":
            return f"{where}: {metric} of {claim.conv} is below that of {claim.than}"
        case "rises":
            return f"{where}: {metric} of {claim.conv} falls when {claim.axis} falls"
        case "no_effect":
            return f"{where}: {claim.axis} has no effect on the {metric} of {claim.conv}"
