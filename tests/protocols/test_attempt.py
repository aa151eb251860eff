"""Whatever becomes of seeds is an outcome."""

import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.protocols.test_run import TINY

from convrepro import interruption
from convrepro.durable import DiskFull
from convrepro.protocols import attempt as module
from convrepro.protocols.attempt import Outcome, attempt
from convrepro.protocols.composer import compose
from convrepro.protocols.schema import Config
from convrepro.records.attempts import Lost


@pytest.fixture
def configs() -> list[Config]:
    return [compose([*TINY, f"seed={seed}"]) for seed in (0, 1, 2)]


Install = Callable[[Callable[..., dict[int, Any]]], list[list[int]]]


@pytest.fixture
def in_place_of_run_seeds(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a function there; returns the seeds of each of its calls."""

    def install(do: Callable[..., dict[int, Any]]) -> list[list[int]]:
        calls: list[list[int]] = []

        def run_seeds(configs: Sequence[Config], **keywords: Any) -> dict[int, Any]:
            calls.append([config.seed for config in configs])
            return do(configs, **keywords)

        monkeypatch.setattr(module, "run_seeds", run_seeds)
        return calls

    return install


def _raising(error: BaseException) -> Callable[..., dict[int, Any]]:
    def do(configs: Sequence[Config], **_: Any) -> dict[int, Any]:
        raise error

    return do


def _kinds(outcomes: Sequence[Outcome]) -> list[tuple[bool, str, bool, bool, bool]]:
    return [
        (out.record is not None, out.failure, out.is_elsewhere, out.is_interrupted, out.is_disk_full)
        for out in outcomes
    ]


def test_a_seed_without_a_record_is_elsewhere(configs: list[Config], in_place_of_run_seeds: Install) -> None:
    in_place_of_run_seeds(lambda configs, **_: {0: "a record", 2: "another"})
    outcomes = attempt(configs, lambda *_: None)
    assert [outcome.config for outcome in outcomes] == configs
    assert _kinds(outcomes) == [
        (True, "", False, False, False), (False, "", True, False, False), (True, "", False, False, False)
    ]  # fmt: skip


def test_one_that_was_taken_over_is_elsewhere(configs: list[Config], in_place_of_run_seeds: Install) -> None:
    in_place_of_run_seeds(_raising(Lost("by another")))
    assert _kinds(attempt(configs[:1], lambda *_: None)) == [(False, "", True, False, False)]


def test_after_a_failure_each_seed_is_tried_alone(configs: list[Config], in_place_of_run_seeds: Install) -> None:
    def do(configs: Sequence[Config], **_: Any) -> dict[int, Any]:
        if 1 in [config.seed for config in configs]:
            raise RuntimeError("seed 1\nfails")
        return {config.seed: "a record" for config in configs}

    calls = in_place_of_run_seeds(do)
    outcomes = attempt(configs, lambda *_: None)
    assert calls == [[0, 1, 2], [0], [1], [2]]
    assert [outcome.failure for outcome in outcomes] == ["", "RuntimeError: seed 1 fails", ""]
    assert [outcome.record is not None for outcome in outcomes] == [True, False, True]


def test_on_a_full_disk_none_is_tried_again(configs: list[Config], in_place_of_run_seeds: Install) -> None:
    calls = in_place_of_run_seeds(_raising(DiskFull("no space left for a.json")))
    assert _kinds(attempt(configs, lambda *_: None)) == [(False, "no space left for a.json", False, False, True)] * 3
    assert calls == [[0, 1, 2]]


@pytest.mark.parametrize("error", [RuntimeError("in the middle of something"), None])
def test_what_goes_wrong_while_it_is_stopped_is_no_failure(
    configs: list[Config], in_place_of_run_seeds: Install, error: RuntimeError | None
) -> None:
    def do(configs: Sequence[Config], **_: Any) -> dict[int, Any]:
        with interruption.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            if error is not None:
                raise error
        return {}

    calls = in_place_of_run_seeds(do)
    with interruption.heeded():
        for _ in range(2):  # the second time it was asked before
            assert _kinds(attempt(configs[:1], lambda *_: None)) == [(False, "", False, True, False)]
    assert calls == [[0]]


def test_progress_is_told_of_each_seed_but_seldom(
    configs: list[Config], in_place_of_run_seeds: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, told = 0.0, []
    monkeypatch.setattr("time.monotonic", lambda: now)

    def do(configs: Sequence[Config], *, report: Callable[[int, float], None], **_: Any) -> dict[int, Any]:
        nonlocal now
        for step in range(1, 9):
            now += 0.2
            for config in configs[:2]:
                report(config.seed, step / 8)
        return {}

    in_place_of_run_seeds(do)
    attempt(configs, lambda config, fraction: told.append((config.seed, fraction)))
    assert told == [(seed, step / 8) for step in (1, 4, 7) for seed in (0, 1)]
