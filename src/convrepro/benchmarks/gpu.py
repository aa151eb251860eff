"""The seeds of one cell together on a GPU against one seed alone, and against Lightning runs in turn."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

import torch

from convrepro.benchmarks import baselines
from convrepro.benchmarks.cell import NUM_SEEDS, seeds_of
from convrepro.benchmarks.epochs import at_each_epoch
from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import in_turn, times_as_fast
from convrepro.benchmarks.turns import Pause, Work, call, taking_turns
from convrepro.benchmarks.workload import workload
from convrepro.protocols.run import run_seeds
from convrepro.protocols.schema import Config

OF_ONE_SEED = 1.6  # times the time of one seed, at most
AS_FAST = 12.0  # times as fast as Lightning runs in turn, at least
WORKERS = 8  # of their DataLoader
_MODEL, _NUM_TRAIN, _ROUNDS = "resnet20", 12_800, 5
_TOGETHER, _LOOP, _ALONE, _LIGHTNING = "together, streams", "together, loop", "one seed", "Lightning"


def is_there() -> bool:
    return torch.cuda.is_available()


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """Marginal epochs with TF32."""
    num_train, num_rounds = settings.pick(_NUM_TRAIN, 160), settings.num_rounds(_ROUNDS)
    works = contestants(settings, num_train, num_epochs=num_rounds + 2)
    with taking_turns(works) as processes:
        samples = in_turn(processes, rounds=num_rounds, advance=lambda fraction: advance(0.9 * fraction))
    peak = call(peak_of_seeds, seeds_of(_config(settings, num_train, 1, "streams", NUM_SEEDS), NUM_SEEDS))
    return rows_of(samples, peak)


def contestants(settings: Settings, num_train: int, *, num_epochs: int) -> dict[str, Work]:
    """Every side, by name."""

    def configs(backend: str, num_seeds: int) -> list[Config]:
        return seeds_of(_config(settings, num_train, num_epochs, backend, num_seeds), num_seeds)

    return {
        _TOGETHER: (run_epochs_together, (configs("streams", NUM_SEEDS),)),
        _LOOP: (run_epochs_together, (configs("loop", NUM_SEEDS),)),
        _ALONE: (run_epochs_together, (configs("streams", 1),)),
        _LIGHTNING: (baselines.lightning_loop, (configs("auto", 1)[0], WORKERS)),
    }


def run_epochs_together(finished_epoch: Pause, configs: Sequence[Config]) -> None:
    """Seeds of a cell in one process; an epoch is finished where the slowest of them has finished it."""
    fractions = {config.seed: 0.0 for config in configs}

    def pause() -> None:
        torch.cuda.synchronize()
        finished_epoch()

    at_epoch = at_each_epoch(pause, configs[0].num_epochs)

    def report(seed: int, fraction: float) -> None:
        fractions[seed] = fraction
        at_epoch(min(fractions.values()))

    run_seeds(configs, report=report)


def peak_of_seeds(configs: Sequence[Config]) -> int:
    """The most bytes of GPU memory that tensors of these runs held together."""
    run_seeds(configs, report=lambda seed, fraction: None)
    return torch.cuda.max_memory_allocated()


def rows_of(samples: Mapping[str, Sequence[float]], peak_bytes: int) -> list[Row]:
    """From seconds of an epoch: of five seeds for those that run together, of one seed for the others."""
    together, alone = samples[_TOGETHER], samples[_ALONE]
    in_turn_of_five = [NUM_SEEDS * seconds for seconds in samples[_LIGHTNING]]
    milliseconds = {name: f"{1e3 * statistics.median(times):.0f} ms" for name, times in samples.items()}
    what = f"{_MODEL}, {NUM_SEEDS} seeds together"
    return [
        Row(
            what=f"{what} (streams): time over one seed's",
            unit="x",
            values=times_as_fast(alone, than=together),
            goal=Goal(most=OF_ONE_SEED),
            detail=f"{milliseconds[_TOGETHER]} against {milliseconds[_ALONE]}, an epoch",
            samples=samples,
        ),
        Row(
            what=f"{what} (loop): time over one seed's",
            unit="x",
            values=times_as_fast(alone, than=samples[_LOOP]),
            detail=f"{milliseconds[_LOOP]}, an epoch",
        ),
        Row(
            what=f"{what} (streams): times as fast as {NUM_SEEDS} Lightning runs in turn",
            unit="x",
            values=times_as_fast(together, than=in_turn_of_five),
            goal=Goal(least=AS_FAST),
            detail=f"theirs {milliseconds[_LIGHTNING]} a seed and epoch, {WORKERS} workers",
        ),
        Row(what=f"{what} (streams): peak GPU memory", unit="MiB", values=[peak_bytes / 2**20]),
    ]


def _config(settings: Settings, num_train: int, num_epochs: int, backend: str, num_seeds: int) -> Config:
    config = workload(
        settings,
        model=_MODEL,
        num_train=num_train,
        num_epochs=num_epochs,
        accelerator="gpu",
        overrides=[f"machine.backend={backend}", "machine.precision=tf32"],
    )
    return dataclasses.replace(config, machine=dataclasses.replace(config.machine, seeds_per_device=num_seeds))
