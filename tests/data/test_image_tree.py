"""Folders of image files."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.data import layouts
from tests.data.trees import tree_of
from torchvision import datasets

from convrepro import config_files, targets
from convrepro.data import decoding, files, image_tree, load, splits


def test_labels_are_the_alphabetical_order_of_the_folders(tmp_path: Path) -> None:
    found = image_tree.read(tree_of(tmp_path), tmp_path)
    assert found.train.names[:2] == ["set/train/cat/0.png", "set/train/cat/1.png"]
    assert found.train.labels_B.tolist() == [0] * 6 + [1] * 6
    assert found.test.names == ["set/test/cat/0.png", "set/test/cat/1.png", "set/test/dog/0.png", "set/test/dog/1.png"]


def test_one_folder_gets_a_fixed_split(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path) | {"num_train_images": 8}
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
        (tmp_path / "set" / folder / "0.jpg").write_bytes(b"JFIF")
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
        ("set/train/cat/Thumbs.db/0", "got both: '[0-5].png' beside 'Thumbs.db'"),
        ("set/test/emu/0.png", "set/train and set/test in .* must have the same classes, got 'emu' in one"),
    ],
)
def test_nothing_is_skipped(tmp_path: Path, name: str | bytes, message: str) -> None:
    dataset = tree_of(tmp_path)
    path = tmp_path / os.fsdecode(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"PNG")
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


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    (tmp_path / "set/train/dog/2.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"set/train/dog/2\.png is empty\.$"):
        image_tree.read(dataset, tmp_path)


def test_what_is_left_out_is_passed_over_and_nothing_else(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    expected = image_tree.read(dataset, tmp_path)
    (tmp_path / "set/train/cat/notes.txt").write_bytes(b"")
    (tmp_path / "set/test/clutter/empty").mkdir(parents=True)
    dataset["options"]["left_out"] = ["*/notes.txt", "clutter"]
    found = image_tree.read(dataset, tmp_path)
    assert (found.train.names, found.test.names) == (expected.train.names, expected.test.names)
    (tmp_path / "set/train/cat/Notes.txt").write_bytes(b"x")
    assert "set/train/cat/Notes.txt" in image_tree.names_below(tmp_path, "set/train", dataset["options"]["left_out"])


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_what_macos_and_windows_leave_is_passed_over(tmp_path: Path, name: str) -> None:
    dataset = layouts.LAYOUTS[name](tmp_path)
    reader = targets.resolve(dataset["_target_"])
    expected = reader(dataset, tmp_path)
    for folder in files.folders_of(dataset):
        for below in [tmp_path / folder, *(path for path in (tmp_path / folder).rglob("*") if path.is_dir())]:
            for stray in (".DS_Store", "._0001.jpg", "Thumbs.db"):
                (below / stray).write_bytes(b"\0")
    found = reader(dataset, tmp_path)
    assert (found.train.names, found.test.names) == (expected.train.names, expected.test.names)


def test_a_number_of_images_names_the_folder_and_its_classes(tmp_path: Path) -> None:
    dataset = layouts.imagenet(tmp_path)
    (tmp_path / "imagenet/train/n15075141/n15075141_37.JPEG").unlink()
    with pytest.raises(ValueError, match="must hold") as caught:
        image_tree.read(dataset, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/imagenet/train must hold 4 images, got 3: between 1 in n15075141 and 2 in n01440764."
    )


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([2], "; caltech256/256_ObjectCategories/056.dog/056_0002.jpg is missing."),
        ([1, 3], "/056.dog/056_0001.jpg, caltech256/256_ObjectCategories/056.dog/056_0003.jpg are missing."),
        ([2, 4], "; caltech256/256_ObjectCategories/056.dog/056_0002.jpg and 1 more are missing."),
        ([4], ": 3 in each class."),
    ],
)
def test_a_gap_in_the_numbers_is_named(tmp_path: Path, numbers: list[int], said: str) -> None:
    dataset = layouts.caltech256(tmp_path)
    for number in numbers:
        (tmp_path / f"caltech256/256_ObjectCategories/056.dog/056_{number:04d}.jpg").unlink()
    with pytest.raises(
        ValueError, match=f"256_ObjectCategories must hold 10 images, got {10 - len(numbers)}"
    ) as caught:
        image_tree.read(dataset, tmp_path)
    assert str(caught.value).endswith(said)


def test_a_gap_is_named_in_a_class_of_known_size(tmp_path: Path) -> None:
    dataset = layouts.fmd(tmp_path)
    (tmp_path / "FMD/image/fabric/fabric_moderate_002_new.jpg").unlink()
    said = r"class 'fabric' of fmd must have 4 .*, got 3; FMD/image/fabric/fabric_moderate_002_new\.jpg is missing\.$"
    with pytest.raises(ValueError, match=said):
        image_tree.read(dataset, tmp_path)


def test_numbers_with_gaps_of_their_own_are_not_missed() -> None:
    """Nor are those of names that have no leading zeros, or none at all."""
    assert image_tree._said_of_gaps(["a/x_3.jpg", "a/x_7.jpg"], 1) == ""
    assert image_tree._said_of_gaps([f"a/{number}.jpg" for number in range(12)], 12) == ""
    assert image_tree._said_of_gaps(["a/b.jpg", "a/README"], 1) == ""
    assert image_tree._said_of_gaps([f"a/{number}.jpg" for number in (1, 2, 10, *range(4, 10))], 1) == (
        "; a/3.jpg is missing"
    )
    assert image_tree._said_of_gaps(["a/1.jpg", "a/3.jpg"], -1) == ""


def test_a_class_too_small_for_its_draw_is_named(tmp_path: Path) -> None:
    dataset = layouts.caltech256(tmp_path)
    dataset["options"]["train_images_per_class"] = 3
    said = r"^class '001\.ak47' of caltech256 must have more images than the 3 to train on, got 3\.$"
    with pytest.raises(ValueError, match=said):
        image_tree.read(dataset, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"file_names": {"train": r"[a-z]+/[0-4]\.png"}},
            r"set/train/cat/5\.png is wrongly named: files in set/train must",
        ),
        ({"images_per_class": {"test": 3}}, "class 'cat' of tree must have 3 images in its part 'test', got 2"),
    ],
)
def test_names_and_numbers_are_those_of_the_config(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    dataset = tree_of(tmp_path)
    dataset["options"] |= options
    with pytest.raises(ValueError, match=message):
        image_tree.read(dataset, tmp_path)


def test_the_number_of_classes_is_that_of_the_config(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^tree must have 3 classes, got 2\.$"):
        image_tree.read(tree_of(tmp_path) | {"num_classes": 3}, tmp_path)


def test_caltech256_is_what_torchvision_reads_without_the_clutter(tmp_path: Path) -> None:
    """They count 1, 2, ... in each folder; of the folders we leave out the last."""
    found = image_tree.read(layouts.caltech256(tmp_path), tmp_path)
    theirs = datasets.Caltech256(str(tmp_path))
    names = [
        f"caltech256/256_ObjectCategories/{theirs.categories[label]}/{theirs.categories[label][:3]}_{number:04d}.jpg"
        for label, number in zip(theirs.y, theirs.index, strict=True)
    ]
    expected = {name: label for name, label in zip(names, theirs.y, strict=True) if "clutter" not in name}
    both = found.train.names + found.test.names
    assert len(both) == 10
    labels = [*found.train.labels_B.tolist(), *found.test.labels_B.tolist()]
    assert dict(zip(both, labels, strict=True)) == expected
    assert np.bincount(found.train.labels_B).tolist() == [2, 2, 2]
    assert np.bincount(found.test.labels_B).tolist() == [1, 2, 1]


@pytest.mark.parametrize(("part", "folder"), [("train", "train"), ("test", "val")])
def test_imagenet_is_what_torchvision_reads(tmp_path: Path, part: str, folder: str) -> None:
    found = getattr(image_tree.read(layouts.imagenet(tmp_path), tmp_path), part)
    theirs = datasets.ImageFolder(str(tmp_path / "imagenet" / folder)).samples
    assert [(str(tmp_path / name), label) for name, label in zip(found.names, found.labels_B, strict=True)] == theirs


def test_fmd_is_halved_class_by_class(tmp_path: Path) -> None:
    found = image_tree.read(layouts.fmd(tmp_path), tmp_path)
    assert found.train.labels_B.tolist() == found.test.labels_B.tolist() == [0, 0, 1, 1]
    both = found.train.names + found.test.names
    assert sorted(both) == sorted(
        path.relative_to(tmp_path).as_posix() for path in (tmp_path / "FMD/image").rglob("*.jpg")
    )


def test_the_halves_of_fmd_are_those_of_the_config() -> None:
    """Sharan et al. 2014: 100 photographs of each of 10 materials."""
    dataset = config_files.load("dataset", "fmd")
    train, test = splits.fixed_test_part(np.repeat(np.arange(10), 100), dataset)
    assert (len(train), len(test)) == (dataset["num_train_images"], dataset["num_test_images"])


@pytest.mark.parametrize(
    ("layout", "name", "other", "message"),
    [
        (layouts.caltech256, "001.ak47/001_0002.jpg", "001.ak47/002_0002.jpg", r"002_0002\.jpg is wrongly named"),
        (layouts.caltech256, "198.spider", "056.dog/x", r"must hold either images or folders, got both: .* beside 'x'"),
        (layouts.fmd, "fabric/fabric_moderate_002_new.jpg", "f.jpg", r"must hold either .*'f\.jpg' beside"),
        (layouts.fmd, "fabric/fabric_moderate_002_new.jpg", "../f.jpg", "class 'fabric' of fmd must have 4 images"),
        (layouts.imagenet, "n15075141", "../n15075141", "must have the same classes, got 'n15075141' in one"),
        (layouts.imagenet, "n15075141", "n15075142", "must have the same classes, got 'n15075141' in one"),
        (layouts.imagenet, "n15075141/n15075141_37.JPEG", "n15075141/n15075141_37.jpg", r"_37\.jpg is wrongly named"),
    ],
)
def test_a_defect_of_a_layout_is_named(
    tmp_path: Path, layout: Callable[[Path], dict[str, Any]], name: str, other: str, message: str
) -> None:
    dataset = layout(tmp_path)
    folder = tmp_path / files.folders_of(dataset)[0]
    (folder / other).parent.mkdir(exist_ok=True)
    (folder / name).rename(folder / other)
    with pytest.raises(ValueError, match=message) as caught:
        image_tree.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_cut_photograph_is_named_when_it_is_decoded(tmp_path: Path) -> None:
    dataset = layouts.imagenet(tmp_path)
    path = tmp_path / "imagenet/val/n01440764/ILSVRC2012_val_00000005.JPEG"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"ILSVRC2012_val_00000005\.JPEG cannot be used: .*truncated") as caught:
        load(dataset, tmp_path, download=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_every_layout_is_decoded_to_its_stored_size(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "cpu_count", lambda: 1)
    dataset = layouts.LAYOUTS[name](tmp_path)
    images = load(dataset, tmp_path, download=False)
    height, width = dataset.get("stored_size") or dataset["image_size"]
    assert images.train.image_shape == (3, height, width)
    assert (images.train.masks is not None) == (name == "oxford_pets")
    assert (images.validation is not None) == (name == "flowers102")


@pytest.mark.parametrize("name", layouts.LAYOUTS)
def test_the_numbers_of_a_config_add_up(name: str) -> None:
    """What the configs say of the official sets adds up: images per class, classes and parts."""
    dataset = config_files.load("dataset", name)
    for part, number in dataset["options"].get("images_per_class", {}).items():
        whole = "num_train_images" if part == "all" else f"num_{part}_images"
        other = dataset["num_test_images"] if part == "all" else 0
        assert dataset[whole] + other == number * dataset["num_classes"]
    if number := dataset["options"].get("train_images_per_class"):
        assert dataset["num_train_images"] == number * dataset["num_classes"]
    assert dataset["options"].get("resize", dataset["image_size"]) == dataset.get("stored_size", dataset["image_size"])


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


def test_folders_in_folders_without_end(tmp_path: Path) -> None:
    """Somewhere Python gives up, and paths are too long for the system."""
    (tmp_path / "set" / "/".join(["d"] * 40)).mkdir(parents=True)
    with pytest.raises(ValueError, match="folders must not lie in more than 32 others") as caught:
        image_tree.names_below(tmp_path, "set")
    assert len(str(caught.value)) < 200


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(b"12345")
    monkeypatch.setattr(image_tree, "_MAX_FILE_BYTES", 4)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("it was read"))
    for use in (image_tree.sha256_of_file, lambda *both: image_tree.decode(*both, (1, 1, 1), resize=True)):
        with pytest.raises(ValueError, match=r"a\.png must hold at most 4 bytes\.$"):
            use("a.png", tmp_path)
