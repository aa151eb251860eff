"""Ways to run groups of runs: in turn, one process per core, or as tasks and jobs of a cluster. One file each.

A launcher's ``run(groups, work, report=...)`` begins the groups in their order and yields an outcome per config;
closed before its end, it stops those that go on. Whatever launched a run, its record is the same.
"""

import importlib
import importlib.util
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from convrepro.protocols.attempt import Outcome, Report
    from convrepro.protocols.schema import Config

LAUNCHERS = ("serial", "joblib", "ray", "submitit")
_EXTRAS = ("ray", "submitit")  # packages of their own name, which are not installed unless asked for

Work = Callable[[Sequence["Config"], "Report"], list["Outcome"]]


class Run(Protocol):
    """What a launcher's file has under the name ``run``."""

    def __call__(
        self, groups: Sequence[Sequence["Config"]], work: Work, *, report: "Report"
    ) -> Generator["Outcome", None, None]: ...


def of(name: str) -> Run:
    """The launcher of that name.

    Raises:
        ValueError: if there is none, or it needs a package that is not installed.
    """
    if name not in LAUNCHERS:
        raise ValueError(f"`launcher` must be one of {', '.join(LAUNCHERS)}, got {name!r}.")
    if name in _EXTRAS and importlib.util.find_spec(name) is None:
        install = f"`pip install 'convrepro[{name}]'`"
        raise ValueError(f"`launcher` {name} needs the package {name}; install it with {install}.")
    return cast(Run, importlib.import_module(f"{__name__}.{name}").run)
