"""Stratified parts."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from convrepro.data import splits


def test_equal_classes_give_equally_many() -> None:
    """5,000 of 50,000 images of 100 classes of 500: 50 a class (DK-CNN, Sec. 4.1)."""
    labels = np.repeat(np.arange(100), 500)
    rest, held_out = splits.stratified(labels, 5000)
    assert np.bincount(labels[held_out]).tolist() == [50] * 100
    assert np.bincount(labels[rest]).tolist() == [450] * 100


def test_largest_remainder() -> None:
    """4 of 10 images: shares 5 * 4 / 10 = 2.0, 3 * 4 / 10 = 1.2, 2 * 4 / 10 = 0.8; the last is rounded up."""
    labels = np.array([0] * 5 + [1] * 3 + [2] * 2)
    _, held_out = splits.stratified(labels, 4)
    assert np.bincount(labels[held_out], minlength=3).tolist() == [2, 1, 1]


def test_lower_label_first_among_equal_remainders() -> None:
    labels = np.repeat([0, 1, 2], 2)  # shares 2/3 each
    _, held_out = splits.stratified(labels, 2)
    assert labels[held_out].tolist() == [0, 1]


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60).map(np.array),
    share=st.floats(0, 1, exclude_max=True),
)
def test_parts_are_sorted_disjoint_and_everything(labels: np.ndarray, share: float) -> None:
    num_held_out = int(share * len(labels))
    rest, held_out = splits.stratified(labels, num_held_out)
    assert len(held_out) == num_held_out
    assert sorted([*rest, *held_out]) == list(range(len(labels)))
    assert rest.tolist() == sorted(rest)
    assert held_out.tolist() == sorted(held_out)
    for label in np.unique(labels):
        exact = num_held_out * (labels == label).sum() / len(labels)
        assert abs((labels[held_out] == label).sum() - exact) < 1


def test_held_out_images_are_not_the_first_of_their_class() -> None:
    _, held_out = splits.stratified(np.zeros(1000, dtype=np.int64), 100)
    assert 400 < held_out.mean() < 600  # 499.5 +- 27 by chance


def test_split_is_the_same_forever() -> None:
    """Records carry the hash of their split: the stream must never change."""
    _, held_out = splits.stratified(np.repeat([0, 1], 5), 4)
    assert held_out.tolist() == [0, 2, 5, 6]


def test_hash_is_over_little_endian_int64() -> None:
    expected = hashlib.sha256(struct.pack("<3q", 0, 5, 2**40)).hexdigest()
    assert splits.sha256_of(np.array([0, 5, 2**40])) == expected


def test_fraction_of_each_class_is_rounded_but_at_least_one() -> None:
    labels = np.array([0] * 100 + [1] * 47 + [2] * 3)
    chosen = splits.fraction(labels, 0.1)  # 10.0, 4.7 and 0.3 images
    assert np.bincount(labels[chosen]).tolist() == [10, 5, 1]
    assert chosen.tolist() == sorted(chosen)


def test_smaller_fractions_are_nested() -> None:
    labels = np.repeat(np.arange(10), 30)
    tenth, half, whole = (set(splits.fraction(labels, f).tolist()) for f in (0.1, 0.5, 1.0))
    assert tenth < half < whole == set(range(300))


@pytest.mark.parametrize("num_held_out", [-1, 10, 11])
def test_split_that_leaves_nothing(num_held_out: int) -> None:
    with pytest.raises(ValueError, match=rf"`num_held_out` must lie in 0 \.\. 9, got {num_held_out}"):
        splits.stratified(np.zeros(10, dtype=np.int64), num_held_out)


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.5, float("nan")])
def test_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match=r"`fraction` must lie in \(0, 1\], got"):
        splits.fraction(np.zeros(10, dtype=np.int64), fraction)


@pytest.mark.parametrize("labels", [np.zeros((2, 2), int), np.zeros(3), np.zeros(0, int)])
def test_labels_must_be_a_list_of_integers(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="`labels` must be a list of integers, got"):
        splits.stratified(labels, 0)


def test_fixed_test_part_is_checked_against_its_hash() -> None:
    options = {"test_images": 4, "test_indices_sha256": "0" * 64}
    dataset = {"name": "tiny", "num_train_images": 6, "num_test_images": 4, "options": options}
    with pytest.raises(ValueError, match=r"`options\.test_indices_sha256` of tiny must be that of its split"):
        splits.fixed_test_part(np.repeat([0, 1], 5), dataset)
    with pytest.raises(ValueError, match=r"^tiny must have 10 images, got 9\.$"):
        splits.fixed_test_part(np.repeat([0, 1, 2], 3), dataset)


def test_as_many_are_drawn_of_each_class() -> None:
    """Of 3, 5 and 4 images two each; the others are left."""
    labels = np.array([2, 0, 1, 1, 0, 2, 1, 2, 1, 0, 1, 2])
    drawn, rest = splits.drawn_per_class(labels, 2)
    assert np.bincount(labels[drawn]).tolist() == [2, 2, 2]
    assert np.bincount(labels[rest]).tolist() == [1, 3, 2]
    assert sorted([*drawn, *rest]) == list(range(12))
    assert drawn.tolist() == sorted(drawn)
    assert rest.tolist() == sorted(rest)


def test_what_is_drawn_of_each_class_never_changes() -> None:
    """The draw of Caltech-256 is in no config, for its class sizes are in no list; these are 80 to 82 images."""
    drawn, _ = splits.drawn_per_class(np.repeat([0, 1, 2], [80, 81, 82]), 60)
    assert splits.sha256_of(drawn)[:16] == "67f8dce5139bae16"


@pytest.mark.parametrize("num_images", [0, 3])
def test_more_than_a_class_has_cannot_be_drawn(num_images: int) -> None:
    with pytest.raises(ValueError, match=rf"^`num_images` of a class must lie in 1 \.\. 2, got {num_images}\.$"):
        splits.drawn_per_class(np.array([0, 0, 0, 1, 1, 1, 1]), num_images)


@pytest.mark.parametrize("seed", [0, 31, 48])
def test_random_test_part_is_that_of_scikit_learn(seed: int) -> None:
    """The split of the 3,023 faces into 2,267 and 756."""
    rest, test = splits.random_test_part(3023, 756, seed)
    expected_rest, expected_test = train_test_split(np.arange(3023), test_size=756, random_state=seed)
    assert rest.tolist() == sorted(expected_rest)
    assert test.tolist() == sorted(expected_test)
    assert (len(rest), len(test)) == (2267, 756)


@pytest.mark.parametrize("num_test", [0, 10])
def test_random_test_part_that_leaves_nothing(num_test: int) -> None:
    with pytest.raises(ValueError, match=rf"`num_test` must lie in 1 \.\. 9, got {num_test}"):
        splits.random_test_part(10, num_test, 0)
