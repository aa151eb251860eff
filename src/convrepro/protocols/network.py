"""The network that a run starts with: fresh weights, or those of a network that was trained before."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from convrepro import targets
from convrepro.conv import arguments
from convrepro.models import build, freeze_features, initialise, load_pretrained, load_weights, published_file
from convrepro.protocols.schema import Config, plain
from convrepro.records import workspace
from convrepro.training import load_checkpoint


def build_network(config: Config) -> nn.Module:
    """The network that a config names, its weights drawn from the config's seed.

    Raises:
        ValueError: if it cannot be built, or an argument of the operator's own is left to its default: what is
            computed stands in the config, and so in the run id.
    """
    targets.import_plugins(config.plugins)
    operator = targets.resolve(config.conv["_target_"], config.plugins, targets.OPERATOR)
    operators_own = arguments.parameters(operator).keys() - arguments.parameters(nn.Conv2d).keys()
    if missing := sorted(operators_own - config.conv.keys()):
        raise ValueError(f"conv {config.conv.get('name')!r} must set {', '.join(missing)}, even to the default.")
    torch.manual_seed(config.seed)
    network = build(model=config.model, conv=config.conv, dataset=plain(config.dataset), plugins=config.plugins)
    if config.recipe.initialisation is not None:
        initialise(network, config.recipe.initialisation)
    return network


def fresh_network(config: Config) -> nn.Module:
    """The network of ``build_network``, with what the recipe leaves as it is frozen."""
    network = build_network(config)
    if config.recipe.trained == "classifier":
        freeze_features(network)
    return network


def start_network(config: Config) -> nn.Module:
    """The network of ``fresh_network`` with the weights that the recipe starts from.

    ``recipe.pretrained`` is ``torchvision/<enum>.<member>``, or ``run/<run id>``: the weights of the last epoch of that
    run of the same seed, below ``machine.results_dir``.

    Raises:
        ValueError: as ``build_network``, or if the weights are not to be had or are another network's.
    """
    network = fresh_network(config)
    if config.recipe.pretrained is not None:
        origin, _, name = config.recipe.pretrained.partition("/")
        if origin == "torchvision":
            load_pretrained(network, name)
        else:
            load_weights(network, _weights_of(config, name))
    return network


def check_pretrained(configs: Iterable[Config]) -> None:
    """Finds the weights that runs start from, each file once; downloads those that torchvision publishes.

    Args:
        configs: of the runs, each with its seed.

    Raises:
        ValueError: if weights are not to be had, or a file is not the published one.
    """
    names: set[str] = set()
    for config in configs:
        origin, _, name = (config.recipe.pretrained or "").partition("/")
        if origin == "run":
            _found_weights(config, name)
        elif origin == "torchvision":
            names.add(name)
    for name in sorted(names):
        published_file(name)


def _weights_of(config: Config, identity: str) -> dict[str, torch.Tensor]:
    path = _found_weights(config, identity)
    weights = load_checkpoint(path).get("weights")
    if not isinstance(weights, dict):
        raise ValueError(f"{path} holds no weights; delete the run's folder and record, and run it again.")
    return weights


def _found_weights(config: Config, identity: str) -> Path:
    path = weights_of_run(config, identity)
    if not path.is_file():
        raise ValueError(
            f"`recipe.pretrained` needs the weights of run {identity}, seed {config.seed}, which are not there "
            f"({path}); run its table first (`convrepro status` knows which)."
        )
    return path


def pretrained_sha256(config: Config) -> dict[str, str]:
    """SHA-256 of the file of the run's weights that a config's seed starts from, by the name it has in a record.

    Empty if ``recipe.pretrained`` names no run.
    """
    origin, _, identity = (config.recipe.pretrained or "").partition("/")
    if origin != "run":
        return {}
    with weights_of_run(config, identity).open("rb") as file:
        return {"pretrained_sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def weights_of_run(config: Config, identity: str) -> Path:
    """Where the weights of another run of a config's seed lie."""
    run_dir = workspace.run_dir(Path(config.machine.results_dir), identity, config.seed)
    return workspace.weights_dir(run_dir) / "last.pt"
