"""An attempt at the seeds of a cell, whatever becomes of it: what launchers hand to processes."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from convrepro import interruption
from convrepro.durable import DiskFull
from convrepro.interruption import Interrupted
from convrepro.protocols.claimed import reason_of
from convrepro.protocols.run import run_seeds
from convrepro.protocols.schema import Config
from convrepro.records import Record
from convrepro.records.attempts import Lost, Sign

_SECONDS_BETWEEN_REPORTS = 0.5

Report = Callable[[Config, float], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    Args:
        config: of the run.
        record: of it, if it has one.
        failure: why it failed; empty if it did not.
        is_elsewhere: whether another process works on it.
        is_interrupted: whether it was asked to stop, or never begun as the others were.
        is_disk_full: whether it failed as nothing more can be written, which no other run can either.
    """

    config: Config
    record: Record | None = None
    failure: str = ""
    is_elsewhere: bool = False
    is_interrupted: bool = False
    is_disk_full: bool = False


def attempt(configs: Sequence[Config], tell: Report, *, silent: Mapping[str, Sign] | None = None) -> list[Outcome]:
    """Runs seeds of one cell in the process that calls; whatever happens to them is their outcome.

    Args:
        configs: of one cell, each with its seed.
        tell: called with a run and its finished fraction, now and then.
        silent: as in ``run_seeds``.
    """
    tellers = {config.seed: _Seldom(partial(tell, config)) for config in configs}
    try:
        interruption.check()
        records = run_seeds(configs, report=lambda seed, fraction: tellers[seed](fraction), silent=silent)
    except Interrupted:
        return [Outcome(config=config, is_interrupted=True) for config in configs]
    except Lost:
        return [Outcome(config=config, is_elsewhere=True) for config in configs]
    except Exception as error:  # whatever it is, the other runs go on and the summary lists it
        if interruption.requested():
            return [Outcome(config=config, is_interrupted=True) for config in configs]
        failure, is_full = reason_of(error), isinstance(error, DiskFull)
        if len(configs) > 1 and not is_full:  # one seed may be to blame: the others go on alone
            return [outcome for config in configs for outcome in attempt([config], tell, silent=silent)]
        return [Outcome(config=config, failure=failure, is_disk_full=is_full) for config in configs]
    return [
        Outcome(config=config, record=records.get(config.seed), is_elsewhere=config.seed not in records)
        for config in configs
    ]


class _Seldom:
    """Passes on how much of a run is done, but not at every step: telling takes time."""

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell, self._last = tell, -math.inf

    def __call__(self, fraction: float) -> None:
        if (now := time.monotonic()) - self._last >= _SECONDS_BETWEEN_REPORTS:
            self._tell(fraction)
            self._last = now
