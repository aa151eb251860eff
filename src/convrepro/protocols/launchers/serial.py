"""Groups of runs one after the other, in this process."""

from collections.abc import Iterator, Sequence

from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.launchers import Work
from convrepro.protocols.schema import Config


def run(groups: Sequence[Sequence[Config]], work: Work, *, report: Report) -> Iterator[Outcome]:
    """Outcomes of all groups, in their order; see ``convrepro.protocols.launchers``."""
    for group in groups:
        yield from work(group, report)
