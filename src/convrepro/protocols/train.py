"""What a config names, built: network, optimizer, device; and one phase of one or several seeds trained with them."""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from convrepro import targets
from convrepro.conv import arguments, clip_after_step
from convrepro.data import EpochLoader, EvaluationLoader, ImageSet, ImageSplit, load
from convrepro.protocols.network import start_network
from convrepro.protocols.phases import Phase
from convrepro.protocols.schema import Config, plain
from convrepro.training import (
    CAPTURABLE,
    Learner,
    Patience,
    Refused,
    clip_gradients,
    fit,
    multistep,
    one_cycle,
    parameter_groups,
    plateau,
    why_not_streams,
)
from convrepro.training.precision import Precision
from convrepro.training.schedules import History

Report = Callable[[float], None]
_log = logging.getLogger(__name__)
_MEMORY_FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
EVALUATION_BATCH_SIZE = 200  # of memory only: no image's result depends on the others of its batch
_VALUES_ON_A_GPU = 6_000_000  # of the images of a batch there: a few large launches instead of many small ones


def train_phase(learners: Sequence[Learner], config: Config, phase: Phase) -> str:
    """Trains seeds of one cell on a phase's images, or goes on from what their folders have of it.

    Args:
        learners: from ``make_learner``, with fresh weights: both phases of a protocol start from the same, as the paper
            that has two does not say.
        config: of any of the seeds.
        phase: what is trained on and evaluated.

    Returns:
        The back-end that trained them.

    Raises:
        ValueError: if ``machine.backend`` names one that cannot, or the last batch has one image only and the network
            normalises over the batch alone.
    """
    num_images, batch_size = len(phase.train), config.recipe.batch_size
    if (num_images - 1) % batch_size == 0 and any(
        isinstance(layer, nn.BatchNorm1d) for layer in learners[0].network.modules()
    ):
        raise ValueError(
            f"`recipe.batch_size` {batch_size} leaves one of the {num_images} training images to the last batch, and "
            "the network's BatchNorm1d needs two or more; take another batch size or number of images."
        )
    device = learners[0].device
    evaluations = {name: make_evaluation_loader(config, split, device) for name, split in phase.evaluations.items()}
    run = partial(
        fit,
        learners,
        train_loader=make_train_loader(config, phase, device),
        evaluations=evaluations,
        num_epochs=config.num_epochs,
    )
    backend = backend_of(config, device, learners)
    try:
        run(backend=backend)
    except Refused as refused:
        if config.machine.backend != "auto":
            raise ValueError(f"`machine.backend` {backend} {refused}; use loop or auto.") from refused
        _log.warning("back-end %s %s; loop goes on.", backend, refused)
        backend = "loop"
        run(backend=backend)
    return backend


def make_learner(
    config: Config,
    *,
    device: torch.device,
    folder: Path,
    make_network: Callable[[Config], nn.Module] = start_network,
    report: Report = lambda fraction: None,
    after_epoch: Callable[[Learner], None] | None = None,
) -> Learner:
    """The learner of a config's seed.

    Args:
        config: of the cell, with its seed.
        device: where it learns.
        folder: of its checkpoints and logs.
        make_network: from the config to the network with its weights.
        report: called with the finished fraction of a phase after each step.
        after_epoch: called when an epoch is finished and evaluated.

    Raises:
        ValueError: as ``start_network`` and ``make_optimizer``.
    """
    memory_format = _MEMORY_FORMATS[config.memory_format]
    network = make_network(config).to(device)
    network.to(memory_format=memory_format)  # type: ignore[call-overload]
    recipe, machine = config.recipe, config.machine
    return Learner(
        network,
        seed=config.seed,
        folder=folder,
        make_optimizer=make_optimizer(config, device),
        learning_rate_factor=_learning_rate_factor(config),
        parameter_groups=make_parameter_groups(config),
        rates_at=_rates_at(config),
        accuracy=config.accuracy,
        top_k=config.protocol.top_k,
        clip_gradients=clip_gradients(recipe.clip_gradient_value, recipe.clip_gradient_norm),
        after_optimizer=lambda optimizer: clip_after_step(optimizer, network, recipe.sigma_clip),
        recipe_epoch=config.unscaled_epoch,
        after_epoch=after_epoch,
        report=report,
        memory_format=memory_format,
        precision=cast(Precision, machine.precision),
        compiled=machine.compile,
    )


def evaluation_batch_size(config: Config, device: torch.device) -> int:
    """Images that are evaluated at once."""
    if device.type == "cpu":
        return EVALUATION_BATCH_SIZE
    num_values = config.dataset.in_channels * math.prod(config.dataset.image_size)
    return max(EVALUATION_BATCH_SIZE, _VALUES_ON_A_GPU // num_values)


def make_train_loader(config: Config, phase: Phase, device: torch.device) -> EpochLoader:
    """Batches of a phase's training images, as the recipe has them."""
    return EpochLoader(
        phase.train,
        batch_size=config.recipe.batch_size,
        mean=config.dataset.mean,
        std=config.dataset.std,
        augmentation=plain(config.recipe.augmentation),
        device=device,
        num_workers=config.machine.workers,
        image_size=config.dataset.image_size,
    )


def make_evaluation_loader(config: Config, split: ImageSplit, device: torch.device) -> EvaluationLoader:
    """Batches of images that a phase is judged on."""
    return EvaluationLoader(
        split,
        batch_size=evaluation_batch_size(config, device),
        mean=config.dataset.mean,
        std=config.dataset.std,
        device=device,
        num_workers=config.machine.workers,
        image_size=config.dataset.image_size,
    )


def _learning_rate_factor(config: Config) -> Callable[[int, History], float]:
    """Milestones and patience are the whole recipe's: in a scaled run they move with its epochs."""
    recipe = config.recipe
    by_epoch = multistep(recipe.milestones, recipe.decay_factor)
    if recipe.plateau is None:
        return lambda epoch, history: by_epoch(config.unscaled_epoch(epoch))
    schedule, scale = recipe.plateau, config.protocol.scale
    patience = Patience(
        epochs=round(schedule.patience * scale),
        cooldown=round((schedule.cooldown or 0) * scale),
        as_keras=schedule.counting == "keras",
    )
    least = (schedule.least_rate or 0.0) / recipe.optimizer["lr"]
    by_history = plateau(schedule.metric, schedule.decay_factor, patience, least=least)
    return lambda epoch, history: by_epoch(config.unscaled_epoch(epoch)) * by_history(history)


def _rates_at(config: Config) -> Callable[[float, float], dict[str, Any]] | None:
    """From a position, in epochs, and an optimizer's rate to what a cycle sets there; None without a cycle."""
    cycle, optimizer = config.recipe.one_cycle, config.recipe.optimizer
    if cycle is None:
        return None
    make = partial(one_cycle, cycle.shape, peak_at=cycle.peak_at)

    def settings(position: float, rate: float) -> dict[str, Any]:
        fraction = position / config.num_epochs
        found: dict[str, Any] = {"lr": make(first=cycle.first_rate, peak=rate, last=cycle.last_rate)(fraction)}
        if cycle.momenta is not None:
            first, peak, last = cycle.momenta
            momentum = make(first=first, peak=peak, last=last)(fraction)
            found |= {"betas": (momentum, optimizer["betas"][1])} if "betas" in optimizer else {"momentum": momentum}
        return found

    return settings


def load_data(config: Config) -> ImageSet:
    """The data set that a config names, read and verified.

    Raises:
        FileNotFoundError: if a file is missing and may not be fetched.
        ValueError: if the data are not what the config says.
    """
    machine = config.machine
    return load(
        plain(config.dataset),
        Path(machine.data_dir),
        download=machine.download,
        plugins=config.plugins,
        cache_dir=Path(machine.cache_dir),
        num_workers=machine.workers,
    )


def make_optimizer(
    config: Config,
    device: torch.device = torch.device("cpu"),  # noqa: B008
) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """From parameters to the recipe's optimizer; on a GPU its fused, capturable form where it has one.

    Raises:
        ValueError: if the optimizer does not know an argument, or its value has the wrong type.
    """
    own = {key: value for key, value in config.recipe.optimizer.items() if key != "_target_"}
    optimizer = targets.resolve(config.recipe.optimizer["_target_"], config.plugins, targets.OPTIMIZER)
    arguments.check(own, optimizer, given_by_code=["params"], owner="recipe.optimizer")
    try:
        optimizer([torch.zeros(1, requires_grad=True)], **own)
    except (TypeError, ValueError) as error:  # ranges are known to the optimizer only
        raise ValueError(f"`recipe.optimizer`: {error}.") from error
    if device.type != "cuda" or optimizer not in CAPTURABLE:
        return partial(optimizer, **own)
    known = arguments.parameters(optimizer)
    return partial(optimizer, **{key: True for key in ("fused", "capturable") if key in known} | own)


def make_parameter_groups(config: Config) -> Callable[[nn.Module], Iterable[Any]]:
    """From a network to what the recipe's optimizer takes of it."""
    recipe = config.recipe
    return partial(
        parameter_groups,
        sigma_learning_rate=recipe.sigma_learning_rate,
        only_kernels_decay=recipe.decayed == "kernels",
    )


def device_of(accelerator: str, *, rank: int = 0, num_ranks: int = 1) -> torch.device:
    """The device that ``machine.accelerator`` names: a GPU for ``auto`` where there is one.

    Args:
        accelerator: ``auto``, ``cpu`` or ``gpu``.
        rank: number of the process among those that train a run together; each has a GPU of its own.
        num_ranks: how many they are.

    Raises:
        ValueError: if there is no GPU and one is asked for, or there are too few.
    """
    has_gpu = torch.cuda.is_available()
    if accelerator == "gpu" and not has_gpu:
        raise ValueError("`machine.accelerator` is gpu, but torch finds no CUDA device here; use cpu or auto.")
    if not has_gpu or accelerator == "cpu":
        return torch.device("cpu")
    if num_ranks > torch.cuda.device_count():
        raise ValueError(
            f"`machine.devices` is {num_ranks}, but torch finds {torch.cuda.device_count()} CUDA devices here."
        )
    return torch.device("cuda", rank) if num_ranks > 1 else torch.device("cuda")


def check_backend(config: Config, device: torch.device) -> None:
    """Raises ValueError if ``machine.backend`` names one that the device cannot have, whatever the network."""
    if config.machine.devices > 1 and (config.machine.backend == "streams" or config.machine.seeds_per_device > 1):
        raise ValueError(
            "`machine.devices` above 1 trains one seed at a time by the loop: set `machine.seeds_per_device` to 1."
        )
    if config.machine.backend == "streams" and device.type != "cuda":
        raise ValueError("`machine.backend` streams needs a CUDA device; use loop or auto.")


def backend_of(config: Config, device: torch.device, learners: Sequence[Learner]) -> str:
    """The back-end that ``machine.backend`` names: for ``auto`` streams on a GPU, unless it would refuse, else loop.

    Raises:
        ValueError: if streams is asked for and there is no GPU, or it refuses the network or the optimizer.
    """
    check_backend(config, device)
    if config.machine.backend == "loop" or device.type != "cuda" or config.machine.devices > 1:
        return "loop"
    if reason := why_not_streams(learners):
        if config.machine.backend == "streams":
            raise ValueError(f"`machine.backend` streams {reason}; use loop or auto.")
        return "loop"
    return "streams"
