import pytest

from convrepro.benchmarks import growth
from convrepro.benchmarks.settings import Settings
from convrepro.protocols.identity import run_id


def test_what_grows(settings: Settings) -> None:
    images = growth.runs_of(settings, "images", 2)
    seeds = growth.runs_of(settings, "seeds", 4)
    cells = growth.runs_of(settings, "cells", 4)
    (one,) = growth.runs_of(settings, "images", 1)
    assert [config.dataset.num_train_images for config in images] == [2 * one.dataset.num_train_images]
    assert [config.seed for config in seeds] == [0, 1, 2, 3]
    assert {run_id(config) for config in seeds} == {run_id(one)}
    assert len({run_id(config) for config in cells}) == 4
    assert run_id(cells[0]) == run_id(one)


def test_linear_growth_is_1(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(settings: Settings, runs: list[object]) -> float:
        return sum(config.dataset.num_train_images / 10 for config in runs)

    monkeypatch.setattr(growth, "_seconds", seconds)
    rows = growth.rows(settings, lambda fraction: None)
    assert [row.what.split(":")[0] for row in rows] == [
        f"{factor}x the {what}" for what in ("images", "seeds", "cells") for factor in (2, 4)
    ]
    assert all(row.values == pytest.approx([1.0, 1.0]) for row in rows)


def test_every_time_is_that_of_a_whole_run(settings: Settings) -> None:
    runs = growth.runs_of(settings, "images", 1)
    trained_twice = [growth._seconds(settings, runs) for _ in range(2)]
    assert min(trained_twice) > 0.01  # not that of finding its record
