"""Large sets: images that stay in a file and are read ahead by other processes."""

import multiprocessing
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.data.trees import tree_of

from convrepro import config_files
from convrepro.data import EpochLoader, EvaluationLoader, ImageSet, load, shown_images
from convrepro.data.shown_images import Prefetched, ShownImages

CPU = torch.device("cpu")
NORMALIZATION = {"mean": [0.4914, 0.4822, 0.4465], "std": [0.247, 0.2435, 0.2616]}
EVERYTHING = config_files.load("recipe/augmentation", "dk_fashion_mnist") | {"crop_mode": "edge"}


@pytest.fixture
def small_and_large(tmp_path: Path) -> tuple[ImageSet, ImageSet]:
    """The same images, in memory and in their file."""
    dataset = tree_of(tmp_path)
    small = load(dataset, tmp_path, download=False)
    large = load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache", max_resident_bytes=10)
    assert large.train.stays_in
    assert not small.train.stays_in
    return small, large


def training(images: ImageSet, num_workers: int = 0, **keys: Any) -> EpochLoader:
    arguments = {"batch_size": 5, "augmentation": EVERYTHING, "device": CPU, **NORMALIZATION} | keys
    return EpochLoader(images.train.subset(range(11)), num_workers=num_workers, **arguments)


def joined(batches: Iterator[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    x_BCHW, labels_B = (torch.cat(tensors) for tensors in zip(*batches, strict=True))
    return x_BCHW, labels_B


@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_batches_are_those_of_a_set_in_memory(small_and_large: tuple[ImageSet, ImageSet], num_workers: int) -> None:
    small, large = small_and_large
    epochs = [training(images, num_workers).epoch(3, 7) for images in (small, large)]
    for _ in range(2):  # an epoch may be iterated again
        for (x, labels), (y, others) in zip(*epochs, strict=True):
            assert torch.equal(x, y)
            assert torch.equal(labels, others)
            assert y.is_contiguous(memory_format=torch.channels_last)


def test_evaluation_is_that_of_a_set_in_memory(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    loaders = [EvaluationLoader(images.test, batch_size=3, device=CPU, **NORMALIZATION) for images in small_and_large]
    for (x, labels), (y, others) in zip(*loaders, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(labels, others)


def test_images_in_bulk_are_the_rows_of_the_batches(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    """In chunks of whole batches, in others, and out of order."""
    epoch = training(small_and_large[1], 1).epoch(0, 0)
    x_BCHW, labels_B = joined(iter(epoch))
    for start, stop in ((0, 10), (10, 15), (3, 9), (9, 11), (0, 2)):
        some, some_labels = epoch.images(start, stop)
        assert torch.equal(some, x_BCHW[start:stop])
        assert torch.equal(some_labels, labels_B[start:stop])


def test_reading_on_needs_no_new_processes(
    small_and_large: tuple[ImageSet, ImageSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[int] = []
    read_ahead = Prefetched._read_ahead
    monkeypatch.setattr(Prefetched, "_read_ahead", lambda self, start: starts.append(start) or read_ahead(self, start))
    epoch = training(small_and_large[1], 1, batch_size=2).epoch(0, 0)
    for start in range(0, 11, 4):
        epoch.images(start, start + 4)
    assert starts == [0]


@pytest.mark.parametrize(
    ("num_seeds", "num_workers", "num_cores", "expected"),
    [(1, 0, 2, 2), (5, 0, 2, 2), (5, 1, 2, 1), (2, 0, 5, 4), (1, 9, 2, 2)],
)
def test_seeds_share_the_processes(
    small_and_large: tuple[ImageSet, ImageSet],
    monkeypatch: pytest.MonkeyPatch,
    num_seeds: int,
    num_workers: int,
    num_cores: int,
    expected: int,
) -> None:
    """Two epochs; when they are through, no process is left."""
    monkeypatch.setattr(shown_images, "cpu_count", lambda: num_cores)
    small, large = (training(images, num_workers) for images in small_and_large)
    before = set(multiprocessing.active_children())  # other tests' processes may end meanwhile
    for number in range(2):
        epochs, same = ([loader.epoch(seed, number) for seed in range(num_seeds)] for loader in (large, small))
        for start in range(0, 11, 5):
            for epoch, other in zip(epochs, same, strict=True):
                assert torch.equal(epoch.images(start, start + 5)[0], other.images(start, start + 5)[0])
            if start == 0:
                assert len(set(multiprocessing.active_children()) - before) == expected
        assert not set(multiprocessing.active_children()) - before


def test_reading_ahead_leaves_the_global_generator_alone(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    before = torch.get_rng_state()
    list(training(small_and_large[1], 1).epoch(0, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_images_in_a_file_do_not_travel_to_another_process(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    part = small_and_large[1].train
    copy = pickle.loads(pickle.dumps(part))
    assert torch.equal(copy.images_BCHW, part.images_BCHW)
    content = pickle.dumps(part.stored_MHWC)
    assert part.stored_MHWC.numpy().tobytes() in content
    assert part.stored_MHWC.numpy().tobytes() not in pickle.dumps(part)


def test_images_in_a_file_never_move_to_a_device(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    moved = small_and_large[1].to(torch.device("meta"))
    assert moved.train.stored_MHWC.device == CPU


def test_images_as_they_are_without_draws(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    part = small_and_large[0].train
    shown = ShownImages(part, torch.tensor([4, 2, 0]))
    assert torch.equal(shown(1, 3), part.stored_MHWC[[2, 0]])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_batches_of_a_large_set(small_and_large: tuple[ImageSet, ImageSet]) -> None:
    """Read ahead into pinned memory, against images that live on the device."""
    small, large = small_and_large
    epochs = [training(images, device=torch.device("cuda")).epoch(3, 7) for images in (small, large)]
    for (x, labels), (y, others) in zip(*epochs, strict=True):
        assert torch.equal(x, y)
        assert torch.equal(labels, others)
