"""Findings as lines: one each, grouped by table, with counts and what the checks can find at the end."""

from collections import Counter
from collections.abc import Iterator, Sequence

from convrepro.audits.finding import CHECKS, WORDS, Finding, Word


def lines(findings: Sequence[Finding], unchecked: Sequence[str] = ()) -> Iterator[str]:
    """The report.

    Args:
        findings: of all subjects.
        unchecked: a line for each table without a finding.
    """
    table = ""
    for finding in findings:
        if finding.table != table:
            table = finding.table
            yield from ("", table)
        yield f"  {finding.word:<12}  {finding.check:<10}  {finding.cell}: {finding.arithmetic}"
    if unchecked:
        yield from ("", "Not checked")
        yield from (f"  {line}" for line in unchecked)
    if findings:
        yield from ("", "Checks: how often they call numbers of real runs inconsistent, and what they find")
    for name in CHECKS:
        counts = Counter(finding.word for finding in findings if finding.check == name)
        if counts:
            check = CHECKS[name]
            yield f"  {name}: {check.question} {_counted(counts)}."
            yield f"    false alarms: {check.false_alarms}."
            yield f"    power: {check.power}."
    yield ""
    yield f"{len(findings)} findings: {_counted(Counter(finding.word for finding in findings))}"


def _counted(counts: Counter[Word]) -> str:
    return ", ".join(f"{counts[word]} {word}" for word in WORDS)


def any_inconsistent(findings: Sequence[Finding]) -> bool:
    return any(finding.word == "inconsistent" for finding in findings)
