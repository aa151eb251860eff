"""How the time of a run grows with its images, and that of a table with its seeds and cells."""

import dataclasses
import statistics
import time
from collections.abc import Sequence

from convrepro.benchmarks.cell import run_all, seeds_of
from convrepro.benchmarks.row import Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import in_turn
from convrepro.benchmarks.workload import in_fresh_results, workload
from convrepro.protocols.schema import Config

FACTORS = (2, 4)
_ROUNDS = 5


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """Times over those of one run that is as small as they are large; 1 is linear."""
    growing = {
        f"{factor}x the {what}": runs_of(settings, what, factor)
        for what in ("images", "seeds", "cells")
        for factor in FACTORS
    }
    samples = in_turn(
        {
            name: lambda runs=runs: _seconds(settings, runs)  # type: ignore[misc]
            for name, runs in {"one run": runs_of(settings, "images", 1), **growing}.items()
        },
        rounds=settings.num_rounds(_ROUNDS),
        advance=advance,
    )
    one = samples["one run"]
    return [
        Row(
            what=f"{name}: time over {name[0]} times that of one run",
            unit="x",
            values=[seconds / (int(name[0]) * alone) for seconds, alone in zip(samples[name], one, strict=True)],
            detail=f"{statistics.median(samples[name]):.2f} s against {statistics.median(one):.2f} s",
            samples={name: samples[name], "one run": one},
        )
        for name in growing
    ]


def runs_of(settings: Settings, what: str, factor: int) -> list[Config]:
    """The runs of a table that is ``factor`` times as large in its ``images``, ``seeds`` or ``cells``."""
    num_train = settings.pick(640, 100) * (factor if what == "images" else 1)
    config = workload(settings, model="cnn4", num_train=num_train, num_epochs=1, overrides=["model.filters=16"])
    if what == "seeds":
        return seeds_of(config, factor)
    return [_with_learning_rate(config, 1e-3 * (1 + cell)) for cell in range(factor if what == "cells" else 1)]


def _with_learning_rate(config: Config, learning_rate: float) -> Config:
    optimizer = {**config.recipe.optimizer, "lr": learning_rate}
    return dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, optimizer=optimizer))


def _seconds(settings: Settings, runs: Sequence[Config]) -> float:
    folder = settings.fresh_folder()
    fresh = [in_fresh_results(config, folder) for config in runs]
    started = time.perf_counter()
    run_all(fresh, launcher="serial")
    return time.perf_counter() - started
