"""What the baselines do, seen from outside: through torch's hooks and their batches."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from convrepro.benchmarks import baselines, epochs
from convrepro.benchmarks.settings import Settings
from convrepro.benchmarks.workload import workload
from convrepro.data import EpochLoader, ImageSplit
from convrepro.models import CNN4
from convrepro.protocols.schema import Config, plain

NUM_TRAIN, NUM_TEST = 200, 40
LOOPS: dict[str, Callable[[Callable[[], None], Config], None]] = {
    "plain": lambda finished, config: baselines.plain_loop(finished, config, 0),
    "lightning": lambda finished, config: baselines.lightning_loop(finished, config, 0),
    "tensors": baselines.tensor_loop,
    "ours": epochs.run_epochs,
}


@contextmanager
def batches_seen() -> Iterator[list[tuple[bool, tuple[int, ...], bool]]]:
    """Whether in training, shape, and whether channels last, of all that goes into a CNN4."""
    seen: list[tuple[bool, tuple[int, ...], bool]] = []

    def note(module: nn.Module, arguments: tuple[torch.Tensor]) -> None:
        if isinstance(module, CNN4):
            (x_BCHW,) = arguments
            is_last = x_BCHW.is_contiguous(memory_format=torch.channels_last) and not x_BCHW.is_contiguous()
            seen.append((module.training, tuple(x_BCHW.shape), is_last))

    hook = register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize("name", LOOPS)
def test_every_side_sees_the_same_images_in_the_same_steps(settings: Settings, name: str) -> None:
    config = workload(settings, model="cnn4", num_train=NUM_TRAIN, num_epochs=3)
    marks: list[int] = []
    with batches_seen() as seen, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's, about few workers
        LOOPS[name](lambda: marks.append(len(seen)), config)
    shapes = [(training, shape[0]) for training, shape, _ in seen if shape[0] > 2]  # a run also counts operations
    if name == "lightning":
        assert shapes[0] == (False, NUM_TEST)  # tried once before the first epoch
        shapes, marks = shapes[1:], [mark - 1 for mark in marks]
    assert shapes == 3 * [(True, 128), (True, 72), (False, NUM_TEST)]
    # Each mark is one epoch after the one before. The run's last two are not exact: it counts operations at its end.
    assert marks[1] - marks[0] == 3
    assert {"plain": 3, "tensors": 3, "lightning": 2, "ours": 3}[name] == len(marks)


@pytest.mark.parametrize("name", ["plain", "tensors"])
def test_only_the_practical_limit_has_channels_last(settings: Settings, name: str) -> None:
    config = workload(settings, model="cnn4", num_train=NUM_TRAIN, num_epochs=1)
    with batches_seen() as seen:
        LOOPS[name](lambda: None, config)
    assert {is_last for _, _, is_last in seen} == {name == "tensors"}


@pytest.mark.parametrize("name", ["plain", "lightning", "tensors"])
def test_every_baseline_learns(settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = workload(settings, model="cnn4", num_train=NUM_TRAIN, num_epochs=1)
    (network, before) = (baselines.network_of(config) for _ in range(2))
    monkeypatch.setattr(baselines, "network_of", lambda config: network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LOOPS[name](lambda: None, config)
    pairs = zip(network.parameters(), before.parameters(), strict=True)
    assert not any(torch.equal(parameter, old) for parameter, old in pairs)


def ours(split: ImageSplit, config: Config) -> torch.Tensor:
    dataset = config.dataset
    loader = EpochLoader(
        split,
        batch_size=64,
        mean=dataset.mean,
        std=dataset.std,
        augmentation=plain(config.recipe.augmentation),
        device=torch.device("cpu"),
    )
    return torch.cat([x_BCHW for x_BCHW, _ in loader.epoch(0, 0)])


def theirs(split: ImageSplit, config: Config, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
    monkeypatch.setattr(baselines, "_read", lambda config: (split, split))
    torch.manual_seed(0)
    return torch.cat([x_BCHW for x_BCHW, _ in baselines.pil_loaders(config, 0)[0]])


@pytest.mark.parametrize("side", ["theirs", "ours"])
def test_augmentation_is_the_same_in_distribution(
    settings: Settings, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of one image: each becomes one of 9 x 9 windows of the image with 4 reflected pixels, mirrored or not."""
    config = workload(settings, model="cnn4", num_train=NUM_TRAIN, num_epochs=1)
    num_copies = 1800
    image_CHW = np.random.default_rng(0).integers(0, 256, (3, 32, 32), dtype=np.uint8)
    copies = torch.from_numpy(image_CHW).expand(num_copies, 3, 32, 32).contiguous()
    split = ImageSplit(copies, torch.zeros(num_copies, dtype=torch.int64))
    shown = ours(split, config) if side == "ours" else theirs(split, config, monkeypatch)

    padded = np.pad(image_CHW, ((0, 0), (4, 4), (4, 4)), mode="reflect").astype(np.float64) / 255
    windows = [padded[:, top : top + 32, left : left + 32] for top in range(9) for left in range(9)]
    windows += [window[:, :, ::-1] for window in windows]
    mean, std = (np.array(values)[:, None, None] for values in (config.dataset.mean, config.dataset.std))
    windows_W = torch.from_numpy(np.stack([(window - mean) / std for window in windows])).float().flatten(1)
    distances, nearest = torch.cdist(shown.flatten(1), windows_W, compute_mode="donot_use_mm_for_euclid_dist").min(
        dim=1
    )
    assert float(distances.max()) < 1e-3  # float32; different windows are 60 apart

    counts = torch.bincount(nearest, minlength=162).reshape(2, 9, 9).double()
    flips, tops, lefts = counts.sum((1, 2)), counts.sum((0, 2)), counts.sum((0, 1))
    # Five standard deviations of a binomial count: sqrt(1800 / 4) = 21, sqrt(1800 * 1/9 * 8/9) = 13.
    assert float((flips - num_copies / 2).abs().max()) < 5 * 21.3
    assert float((tops - num_copies / 9).abs().max()) < 5 * 13.4
    assert float((lefts - num_copies / 9).abs().max()) < 5 * 13.4


def test_test_images_are_normalised_only_and_in_order(settings: Settings) -> None:
    config = workload(settings, model="cnn4", num_train=NUM_TRAIN, num_epochs=1)
    _, test_loader = baselines.pil_loaders(config, 0)
    x_BCHW, labels_B = next(iter(test_loader))
    test = baselines._read(config)[1]
    mean, std = (torch.tensor(values)[:, None, None] for values in (config.dataset.mean, config.dataset.std))
    torch.testing.assert_close(x_BCHW, (test.images_BCHW / 255 - mean) / std)
    assert torch.equal(labels_B, test.labels_B)


def test_workers_stay_between_epochs(settings: Settings) -> None:
    config = workload(settings, model="cnn4", num_train=NUM_TRAIN, num_epochs=1)
    for loader in baselines.pil_loaders(config, 2):
        assert (loader.num_workers, loader.persistent_workers) == (2, True)
