"""Groups in turn, in this process."""

import gc
from collections.abc import Sequence

import pytest
from tests.protocols.test_run import TINY

from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.composer import compose
from convrepro.protocols.launchers import serial
from convrepro.protocols.schema import Config


@pytest.fixture
def groups() -> list[list[Config]]:
    return [[compose([*TINY, f"seed={seed}"])] for seed in (2, 0, 1)]


def test_they_are_run_in_their_order_and_none_before_it_is_asked_for(groups: list[list[Config]]) -> None:
    begun, told = [], []

    def work(group: Sequence[Config], tell: Report) -> list[Outcome]:
        begun.append(group[0].seed)
        tell(group[0], 0.5)
        return [Outcome(config=config) for config in group]

    outcomes = serial.run(groups, work, report=lambda config, fraction: told.append((config.seed, fraction)))
    assert begun == []
    assert next(outcomes).config is groups[0][0]
    assert begun == [2]
    assert [outcome.config.seed for outcome in outcomes] == [0, 1]
    assert told == [(2, 0.5), (0, 0.5), (1, 0.5)]


def test_what_a_run_leaves_in_cycles_is_gone_before_the_next(groups: list[list[Config]]) -> None:
    class Network:
        num_alive = 0

        def __init__(self) -> None:
            self.itself = self
            Network.num_alive += 1

        def __del__(self) -> None:
            Network.num_alive -= 1

    found = []

    def work(group: Sequence[Config], tell: Report) -> list[Outcome]:
        found.append(Network.num_alive)
        Network()
        return []

    gc.disable()
    try:
        list(serial.run(groups, work, report=lambda *_: None))
    finally:
        gc.enable()
    assert found == [0, 0, 0]
    assert gc.get_freeze_count() == 0
