"""The schema that every composed config must fit: its keys, its types, its ranges."""

import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

TASKS = ("classification", "segmentation", "filters", "step_timing", "inference_timing", "count")
TRAINED = ("classification", "segmentation")  # tasks that train on a data set, epoch by epoch
CROP_MODES = ("zero", "reflect", "edge")
ACCELERATORS = ("auto", "cpu", "gpu")
BACKENDS = ("auto", "loop", "streams")
PRECISIONS = ("float32", "tf32", "bfloat16")
PLATEAU_METRICS = ("train_loss", "validation_loss", "test_loss", "held_out_loss")
PLATEAU_COUNTINGS = ("keras",)
CYCLES = ("gaussian", "cosine")
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
    resized_crop_area: list[float] | None = None  # of the image: a part of it is resampled to the size shown
    resized_crop_aspect: list[float] | None = None  # width over height of that part
    shift: float | None = None  # greatest, as a fraction of each side
    zoom: float | None = None  # greatest, as a fraction, of each axis alone
    brightness_of_flipped: float | None = None  # greatest change, as a fraction of white


@dataclass(kw_only=True)
class Plateau:
    """A learning rate that falls when a loss no longer does."""

    metric: (
        str  # `held_out_loss` is that of the images a phase is judged on: validation images if it has any, else test
    )
    decay_factor: float
    patience: int  # epochs without a gain that are waited
    counting: str | None = None  # "keras": a gain is absolute and an epoch less is waited; None counts as torch does
    cooldown: int | None = None  # epochs after a decay in which nothing is waited
    least_rate: float | None = None


@dataclass(kw_only=True)
class OneCycle:
    """A learning rate that rises once and falls once, step by step, over all epochs."""

    shape: str
    first_rate: float
    last_rate: float
    peak_at: float  # fraction of the steps after which the rate is the optimizer's own
    momenta: list[float] | None = None  # at the start, at the peak and at the end; None leaves the optimizer's own


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
    sigma_learning_rate: float | None = None  # of ACONV's apertures; None is that of all parameters
    decayed: str | None = None  # "kernels": weight decay of convolutions' and linear layers' weights only
    initialisation: str | None = None  # of ordinary convolutions; None is each network's own
    one_cycle: OneCycle | None = None
    pretrained: str | None = None  # weights to start from: `torchvision/<enum>.<member>` or `run/<run id>`
    trained: str | None = None  # "classifier": the features stay as they start; None trains all


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
    validation_fraction: float | None = None  # of the training images, in the place of `validation_images`
    official_validation: bool | None = None  # the data set's own validation part chooses the epoch
    random_test: bool | None = None  # each seed draws a test part of its own from all images
    top_k: int | None = None  # evaluations also say how often the label is among the first k


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
    stored_size: list[int] | None = None  # of decoded images, if larger than `image_size`, which networks are given
    num_validation_images: int | None = None  # of the official validation part, if there is one
    homepage: str | None = None  # where people get what no download fetches


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
    devices: int
    lease_seconds: float
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
        fraction = self.protocol.validation_fraction
        num_images = self.protocol.validation_images if fraction is None else fraction * self.dataset.num_train_images
        return round(num_images * self.protocol.images)

    @property
    def has_validation(self) -> bool:
        """Whether there are images to choose the epoch on."""
        return bool(self.protocol.validation_images or self.protocol.validation_fraction) or bool(
            self.protocol.official_validation
        )

    @property
    def accuracy(self) -> str:
        """What the share of right targets is called."""
        return "pixel_accuracy" if self.protocol.task == "segmentation" else "accuracy"

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
    for key, chosen, allowed in (
        ("decayed", recipe.decayed, ("kernels",)),
        ("initialisation", recipe.initialisation, ("glorot_uniform",)),
        ("trained", recipe.trained, ("classifier",)),
    ):
        if chosen is not None:
            _in(f"recipe.{key}", chosen, allowed)
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
        ("machine.devices", config.machine.devices, 1, 1024),
        ("machine.lease_seconds", config.machine.lease_seconds, 0.1, 86_400.0),
        ("seed", config.seed, 0, 2**31 - 1),
    ):
        if not (math.isfinite(value) and low <= value <= high):
            raise ValueError(f"`{key}` must lie in [{low:g}, {high:g}], got {value}.")
    _check_protocol(config)
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
    if recipe.pretrained is not None and recipe.pretrained.partition("/")[0] not in ("torchvision", "run"):
        raise ValueError(
            f"`recipe.pretrained` must be torchvision/<weights> or run/<run id>, got {recipe.pretrained!r}."
        )
    if not config.machine.cache_dir:
        raise ValueError("`machine.cache_dir` must name a folder.")
    if len(config.dataset.image_size) != 2 or min(config.dataset.image_size) < 1:
        raise ValueError(f"`dataset.image_size` must be [height, width], got {config.dataset.image_size}.")
    _check_stored_images(config.dataset)
    _check_movements(augmentation)
    for key, node in (("conv", config.conv), ("model", config.model), ("recipe.optimizer", recipe.optimizer)):
        if not isinstance(node.get("_target_"), str):
            raise ValueError(f"`{key}._target_` must name a class, got {node.get('_target_')!r}.")


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


def _check_stored_images(dataset: Dataset) -> None:
    stored = dataset.stored_size or dataset.image_size
    if len(stored) != 2 or any(side < shown for side, shown in zip(stored, dataset.image_size, strict=True)):
        raise ValueError(
            f"`dataset.stored_size` must be [height, width] from `image_size` {dataset.image_size} on, got {stored}."
        )
    if dataset.num_validation_images is not None and dataset.num_validation_images < 1:
        raise ValueError(f"`dataset.num_validation_images` must be at least 1, got {dataset.num_validation_images}.")


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
    _in("recipe.plateau.metric", schedule.metric, PLATEAU_METRICS)
    if not 0 < schedule.decay_factor <= 1 or schedule.patience < 0:
        raise ValueError(
            f"`recipe.plateau` must have a `decay_factor` in (0, 1] and a `patience` from 0 on, got "
            f"{schedule.decay_factor} and {schedule.patience}."
        )
    if schedule.counting is not None:
        _in("recipe.plateau.counting", schedule.counting, PLATEAU_COUNTINGS)
    if (schedule.cooldown or 0) < 0 or (schedule.least_rate or 0.0) < 0:
        raise ValueError("`recipe.plateau` must have a `cooldown` and a `least_rate` from 0 on.")
    if schedule.metric == "validation_loss" and not config.has_validation:
        raise ValueError("`recipe.plateau.metric` validation_loss needs `protocol.validation_images`, got 0.")
    if schedule.metric not in ("train_loss", "held_out_loss") and config.protocol.retrain:
        raise ValueError(f"`recipe.plateau.metric` {schedule.metric} is missing in a phase of `protocol.retrain`.")


def _check_one_cycle(cycle: OneCycle, recipe: Recipe) -> None:
    _in("recipe.one_cycle.shape", cycle.shape, CYCLES)
    rates = (cycle.first_rate, cycle.last_rate, *(cycle.momenta or []))
    if not (0 < cycle.peak_at < 1 and all(0 <= rate < math.inf for rate in rates)):
        raise ValueError("`recipe.one_cycle` must have a `peak_at` inside (0, 1), and rates and momenta from 0 on.")
    if cycle.momenta is not None and (len(cycle.momenta) != 3 or max(cycle.momenta) >= 1):
        raise ValueError(f"`recipe.one_cycle.momenta` must be three numbers below 1, got {cycle.momenta}.")
    if recipe.plateau is not None or recipe.milestones:
        raise ValueError("`recipe.one_cycle` must stand without `plateau` and with `milestones` [].")


def _in(key: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"`{key}` must be one of {', '.join(allowed)}, got {value!r}.")


def plain(node: Dataset | Augmentation) -> dict[str, Any]:
    """A node as a plain dict, without what is not set."""
    return {key: value for key, value in dataclasses.asdict(node).items() if value is not None}
