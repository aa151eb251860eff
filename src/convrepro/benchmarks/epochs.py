"""Epochs of one run against loops as people write them, and against the practical limit."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from convrepro.benchmarks import baselines
from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import in_turn, times_as_fast
from convrepro.benchmarks.turns import Pause, Work, taking_turns
from convrepro.benchmarks.workload import FULL_TRAIN_IMAGES, workload
from convrepro.protocols.run import run
from convrepro.protocols.schema import Config

GOALS = {"resnet20": 1.5, "cnn4": 1.7}  # times as fast as a loop with a per-image PIL DataLoader
OF_THE_LIMIT = 0.95
WORKERS = (0, 2)  # of the DataLoader; the faster one counts
_NUM_TRAIN, _ROUNDS = 2560, 5
_PLAIN, _LIGHTNING, _TENSORS, _OURS = "plain loop", "Lightning", "tensors", "ours"


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """Marginal epochs: what happens once a run, and the first epoch, are not counted."""
    num_train, num_rounds = settings.pick(_NUM_TRAIN, 160), settings.num_rounds(_ROUNDS)
    found = []
    for position, model in enumerate(GOALS):

        def advance_model(fraction: float, num_before: int = position) -> None:
            advance((num_before + fraction) / len(GOALS))

        works = contestants(settings, model, num_train, num_epochs=num_rounds + 2)
        with taking_turns(works) as processes:
            samples = in_turn(processes, rounds=num_rounds, advance=advance_model)
        found += rows_of(model, samples, num_train)
    return found


def contestants(settings: Settings, model: str, num_train: int, *, num_epochs: int) -> dict[str, Work]:
    """Every side, by name: each has the same images, steps and evaluations in an epoch."""

    def config() -> Config:
        return workload(settings, model=model, num_train=num_train, num_epochs=num_epochs)

    works: dict[str, Work] = {}
    for name, loop in ((_PLAIN, baselines.plain_loop), (_LIGHTNING, baselines.lightning_loop)):
        works |= {_with_workers(name, num_workers): (loop, (config(), num_workers)) for num_workers in WORKERS}
    return works | {_TENSORS: (baselines.tensor_loop, (config(),)), _OURS: (run_epochs, (config(),))}


def run_epochs(finished_epoch: Pause, config: Config) -> None:
    """A run as a user has it. Its epochs count from last step to last step, so with evaluation, checkpoint and logs."""
    run(config, report=at_each_epoch(finished_epoch, config.num_epochs))


def at_each_epoch(finished_epoch: Pause, num_epochs: int) -> Callable[[float], None]:
    """What to tell the finished fraction of a run after each step."""
    num_finished = 0

    def report(fraction: float) -> None:
        nonlocal num_finished
        if fraction * num_epochs > num_finished + 1 - 1e-6:
            num_finished += 1
            finished_epoch()

    return report


def rows_of(model: str, samples: Mapping[str, Sequence[float]], num_train: int) -> list[Row]:
    """From seconds of an epoch of ``num_train`` images to rows about epochs of the whole data set."""
    ours = samples[_OURS]
    whole = [FULL_TRAIN_IMAGES / num_train * seconds for seconds in ours]
    speed = num_train / statistics.median(ours)
    found = [
        Row(
            what=f"{model}: an epoch of 50,000 images and its evaluation on 10,000",
            unit="s",
            values=whole,
            detail=f"{1 / statistics.median(whole):.3g} epochs/s, {speed:,.0f} images/s; from {num_train:,} images",
            samples=samples,
        )
    ]
    for name, said in ((_PLAIN, "a plain loop"), (_LIGHTNING, "a Lightning module")):
        num_workers = min(WORKERS, key=lambda workers: statistics.median(samples[_with_workers(name, workers)]))
        found.append(
            Row(
                what=f"{model}: times as fast as {said} with a per-image PIL DataLoader",
                unit="x",
                values=times_as_fast(ours, than=samples[_with_workers(name, num_workers)]),
                goal=Goal(least=GOALS[model]),
                detail=f"its faster one, of {num_workers} workers",
            )
        )
    return [
        *found,
        Row(
            what=f"{model}: times as fast as a bare channels-last loop over augmented tensors",
            unit="x",
            values=times_as_fast(ours, than=samples[_TENSORS]),
            goal=Goal(least=OF_THE_LIMIT),
            detail="the practical limit: nothing but the network's own work",
        ),
    ]


def _with_workers(name: str, num_workers: int) -> str:
    return f"{name}, {num_workers} workers"
