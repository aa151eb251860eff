"""What a config names, built: network, optimizer, device; and one phase trained with them."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch import nn

from convrepro import targets
from convrepro.conv import arguments, clip_after_step
from convrepro.data import EpochLoader, EvaluationLoader, ImageSet, load
from convrepro.models import build
from convrepro.protocols.phases import Phase
from convrepro.protocols.schema import Config, plain
from convrepro.training import Classifier, Diverged, TellEpoch, fit, multistep

Report = Callable[[float], None]
EVALUATION_BATCH_SIZE = 200  # of memory only: evaluation has no randomness, and BN uses its running statistics


def train_phase(
    config: Config,
    phase: Phase,
    *,
    device: torch.device,
    folder: Path,
    report: Report,
    callbacks: Sequence[pl.Callback] = (),
) -> tuple[Classifier, str]:
    """Trains from fresh weights on a phase's images, or goes on from what ``folder`` has of it.

    Both phases of a protocol start from the same weights: the paper that has two does not say.

    Returns:
        The classifier with its history; and why it diverged, empty if it did not.
    """
    network = build_network(config).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as the loaders' images
    factor = multistep(config.recipe.milestones, config.recipe.decay_factor)
    classifier = Classifier(
        network,
        make_optimizer=make_optimizer(config),
        after_optimizer=lambda optimizer: clip_after_step(optimizer, network, config.recipe.sigma_clip),
        learning_rate_factor=lambda epoch: factor(config.unscaled_epoch(epoch)),
        evaluations=list(phase.evaluations),
    )
    mean, std = config.dataset.mean, config.dataset.std
    train_loader = EpochLoader(
        phase.train,
        batch_size=config.recipe.batch_size,
        seed=config.seed,
        mean=mean,
        std=std,
        augmentation=plain(config.recipe.augmentation),
        device=device,
        epoch=lambda: classifier.current_epoch,
    )
    evaluation_loaders = [
        EvaluationLoader(split, batch_size=EVALUATION_BATCH_SIZE, mean=mean, std=std, device=device)
        for split in phase.evaluations.values()
    ]
    try:
        fit(
            classifier,
            train_loader=train_loader,
            evaluation_loaders=evaluation_loaders,
            num_epochs=config.num_epochs,
            seed=config.seed,
            folder=folder,
            device=device,
            report=report,
            callbacks=[TellEpoch(config.unscaled_epoch), *callbacks],
        )
    except Diverged as error:
        return classifier, str(error)
    return classifier, ""


def load_data(config: Config) -> ImageSet:
    """The data set that a config names, read and verified.

    Raises:
        FileNotFoundError: if a file is missing and may not be fetched.
        ValueError: if the data are not what the config says.
    """
    machine = config.machine
    return load(plain(config.dataset), Path(machine.data_dir), download=machine.download, plugins=config.plugins)


def build_network(config: Config) -> nn.Module:
    """The network that a config names, its weights drawn from the config's seed.

    Raises:
        ValueError: if it cannot be built, or an argument of the operator's own is left to its default: what is
            computed stands in the config, and so in the run id.
    """
    targets.import_plugins(config.plugins)
    operator = targets.resolve(config.conv["_target_"], config.plugins)
    operators_own = arguments.parameters(operator).keys() - arguments.parameters(nn.Conv2d).keys()
    if missing := sorted(operators_own - config.conv.keys()):
        raise ValueError(f"conv {config.conv.get('name')!r} must set {', '.join(missing)}, even to the default.")
    torch.manual_seed(config.seed)
    return build(model=config.model, conv=config.conv, dataset=plain(config.dataset), plugins=config.plugins)


def make_optimizer(config: Config) -> Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]:
    """From parameters to the recipe's optimizer.

    Raises:
        ValueError: if the optimizer does not know an argument, or its value has the wrong type.
    """
    own = {key: value for key, value in config.recipe.optimizer.items() if key != "_target_"}
    optimizer = targets.resolve(config.recipe.optimizer["_target_"], config.plugins)
    arguments.check(own, optimizer, given_by_code=["params"], owner="recipe.optimizer")
    try:
        optimizer([torch.zeros(1, requires_grad=True)], **own)
    except (TypeError, ValueError) as error:  # ranges are known to the optimizer only
        raise ValueError(f"`recipe.optimizer`: {error}.") from error
    return partial(optimizer, **own)


def device_of(accelerator: str) -> torch.device:
    """The device that ``machine.accelerator`` names: a GPU for ``auto`` where there is one.

    Raises:
        ValueError: if there is no GPU and one is asked for.
    """
    has_gpu = torch.cuda.is_available()
    if accelerator == "gpu" and not has_gpu:
        raise ValueError("`machine.accelerator` is gpu, but torch finds no CUDA device here; use cpu or auto.")
    return torch.device("cuda" if has_gpu and accelerator != "cpu" else "cpu")
