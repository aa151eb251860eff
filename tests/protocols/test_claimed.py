"""Runs from their claim to their record, and what is left of each that ends otherwise."""

import dataclasses
from pathlib import Path

import pytest
from tests.protocols.test_run import TINY

from convrepro import interruption
from convrepro.interruption import Interrupted
from convrepro.protocols.claimed import claimed, commit, folder_of, reason_of, records_of
from convrepro.protocols.composer import compose
from convrepro.protocols.identity import what_is_computed
from convrepro.protocols.run import run
from convrepro.protocols.schema import Config
from convrepro.records import Record, attempts
from convrepro.records.attempts import Lost


def _config(results_dir: Path, seed: int) -> Config:
    return compose([*TINY, "protocol=count", f"seed={seed}", f"machine.results_dir='{results_dir}'"])


@pytest.fixture
def configs(tmp_path: Path) -> list[Config]:
    return [_config(tmp_path, seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Record]:
    """Of both, made elsewhere."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    return {seed: run(_config(elsewhere, seed)) for seed in (0, 1)}


def test_it_holds_what_nobody_else_does_and_says_what_it_computes(configs: list[Config]) -> None:
    theirs = attempts.claim(folder_of(configs[1]))
    with claimed(configs, {}, {}) as claims:
        assert list(claims) == [0]
        newest = attempts.latest(folder_of(configs[0]))
        assert newest is not None
        assert newest.config == what_is_computed(configs[0])
        assert newest.lease_seconds == configs[0].machine.lease_seconds
    assert attempts.latest(folder_of(configs[0])) is None
    theirs.check()
    theirs.end(None)


def test_it_takes_over_what_was_silent(configs: list[Config]) -> None:
    theirs = attempts.claim(folder_of(configs[0]))
    newest = attempts.latest(folder_of(configs[0]))
    assert newest is not None
    with claimed(configs[:1], {}, {folder_of(configs[0]).name: (newest.token, newest.beats)}) as claims:
        assert claims[0].number == 2
        with pytest.raises(Lost):
            theirs.check()
    theirs.end(None)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (RuntimeError("no\nkernel"), "failed", "RuntimeError: no kernel"),
        (OSError("no data"), "failed", "no data"),
        (Interrupted(15), "interrupted", "stopped by SIGTERM"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
        (Lost("by another"), "interrupted", "another seed of its group was taken over"),
    ],
)
def test_what_has_no_record_keeps_how_it_ended(
    configs: list[Config], records: dict[int, Record], error: BaseException, state: str, reason: str
) -> None:
    with pytest.raises(type(error)), claimed(configs, {0: records[0]}, {}):
        raise error
    assert attempts.latest(folder_of(configs[0])) is None
    newest = attempts.latest(folder_of(configs[1]))
    assert newest is not None
    assert (newest.state, newest.reason) == (state, reason)


def test_an_error_while_it_is_stopped_is_an_interruption(configs: list[Config]) -> None:
    with interruption.heeded(), pytest.raises(RuntimeError), claimed(configs, {}, {}):  # noqa: PT012
        interruption.ask()
        raise RuntimeError("a file was closed")
    newest = attempts.latest(folder_of(configs[0]))
    assert newest is not None
    assert newest.state == "interrupted"


def test_a_finished_run_is_tidied_and_no_other(configs: list[Config], records: dict[int, Record]) -> None:
    checkpoints = [folder_of(config) / "train" / "epoch1.ckpt" for config in configs]
    for path in checkpoints:
        path.parent.mkdir(parents=True)
        path.touch()
    finished: dict[int, Record] = {}
    with claimed(configs, finished, {}):
        finished[0] = records[0]
    assert [path.exists() for path in checkpoints] == [False, True]


def test_of_two_records_the_first_one_stays(configs: list[Config], records: dict[int, Record], tmp_path: Path) -> None:
    second = dataclasses.replace(records[0], measured={**records[0].measured, "wall_seconds": 12.0})
    with claimed(configs, {}, {}) as claims:
        assert commit(tmp_path, records[0], claims[0]) is records[0]
        assert commit(tmp_path, second, claims[0]) == records[0]
    assert records_of(configs) == {0: records[0]}


def test_who_has_lost_a_run_commits_nothing(configs: list[Config], records: dict[int, Record], tmp_path: Path) -> None:
    theirs = attempts.claim(folder_of(configs[0]))
    newest = attempts.latest(folder_of(configs[0]))
    assert newest is not None
    with claimed(configs[:1], {}, {folder_of(configs[0]).name: (newest.token, newest.beats)}), pytest.raises(Lost):
        commit(tmp_path, records[0], theirs)
    theirs.end(None)
    assert records_of(configs) == {}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("`a` must be\n 1"), "`a` must be 1"),
        (FileNotFoundError(2, "No such file", "a.json"), "[Errno 2] No such file: 'a.json'"),
        (ValueError(), "ValueError"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (KeyError("a"), "KeyError: 'a'"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
    ],
)
def test_reasons_are_one_line(error: BaseException, reason: str) -> None:
    assert reason_of(error) == reason
