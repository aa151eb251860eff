"""Labelled Faces in the Wild on a tiny copy of scikit-learn's layout."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from convrepro import config_files
from convrepro.data import datasets, image_tree, lfw, load, splits

FOLDER = "lfw_home/lfw_funneled"
PEOPLE = {"Ann_A": 4, "Bob_B": 1, "Cid_van_C": 3}  # all but Bob have at least three


def copy_of(data_dir: Path) -> dict[str, Any]:
    stream = np.random.RandomState(0)
    for person, number in PEOPLE.items():
        (data_dir / FOLDER / person).mkdir(parents=True)
        for i in range(1, number + 1):
            small = stream.randint(0, 256, (10, 10, 3)).astype(np.uint8)
            image = Image.fromarray(small).resize((250, 250), Image.Resampling.NEAREST)
            image.save(data_dir / FOLDER / person / f"{person}_{i:04d}.jpg")
    official = config_files.load("dataset", "lfw")
    options = official["options"] | {"min_faces_per_person": 3, "test_images": 2, "test_indices_sha256": ""}
    dataset = official | {"num_classes": 2, "num_train_images": 5, "num_test_images": 2, "options": options}
    options["test_indices_sha256"] = splits.sha256_of(splits.stratified(shuffled(labels()), 2)[1])
    return dataset


def labels() -> np.ndarray:
    return np.array([0] * 4 + [1] * 3)


def shuffled(array: np.ndarray) -> np.ndarray:
    """In scikit-learn's order."""
    indices = np.arange(len(array))
    np.random.RandomState(42).shuffle(indices)
    return array[indices]


def test_the_middle_of_each_face_of_people_with_enough(tmp_path: Path) -> None:
    """Rows 70 to 195 and columns 78 to 172, shrunk to 0.4, mean of the colours."""
    dataset = copy_of(tmp_path)
    images = lfw.read(dataset, tmp_path)
    assert images.train.image_shape == (1, 50, 37)
    everything = shuffled(labels())
    rest, held_out = splits.stratified(everything, 2)
    assert images.train.labels_B.tolist() == everything[rest].tolist()
    assert images.test.labels_B.tolist() == everything[held_out].tolist()
    paths = [tmp_path / name for name in image_tree.names_below(tmp_path, FOLDER) if "Bob" not in name]
    for row, found in zip(rest, images.train.images_BCHW[:, 0].numpy(), strict=True):
        with Image.open(shuffled(np.array(paths))[row]) as image:
            face = np.asarray(image.crop((78, 70, 172, 195)).resize((37, 50)), np.float64).mean(2)
        assert np.abs(found - face).max() <= 0.51


def test_the_content_is_said_if_it_is_not_pinned(tmp_path: Path) -> None:
    dataset = copy_of(tmp_path)
    names = image_tree.names_below(tmp_path, FOLDER)
    expected = image_tree.content_sha256(names, [image_tree.sha256_of_file(name, tmp_path) for name in names])
    assert lfw.read(dataset, tmp_path).content_sha256 == expected
    assert datasets.verify(dataset, tmp_path) == (5, 2, expected)
    dataset["options"]["content_sha256"] = expected
    assert lfw.read(dataset, tmp_path).content_sha256 == ""
    dataset["options"]["content_sha256"] = "0" * 64
    with pytest.raises(ValueError, match=f"`options.content_sha256` of lfw must be that of its files, {expected}"):
        lfw.read(dataset, tmp_path)


def test_faces_are_read_once_and_changed_ones_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the cache of decoded sets nor scikit-learn's answers for images that have changed."""
    dataset, calls, read = copy_of(tmp_path), [], datasets._read
    monkeypatch.setattr(datasets, "_read", lambda *a, **k: calls.append(a) or read(*a, **k))
    for _ in range(2):
        first = load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache")
    assert len(calls) == 1
    for path in (tmp_path / FOLDER).rglob("*.jpg"):
        Image.new("RGB", (250, 250), (40, 40, 40)).save(path)
    second = load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache")
    assert second.train.images_BCHW.unique().tolist() == [40]
    assert len({first.content_sha256, second.content_sha256, ""}) == 3


def test_nothing_is_written_beside_the_images(tmp_path: Path) -> None:
    dataset = copy_of(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    lfw.read(dataset, tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no lfw_home/lfw_funneled in .*; put it there yourself"):
        lfw.read(config_files.load("dataset", "lfw"), tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("Ann_A/Bob_0001.jpg", b"x", r"Ann_A/Bob_0001\.jpg is wrongly named: images of a person lie in <Person>"),
        ("Ann_A/Ann_A_0005.png", b"x", r"Ann_A/Ann_A_0005\.png is wrongly named"),
        ("Ann_A/more/Ann_A_0005.jpg", b"x", "must hold either images or folders"),
        ("Ann_A/Ann_A_0004.jpg", b"\xff\xd8\xff", r"Ann_A_0004\.jpg cannot be used: it is no JPEG"),
        ("Ann_A/Ann_A_0004.jpg", b"", r"Ann_A_0004\.jpg is empty"),
    ],
)
def test_files_that_do_not_belong_there(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    dataset, path = copy_of(tmp_path), tmp_path / FOLDER / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        lfw.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = copy_of(tmp_path)
    monkeypatch.setattr(lfw, "_MAX_FILE_BYTES", 100)
    with pytest.raises(ValueError, match=r"\.jpg must hold at most 100 bytes"):
        lfw.read(dataset, tmp_path)


def test_a_person_who_is_missing(tmp_path: Path) -> None:
    """The split then is another, which its hash shows."""
    dataset = copy_of(tmp_path)
    for path in (tmp_path / FOLDER / "Ann_A").iterdir():
        path.unlink()
    (tmp_path / FOLDER / "Ann_A").rmdir()
    with pytest.raises(ValueError, match=r"^lfw must have 7 images, got 3\.$"):
        lfw.read(dataset, tmp_path)


def test_the_config_names_the_folder_that_scikit_learn_reads(tmp_path: Path) -> None:
    dataset = copy_of(tmp_path)
    dataset["options"]["folders"] = {"all": "faces"}
    with pytest.raises(ValueError, match=r"`options\.folders` of lfw must be \{all: lfw_home/lfw_funneled\}"):
        lfw.read(dataset, tmp_path)


def test_what_macos_and_windows_leave_is_passed_over(tmp_path: Path) -> None:
    """scikit-learn would take it for images."""
    dataset = copy_of(tmp_path)
    expected = lfw.read(dataset, tmp_path)
    for stray in (".DS_Store", "Ann_A/.DS_Store", "Ann_A/._Ann_A_0001.jpg", "Bob_B/Thumbs.db"):
        (tmp_path / FOLDER / stray).write_bytes(b"\0\5\26\7")
    found = lfw.read(dataset, tmp_path)
    assert torch.equal(found.train.images_BCHW, expected.train.images_BCHW)
    assert torch.equal(found.train.labels_B, expected.train.labels_B)
    assert found.content_sha256 == expected.content_sha256


def test_an_image_of_another_size_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    dataset = copy_of(tmp_path)
    Image.new("RGB", (250, 251)).save(tmp_path / FOLDER / "Ann_A/Ann_A_0001.jpg")
    with pytest.raises(ValueError, match=r"Ann_A_0001\.jpg cannot be used: it must be 250x250 pixels, got 250x251\.$"):
        lfw.read(dataset, tmp_path)
