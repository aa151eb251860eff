"""Runs that this process holds, from their claim to their record."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from convrepro import interruption
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.schema import Config
from convrepro.records import Record, attempts, store, workspace
from convrepro.records.attempts import Claim, Claimed, Lost, Sign


@contextmanager
def claimed(
    configs: Sequence[Config], records: Mapping[int, Record], silent: Mapping[str, Sign]
) -> Iterator[dict[int, Claim]]:
    """Holds the runs that nobody else does, by seed; lets go of each with what became of it.

    Args:
        configs: of the runs.
        records: by seed, of those that are finished, as they are when it ends.
        silent: as in ``run_seeds``.
    """
    claims: dict[int, Claim] = {}
    how: tuple[Any, ...] = ("interrupted", "another seed of its group was taken over")
    try:
        with interruption.deferred():  # a claim that is made is also known to be
            for config in configs:
                with suppress(Claimed):
                    claims[config.seed] = attempts.claim(
                        folder_of(config),
                        config=what_is_computed(config),
                        lease_seconds=config.machine.lease_seconds,
                        silent=silent.get(folder_of(config).name),
                    )
        yield claims
        how = (None,)
    except Lost:
        raise
    except Exception as error:
        # What goes wrong while a process is stopped is no failure of the run.
        how = ("interrupted" if interruption.requested() else "failed", reason_of(error))
        raise
    except BaseException as error:
        how = ("interrupted", reason_of(error))
        raise
    finally:
        for seed, claim in claims.items():
            claim.end(*(how if seed not in records else (None,)))
    for config in configs:
        if config.seed in records:
            workspace.tidy(Path(config.machine.results_dir), records[config.seed])


def reason_of(error: BaseException) -> str:
    """Why an attempt ended, in one line; of what was not written for people also what it is."""
    said, name = " ".join(str(error).split()), type(error).__name__
    if isinstance(error, Exception) and not isinstance(error, (ValueError, OSError)):
        return f"{name}: {said}"
    return said or name


def commit(results_dir: Path, record: Record, claim: Claim) -> Record:
    """Writes a record, unless the run was taken over; of two that come to this at once, the first one stays.

    Returns:
        The record that lies on the disk.
    """
    claim.check()
    try:
        store.write(workspace.records_dir(results_dir), record)
    except FileExistsError:
        there = store.read(workspace.records_dir(results_dir), record.run_id, record.seed)
        assert there is not None
        return there
    return record


def records_of(configs: Sequence[Config]) -> dict[int, Record]:
    """The records that there are of seeds of one cell, by seed.

    Raises:
        ValueError: if one of them cannot be read.
    """
    found = {
        config.seed: store.read(workspace.records_dir(Path(config.machine.results_dir)), run_id(config), config.seed)
        for config in configs
    }
    return {seed: record for seed, record in found.items() if record is not None}


def folder_of(config: Config) -> Path:
    return workspace.run_dir(Path(config.machine.results_dir), run_id(config), config.seed)
