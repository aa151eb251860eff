"""Folders of image files."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data.trees import tree_of

from convrepro.data import image_tree, splits


def test_labels_are_the_alphabetical_order_of_the_folders(tmp_path: Path) -> None:
    found = image_tree.read(tree_of(tmp_path), tmp_path)
    assert found.train.names[:2] == ["set/train/cat/0.png", "set/train/cat/1.png"]
    assert found.train.labels_B.tolist() == [0] * 6 + [1] * 6
    assert found.test.names == ["set/test/cat/0.png", "set/test/cat/1.png", "set/test/dog/0.png", "set/test/dog/1.png"]


def test_one_folder_gets_a_fixed_split(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    _, held_out = splits.stratified(np.repeat([0, 1], 6), 4)
    dataset["options"] |= {
        "folders": {"all": "set/train"},
        "test_images": 4,
        "test_indices_sha256": splits.sha256_of(held_out),
    }
    found = image_tree.read(dataset, tmp_path)
    everything, _ = image_tree.list_classes(tmp_path, "set/train")
    assert found.test.names == [everything.names[i] for i in held_out]
    assert sorted(found.train.names + found.test.names) == everything.names
    assert found.test.labels_B.tolist() == [0, 0, 1, 1]


def test_classes_may_lie_deeper(tmp_path: Path) -> None:
    """As those of SUN-397: ``a/abbey`` beside ``a/apartment_building/outdoor``."""
    for folder in ("a/abbey", "a/apartment_building/outdoor"):
        (tmp_path / "set" / folder).mkdir(parents=True)
        (tmp_path / "set" / folder / "0.jpg").write_bytes(b"")
    found, classes = image_tree.list_classes(tmp_path, "set/")
    assert classes == ["a/abbey", "a/apartment_building/outdoor"]
    assert found.names == ["set/a/abbey/0.jpg", "set/a/apartment_building/outdoor/0.jpg"]


def test_content_is_what_sha256sum_says(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(tmp_path).as_posix()}\n"
        for path in sorted(tmp_path.rglob("*.png"))
    ]
    assert dataset["options"]["content_sha256"] == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("set/train/cat/inner/0.png", "cat must hold either images or folders, got both"),
        ("set/train/0.png", "train must hold either images or folders, got both"),
        ("set/train/cat/a\nb.png", r"a\\nb.png' must be a file or folder with a printable name"),
        (b"set/train/cat/\xff.png", r"udcff.png' must be a file or folder with a printable name"),
        ("set/test/emu/0.png", "set/train and set/test in .* must have the same classes, got 'emu' in one"),
    ],
)
def test_nothing_is_skipped(tmp_path: Path, name: str | bytes, message: str) -> None:
    dataset = tree_of(tmp_path)
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(ValueError, match=message) as caught:
        image_tree.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_of_files_has_no_classes(tmp_path: Path) -> None:
    tree_of(tmp_path)
    with pytest.raises(ValueError, match=r"must have a folder per class, got set/train/cat/0\.png"):
        image_tree.list_classes(tmp_path, "set/train/cat")


@pytest.mark.parametrize("target", ["0.png", ".", "nowhere"])
def test_a_link_is_refused(tmp_path: Path, target: str) -> None:
    dataset = tree_of(tmp_path)
    (tmp_path / "set/train/cat/link").symlink_to(target)
    with pytest.raises(ValueError, match="link' must be a file or folder with a printable name, and no link"):
        image_tree.read(dataset, tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    (tmp_path / "set/train/emu").mkdir()
    with pytest.raises(ValueError, match="emu must hold either images or folders, got nothing"):
        image_tree.read(dataset, tmp_path)


def test_missing_options(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`options` of tree must have content_sha256 and folders"):
        image_tree.read(tree_of(tmp_path) | {"options": {}}, tmp_path)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"folders": {"train": "set/train", "test": "none"}}, FileNotFoundError, "must have a folder 'none'"),
        ({"folders": {"train": "set/train"}}, ValueError, "must name train and test, or all, got train"),
        ({"folders": {"all": "../set"}}, ValueError, "must stay inside the data folder"),
        ({"resize": [4, 5]}, ValueError, r"`options.resize` of tree must be its `image_size`, got \[4, 5\]"),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: dict[str, Any], kind: type[Exception], message: str) -> None:
    dataset = tree_of(tmp_path)
    dataset["options"] |= options
    with pytest.raises(kind, match=message):
        image_tree.read(dataset, tmp_path)


def test_listing_needs_no_torch() -> None:
    program = "import sys; from convrepro.data import image_tree; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
