"""Which images a part holds: stratified, the same on every machine and for every seed."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

# The stream of RandomState is frozen by NumPy (NEP 19); that of default_rng is not.
_STREAM = 20210101


def stratified(labels: np.ndarray, num_held_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits indices into the rest and ``num_held_out`` held-out ones, both sorted.

    Each class gives the held-out part its share, rounded down; what is missing to ``num_held_out`` comes from
    the classes with the largest remainders, the lower label first among equals. Classes of one size therefore
    give equally many if the number divides.

    Raises:
        ValueError: if ``labels`` are not a list of integers, or ``num_held_out`` does not leave an image.
    """
    members = _shuffled_members(labels)
    if not 0 <= num_held_out < len(labels):
        raise ValueError(f"`num_held_out` must lie in 0 .. {len(labels) - 1}, got {num_held_out}.")
    shares = [len(indices) * num_held_out for indices in members]
    counts = [share // len(labels) for share in shares]
    by_remainder = sorted(range(len(members)), key=lambda c: -(shares[c] % len(labels)))
    for c in by_remainder[: num_held_out - sum(counts)]:
        counts[c] += 1
    held_out = [indices[:count] for indices, count in zip(members, counts, strict=True)]
    rest = [indices[count:] for indices, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(rest)), np.sort(np.concatenate(held_out))


def fraction(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Sorted indices of a stratified subset: of each class its share, rounded, but at least one image.

    A smaller fraction's subset is part of a larger one's.

    Raises:
        ValueError: if ``labels`` are not a list of integers, or ``fraction`` lies outside (0, 1].
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"`fraction` must lie in (0, 1], got {fraction}.")
    members = _shuffled_members(labels)
    return np.sort(np.concatenate([indices[: max(1, round(fraction * len(indices)))] for indices in members]))


def drawn_per_class(labels: np.ndarray, num_images: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits indices into ``num_images`` of each class and the rest, both sorted.

    Raises:
        ValueError: if ``labels`` are not a list of integers, or some class has no more images than that.
    """
    members = _shuffled_members(labels)
    fewest = min(map(len, members))
    if not 0 < num_images < fewest:
        raise ValueError(f"`num_images` of a class must lie in 1 .. {fewest - 1}, got {num_images}.")
    drawn = [indices[:num_images] for indices in members]
    rest = [indices[num_images:] for indices in members]
    return np.sort(np.concatenate(drawn)), np.sort(np.concatenate(rest))


def sha256_of(indices: np.ndarray) -> str:
    """SHA-256 of an index list, as little-endian int64."""
    return hashlib.sha256(np.asarray(indices).astype("<i8").tobytes()).hexdigest()


def random_test_part(num_images: int, num_test: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Splits ``range(num_images)`` into the rest and ``num_test`` test indices that a seed draws, both sorted.

    They are those of scikit-learn's ``train_test_split(test_size=num_test, random_state=seed)``: not stratified.

    Raises:
        ValueError: if ``num_test`` does not leave an image on both sides.
    """
    if not 0 < num_test < num_images:
        raise ValueError(f"`num_test` must lie in 1 .. {num_images - 1}, got {num_test}.")
    drawn = np.random.RandomState(seed).permutation(num_images)
    return np.sort(drawn[num_test:]), np.sort(drawn[:num_test])


def fixed_test_part(labels: np.ndarray, dataset: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Training and test indices of a data set that comes without an official split.

    ``options.test_images`` of the config says how many are held out, ``options.test_indices_sha256`` which.

    Raises:
        ValueError: if the held-out indices are not those of the config; says so if the number of images is another.
    """
    options = dataset["options"]
    train, test = stratified(labels, options["test_images"])
    if (found := sha256_of(test)) != options["test_indices_sha256"]:
        if len(labels) != (expected := dataset["num_train_images"] + dataset["num_test_images"]):
            raise ValueError(f"{dataset['name']} must have {expected:,} images, got {len(labels):,}.")
        raise ValueError(
            f"`options.test_indices_sha256` of {dataset['name']} must be that of its split, {found}, "
            f"got {options['test_indices_sha256']}."
        )
    return train, test


def _shuffled_members(labels: np.ndarray) -> list[np.ndarray]:
    """Indices of each class that occurs, by ascending label, in the frozen stream's order."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
        raise ValueError(f"`labels` must be a list of integers, got {labels.dtype} of shape {labels.shape}.")
    stream = np.random.RandomState(_STREAM)
    return [stream.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
