"""Groups of runs one after the other, in this process."""

import gc
from collections.abc import Iterator, Sequence

from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.launchers import Work
from convrepro.protocols.schema import Config


def run(groups: Sequence[Sequence[Config]], work: Work, *, report: Report) -> Iterator[Outcome]:
    """Outcomes of all groups, in their order; see ``convrepro.protocols.launchers``."""
    gc.freeze()  # what is there stays, and takes no time below
    try:
        for group in groups:
            yield from work(group, report)
            gc.collect()  # networks and open files of a run are in cycles, which Python would keep for some runs more
    finally:
        gc.unfreeze()
