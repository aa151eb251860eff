"""The schema that every composed config must fit: its keys and their types."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

TASKS = ("classification", "segmentation", "filters", "step_timing", "inference_timing", "count")
TRAINED = ("classification", "segmentation")  # tasks that train on a data set, epoch by epoch
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


def plain(node: Dataset | Augmentation) -> dict[str, Any]:
    """A node as a plain dict, without what is not set."""
    return {key: value for key, value in dataclasses.asdict(node).items() if value is not None}
