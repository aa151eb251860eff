"""The ranges of a config's values, and which of them go together."""

import math
import re
from typing import Any

from convrepro import config_files, targets
from convrepro.protocols.schema import MEMORY_FORMATS, TASKS, Augmentation, Config, Dataset, OneCycle, Plateau, Recipe

_ALLOWED = {
    "protocol.task": TASKS,
    "recipe.decayed": ("kernels",),
    "recipe.initialisation": ("glorot_uniform",),
    "recipe.trained": ("classifier",),
    "recipe.augmentation.crop_mode": ("zero", "reflect", "edge"),
    "recipe.plateau.metric": ("train_loss", "validation_loss", "test_loss", "held_out_loss"),
    "recipe.plateau.counting": ("keras",),
    "recipe.one_cycle.shape": ("gaussian", "cosine"),
    "machine.accelerator": ("auto", "cpu", "gpu"),
    "machine.backend": ("auto", "loop", "streams"),
    "machine.precision": ("float32", "tf32", "bfloat16"),
}
_RANGES: dict[str, tuple[float, float]] = {  # least and greatest value, of lists that of each entry
    "recipe.version": (1, 1_000_000),
    "recipe.epochs": (1, 1_000_000),
    "recipe.milestones": (1, 1_000_000),
    "recipe.batch_size": (1, 1_000_000),
    "recipe.decay_factor": (0.0, 1.0),
    "recipe.plateau.patience": (0, 1_000_000),
    "recipe.plateau.cooldown": (0, 1_000_000),
    "recipe.plateau.least_rate": (0.0, 1e6),
    "recipe.one_cycle.first_rate": (0.0, 1e6),
    "recipe.one_cycle.last_rate": (0.0, 1e6),
    "recipe.augmentation.crop_padding": (0, 1024),
    "recipe.augmentation.flip_probability": (0.0, 1.0),
    "recipe.augmentation.erase_probability": (0.0, 1.0),
    "recipe.augmentation.erase_value": (-1e6, 1e6),
    "recipe.augmentation.erase_tries": (1, 10_000),
    "protocol.validation_images": (0, 10**9),
    "protocol.scale": (1e-6, 1.0),
    "protocol.images": (1e-6, 1.0),
    "dataset.num_classes": (1, 1_000_000),
    "dataset.in_channels": (1, 1024),
    "dataset.image_size": (1, 65_536),
    "dataset.stored_size": (1, 65_536),
    "dataset.mean": (-1e6, 1e6),
    "dataset.std": (1e-6, 1e6),
    "dataset.num_train_images": (1, 10**9),
    "dataset.num_validation_images": (1, 10**9),
    "dataset.num_test_images": (1, 10**9),
    "machine.threads": (0, 4096),
    "machine.seeds_per_device": (1, 1024),
    "machine.workers": (0, 1024),
    "machine.devices": (1, 1024),
    "machine.lease_seconds": (0.1, 86_400.0),
    "seed": (0, 2**31 - 1),
}
_FREE = (
    "conv",
    "model",
    "recipe.optimizer",
    "dataset.options",
    "dataset.files",
)  # parts whose keys the schema leaves open
_NAME = re.compile(r"\w[\w.+ -]{0,99}")
_PRETRAINED = re.compile(r"torchvision/\w+(?:\.\w+)?|run/[0-9a-f]{16}", re.ASCII)
_MAX_DEPTH = 20
_MAX_LENGTH = 10_000
_MAX_NUMBER = 1e15  # a float has every whole number up to there


def check_ranges(config: Config) -> None:
    """Raises ValueError if a value lies outside its range; names the key and what is allowed."""
    for key, allowed in _ALLOWED.items():
        if (chosen := _value(config, key)) is not None:
            _in(key, chosen, allowed)
    for key, (low, high) in _RANGES.items():
        found = _value(config, key)
        for value in found if isinstance(found, list) else [found]:
            if value is not None and not low <= value <= high:
                raise ValueError(f"`{key}` must lie in [{low:g}, {high:g}], got {value}.")
    _check_names(config)
    _check_protocol(config)
    _check_recipe(config)
    _check_dataset(config.dataset)
    _check_movements(config.recipe.augmentation)
    for key in _FREE:
        node = _value(config, key)
        _check_leaves(key, node)
        if not key.startswith("dataset.") and not isinstance(node.get("_target_"), str):
            raise ValueError(f"`{key}._target_` must name a class, got {node.get('_target_')!r}.")
    _in("model.memory_format", config.memory_format, MEMORY_FORMATS)
    placement, placements = config.conv.get("placement"), config.model.get("placements")
    if isinstance(placements, dict) and placement is not None:
        config_files.check_name(str(placement), placements, kind=f"placement of model {config.model.get('name')!r}:")
    targets.check_plugins(config.plugins)


def _value(config: Config, key: str) -> Any:
    """The value of a key of the schema; None below a part that is not set."""
    node: Any = config
    for part in key.split("."):
        node = getattr(node, part) if node is not None else None
    return node


def _check_names(config: Config) -> None:
    """Names become those of files and labels of tables."""
    names = {f"{key}.name": getattr(config, key).name for key in ("dataset", "recipe", "protocol", "machine")}
    names |= {f"{key}.name": getattr(config, key).get("name") for key in ("conv", "model")}
    for key, name in names.items():
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ValueError(
                f"`{key}` must be letters, digits, blanks, and . _ + - after the first, at most 100, got {name!r:.80}."
            )
    for key in ("data_dir", "cache_dir", "results_dir"):
        folder = getattr(config.machine, key)
        if not folder or not folder.isprintable():
            raise ValueError(f"`machine.{key}` must name a folder, got {folder!r:.80}.")


def _check_leaves(key: str, node: Any, depth: int = 0) -> None:
    """Values of the parts that the schema leaves open: what JSON can say of them is what a run id is made from."""
    if depth > _MAX_DEPTH:
        raise ValueError(f"`{key:.60}` is nested more than {_MAX_DEPTH} deep.")
    if isinstance(node, dict):
        for name, entry in node.items():
            if not isinstance(name, str):
                raise ValueError(f"keys of `{key}` must be texts, got {name!r}; quote it.")
            _check_leaves(f"{key}.{name}", entry, depth + 1)
    elif isinstance(node, list):
        if len(node) > _MAX_LENGTH:
            raise ValueError(f"`{key}` must be a list of at most {_MAX_LENGTH:,} entries, got {len(node):,}.")
        for entry in node:
            _check_leaves(key, entry, depth + 1)
    elif isinstance(node, bool | str | None):
        return
    elif not isinstance(node, int | float):
        raise ValueError(f"`{key}` must be a number, text, true, false, null, a list or keys, got {node!r:.80}.")
    elif not abs(node) <= _MAX_NUMBER:
        raise ValueError(f"`{key}` must be a finite number of at most {_MAX_NUMBER:g}, got {node:g}.")


def _check_recipe(config: Config) -> None:
    recipe, augmentation = config.recipe, config.recipe.augmentation
    if recipe.milestones != sorted(set(recipe.milestones)):
        raise ValueError(f"`recipe.milestones` must be rising epochs from 1 on, got {recipe.milestones}.")
    for key, pair in (
        ("augmentation.erase_area", augmentation.erase_area),
        ("augmentation.erase_aspect", augmentation.erase_aspect),
        ("sigma_clip", recipe.sigma_clip),
    ):
        if pair is not None and (len(pair) != 2 or not 0 < pair[0] <= pair[1] < math.inf):
            raise ValueError(f"`recipe.{key}` must be two rising positive numbers, got {pair}.")
    for key, limit in (
        ("clip_gradient_value", recipe.clip_gradient_value),
        ("clip_gradient_norm", recipe.clip_gradient_norm),
        ("sigma_learning_rate", recipe.sigma_learning_rate),
    ):
        if limit is not None and not 0 < limit < math.inf:
            raise ValueError(f"`recipe.{key}` must be above 0 and finite, got {limit}.")
    if recipe.plateau is not None:
        _check_plateau(recipe.plateau, config)
    if recipe.one_cycle is not None:
        _check_one_cycle(recipe.one_cycle, recipe)
    if recipe.pretrained is not None and not _PRETRAINED.fullmatch(recipe.pretrained):
        raise ValueError(
            "`recipe.pretrained` must be torchvision/<weights> or run/<run id>, 16 hexadecimal digits, "
            f"got {recipe.pretrained!r:.60}."
        )


def _check_protocol(config: Config) -> None:
    protocol = config.protocol
    if (protocol.validation_images or protocol.validation_fraction) and not config.num_validation_images:
        raise ValueError(
            f"`protocol.images` must leave a validation image of {protocol.validation_images}, got {protocol.images}."
        )
    if protocol.retrain and not config.has_validation:
        raise ValueError("`protocol.retrain` must have `protocol.validation_images` to choose the epoch on, got 0.")
    if protocol.validation_fraction is not None and not (
        0 < protocol.validation_fraction < 1 and protocol.validation_images == 0
    ):
        raise ValueError(
            "`protocol.validation_fraction` must lie in (0, 1) and `validation_images` be 0, got "
            f"{protocol.validation_fraction} and {protocol.validation_images}."
        )
    if protocol.official_validation and (config.num_validation_images or protocol.random_test):
        raise ValueError(
            "`protocol.official_validation` must stand without `random_test` and with 0 `validation_images`, got "
            f"{protocol.random_test} and {config.num_validation_images}."
        )
    for key in ("official_validation", "random_test"):
        if getattr(protocol, key) is False:  # computes what null does, by another run id
            raise ValueError(f"`protocol.{key}` must be true or null, got false; leave it null.")
    if protocol.top_k is not None and not 1 < protocol.top_k <= config.dataset.num_classes:
        raise ValueError(
            f"`protocol.top_k` must lie in 2 .. {config.dataset.num_classes}, the classes, got {protocol.top_k}."
        )
    if protocol.task == "segmentation" and (config.recipe.trained or protocol.random_test or protocol.top_k):
        raise ValueError("`protocol.task` segmentation knows no `recipe.trained`, `random_test` or `top_k`.")


def _check_dataset(dataset: Dataset) -> None:
    if len(dataset.image_size) != 2:
        raise ValueError(f"`dataset.image_size` must be [height, width], got {dataset.image_size}.")
    stored = dataset.stored_size or dataset.image_size
    if len(stored) != 2 or any(side < shown for side, shown in zip(stored, dataset.image_size, strict=True)):
        raise ValueError(
            f"`dataset.stored_size` must be [height, width] from `image_size` {dataset.image_size} on, got {stored}."
        )
    for key, values in (("mean", dataset.mean), ("std", dataset.std)):
        if len(values) != dataset.in_channels:
            raise ValueError(f"`dataset.{key}` must have a number for each of `in_channels`, got {values!s:.60}.")


def _check_movements(augmentation: Augmentation) -> None:
    area, aspect = augmentation.resized_crop_area, augmentation.resized_crop_aspect
    if (area is None) != (aspect is None):
        raise ValueError(
            f"`recipe.augmentation` must have `resized_crop_area` and `resized_crop_aspect`, or neither, got {area} "
            f"and {aspect}."
        )
    for name, pair, greatest in (("resized_crop_area", area, 1.0), ("resized_crop_aspect", aspect, math.inf)):
        if pair is not None and (
            len(pair) != 2 or not 0 < pair[0] <= pair[1] <= greatest or not math.isfinite(pair[1])
        ):
            raise ValueError(f"`recipe.augmentation.{name}` must be two rising positive numbers, got {pair}.")
    for name, value, below in (
        ("shift", augmentation.shift, 1.0),
        ("zoom", augmentation.zoom, 0.99),
        ("brightness_of_flipped", augmentation.brightness_of_flipped, 1.0),
    ):
        if value is not None and not 0 < value <= below:
            raise ValueError(f"`recipe.augmentation.{name}` must lie in (0, {below:g}], got {value}.")


def _check_plateau(schedule: Plateau, config: Config) -> None:
    if not 0 < schedule.decay_factor <= 1:
        raise ValueError(f"`recipe.plateau.decay_factor` must lie in (0, 1], got {schedule.decay_factor}.")
    if schedule.metric == "validation_loss" and not config.has_validation:
        raise ValueError("`recipe.plateau.metric` validation_loss needs `protocol.validation_images`, got 0.")
    if schedule.metric not in ("train_loss", "held_out_loss") and config.protocol.retrain:
        raise ValueError(f"`recipe.plateau.metric` {schedule.metric} is missing in a phase of `protocol.retrain`.")


def _check_one_cycle(cycle: OneCycle, recipe: Recipe) -> None:
    if not 0 < cycle.peak_at < 1:
        raise ValueError(f"`recipe.one_cycle.peak_at` must lie in (0, 1), got {cycle.peak_at}.")
    if cycle.momenta is not None and not (len(cycle.momenta) == 3 and all(0 <= value < 1 for value in cycle.momenta)):
        raise ValueError(f"`recipe.one_cycle.momenta` must be three numbers in [0, 1), got {cycle.momenta}.")
    if recipe.plateau is not None or recipe.milestones:
        raise ValueError("`recipe.one_cycle` must stand without `plateau` and with `milestones` [].")


def _in(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"`{key}` must be one of {', '.join(allowed)}, got {value!r}.")
