"""The schema that every composed config must fit: its keys, its types, its ranges."""

import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

TASKS = ("classification", "count")
CROP_MODES = ("zero", "reflect", "edge")
ACCELERATORS = ("auto", "cpu", "gpu")
BACKENDS = ("auto", "loop", "streams")
PRECISIONS = ("float32", "tf32", "bfloat16")
PLATEAU_METRICS = ("train_loss", "validation_loss", "test_loss")
MEMORY_FORMATS = ("channels_last", "contiguous")


@dataclass(kw_only=True)
class Augmentation:
    """Random changes of training images; the arguments of ``convrepro.data.augmentation``."""

    about: str
    name: str
    crop_padding: int
    crop_mode: str
    flip_probability: float
    erase_probability: float
    erase_area: list[float]
    erase_aspect: list[float]
    erase_value: float
    erase_tries: int


@dataclass(kw_only=True)
class Plateau:
    """A learning rate that falls when a loss no longer does."""

    metric: str
    decay_factor: float
    patience: int  # epochs without a gain that are waited


@dataclass(kw_only=True)
class Recipe:
    """Optimizer, learning-rate schedule, epochs, batch size, augmentation."""

    about: str
    name: str
    version: int  # of the recipe's meaning in code: raised when code changes what the same numbers compute
    optimizer: dict[str, Any]
    milestones: list[int]  # epochs after which the learning rate is multiplied by `decay_factor`
    decay_factor: float
    batch_size: int
    epochs: int
    augmentation: Augmentation
    plateau: Plateau | None = None
    clip_gradient_value: float | None = None  # of each element
    clip_gradient_norm: float | None = None  # of all parameters together
    sigma_clip: list[float] | None = None  # of ACONV after each step; None is [1/k, k] of the kernel's side k


@dataclass(kw_only=True)
class Protocol:
    """Splits, phases and scale."""

    about: str
    name: str
    task: str
    validation_images: int
    retrain: bool
    scale: float
    images: float


@dataclass(kw_only=True)
class Dataset:
    """A data set, its reader and the checksums that are its content's fingerprint."""

    about: str
    name: str
    _target_: str
    num_classes: int
    in_channels: int
    image_size: list[int]
    mean: list[float]
    std: list[float]
    official: bool
    num_train_images: int
    num_test_images: int
    files: dict[str, dict[str, Any]]
    downloads: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)  # what only its reader needs


@dataclass(kw_only=True)
class Machine:
    """Where a run happens; no part of its identity."""

    about: str
    name: str
    accelerator: str
    threads: int
    seeds_per_device: int
    backend: str
    precision: str
    compile: bool
    workers: int
    data_dir: str
    cache_dir: str
    results_dir: str
    download: bool


@dataclass(kw_only=True)
class Config:
    """One cell and one seed, wholly resolved."""

    conv: dict[str, Any]
    model: dict[str, Any]
    dataset: Dataset
    recipe: Recipe
    protocol: Protocol
    machine: Machine
    seed: int
    plugins: list[str] = field(default_factory=list)

    @property
    def is_scaled(self) -> bool:
        return self.protocol.scale != 1.0 or self.protocol.images != 1.0

    @property
    def num_epochs(self) -> int:
        """Epochs of one phase, after scaling; at least one."""
        return max(1, round(self.recipe.epochs * self.protocol.scale))

    @property
    def num_validation_images(self) -> int:
        """Images held out of the training set, after scaling."""
        return round(self.protocol.validation_images * self.protocol.images)

    @property
    def memory_format(self) -> str:
        """The layout in which the network was measured to be fastest; no part of the run's identity."""
        return str(self.model.get("memory_format", MEMORY_FORMATS[0]))

    def unscaled_epoch(self, epoch: int) -> float:
        """The epoch of the whole recipe that an epoch of a scaled run stands for: its milestones move with it."""
        return round(epoch / self.protocol.scale, 6)  # six digits: 3 / 0.02 is 150, whatever its last bit


def validate(composed: DictConfig) -> Config:
    """Checks a composed config against the schema.

    Raises:
        ValueError: if a key is unknown or missing, a value has the wrong type or lies outside its range; names
            the key and what is allowed.
    """
    try:
        return resolved(typed(composed))
    except OmegaConfBaseException as error:
        raise ValueError(_in_one_line(error)) from error


def typed(composed: DictConfig) -> DictConfig:
    """A composed config with the types of the schema, its interpolations as they stand.

    Raises:
        OmegaConfBaseException: if a key is unknown or a value has the wrong type.
    """
    merged = OmegaConf.merge(OmegaConf.structured(Config), composed)
    assert isinstance(merged, DictConfig)
    return merged


def resolved(typed_config: DictConfig) -> Config:
    """The config that a typed one stands for, its ranges checked.

    Raises:
        OmegaConfBaseException: if a value is missing, or an interpolation leads nowhere or to the wrong type.
        ValueError: if a value lies outside its range.
    """
    config = OmegaConf.to_object(typed_config)
    assert isinstance(config, Config)
    _check_ranges(config)
    return config


def _in_one_line(error: OmegaConfBaseException) -> str:
    message = (error.msg or str(error)).splitlines()[0].strip().rstrip(".")
    if error.key is not None and isinstance(error.object_type, type):
        known = [entry.name for entry in fields(error.object_type)]
        if error.full_key and error.key not in known:
            return f"unknown key `{error.full_key}`; known there: {', '.join(known)}."
    if "is not a ListConfig" in message:  # OmegaConf's own classes mean nothing to a user
        message = "a list must stand here"
    return f"`{error.full_key}`: {message}." if error.full_key else f"{message}."


def _check_ranges(config: Config) -> None:
    recipe, protocol, augmentation = config.recipe, config.protocol, config.recipe.augmentation
    _in("protocol.task", protocol.task, TASKS)
    _in("recipe.augmentation.crop_mode", augmentation.crop_mode, CROP_MODES)
    _in("machine.accelerator", config.machine.accelerator, ACCELERATORS)
    _in("machine.backend", config.machine.backend, BACKENDS)
    _in("machine.precision", config.machine.precision, PRECISIONS)
    for key, value, low, high in (
        ("recipe.epochs", recipe.epochs, 1, 1_000_000),
        ("recipe.batch_size", recipe.batch_size, 1, 1_000_000),
        ("recipe.decay_factor", recipe.decay_factor, 0.0, 1.0),
        ("protocol.validation_images", protocol.validation_images, 0, 10**9),
        ("protocol.scale", protocol.scale, 1e-6, 1.0),
        ("protocol.images", protocol.images, 1e-6, 1.0),
        ("recipe.augmentation.crop_padding", augmentation.crop_padding, 0, 1024),
        ("recipe.augmentation.flip_probability", augmentation.flip_probability, 0.0, 1.0),
        ("recipe.augmentation.erase_probability", augmentation.erase_probability, 0.0, 1.0),
        ("recipe.augmentation.erase_tries", augmentation.erase_tries, 1, 10_000),
        ("machine.threads", config.machine.threads, 0, 4096),
        ("machine.seeds_per_device", config.machine.seeds_per_device, 1, 1024),
        ("machine.workers", config.machine.workers, 0, 1024),
        ("seed", config.seed, 0, 2**31 - 1),
    ):
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"`{key}` must lie in [{low:g}, {high:g}], got {value}.")
    if protocol.validation_images and not config.num_validation_images:
        raise ValueError(
            f"`protocol.images` must leave a validation image of {protocol.validation_images}, got {protocol.images}."
        )
    if protocol.retrain and not protocol.validation_images:
        raise ValueError("`protocol.retrain` must have `protocol.validation_images` to choose the epoch on, got 0.")
    if recipe.milestones != sorted(set(recipe.milestones)) or any(m < 1 for m in recipe.milestones):
        raise ValueError(f"`recipe.milestones` must be rising epochs from 1 on, got {recipe.milestones}.")
    for key, pair in (
        ("augmentation.erase_area", augmentation.erase_area),
        ("augmentation.erase_aspect", augmentation.erase_aspect),
        ("sigma_clip", recipe.sigma_clip),
    ):
        if pair is not None and (len(pair) != 2 or not 0 < pair[0] <= pair[1] < math.inf):
            raise ValueError(f"`recipe.{key}` must be two rising positive numbers, got {pair}.")
    _in("model.memory_format", config.memory_format, MEMORY_FORMATS)
    for key, limit in (("value", recipe.clip_gradient_value), ("norm", recipe.clip_gradient_norm)):
        if limit is not None and not 0 < limit < math.inf:
            raise ValueError(f"`recipe.clip_gradient_{key}` must be above 0 and finite, got {limit}.")
    if recipe.plateau is not None:
        _check_plateau(recipe.plateau, protocol)
    if not config.machine.cache_dir:
        raise ValueError("`machine.cache_dir` must name a folder.")
    if len(config.dataset.image_size) != 2 or min(config.dataset.image_size) < 1:
        raise ValueError(f"`dataset.image_size` must be [height, width], got {config.dataset.image_size}.")
    for key, node in (("conv", config.conv), ("model", config.model), ("recipe.optimizer", recipe.optimizer)):
        if not isinstance(node.get("_target_"), str):
            raise ValueError(f"`{key}._target_` must name a class, got {node.get('_target_')!r}.")


def _check_plateau(schedule: Plateau, protocol: Protocol) -> None:
    _in("recipe.plateau.metric", schedule.metric, PLATEAU_METRICS)
    if not 0 < schedule.decay_factor <= 1 or schedule.patience < 0:
        raise ValueError(
            f"`recipe.plateau` must have a `decay_factor` in (0, 1] and a `patience` from 0 on, got "
            f"{schedule.decay_factor} and {schedule.patience}."
        )
    if schedule.metric == "validation_loss" and not protocol.validation_images:
        raise ValueError("`recipe.plateau.metric` validation_loss needs `protocol.validation_images`, got 0.")
    if schedule.metric != "train_loss" and protocol.retrain:
        raise ValueError(f"`recipe.plateau.metric` {schedule.metric} is missing in a phase of `protocol.retrain`.")


def _in(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"`{key}` must be one of {', '.join(allowed)}, got {value!r}.")


def plain(node: Dataset | Augmentation) -> dict[str, Any]:
    """A node as a plain dict, without what is not set."""
    return {key: value for key, value in dataclasses.asdict(node).items() if value is not None}
