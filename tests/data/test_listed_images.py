"""Photographs that lists assign to parts: Food-101, SUN-397, MIT Indoor 67 and DTD."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.data import layouts
from torchvision import datasets

from convrepro.data import listed_images
from convrepro.data.image_tree import Files

READ_HERE = [layouts.dtd, layouts.food101, layouts.mit67, layouts.sun397]


def relative(files: list[Path], data_dir: Path) -> list[str]:
    return [path.relative_to(data_dir).as_posix() for path in files]


def labelled(part: Files) -> dict[str, int]:
    return dict(zip(part.names, part.labels_B.tolist(), strict=True))


@pytest.mark.parametrize("part", ["train", "test"])
def test_food101_is_what_torchvision_reads(tmp_path: Path, part: str) -> None:
    found = getattr(listed_images.read(layouts.food101(tmp_path), tmp_path), part)
    theirs = datasets.Food101(str(tmp_path), split=part)
    assert found.names == relative(theirs._image_files, tmp_path)
    assert found.labels_B.tolist() == theirs._labels


@pytest.mark.parametrize("partition", [1, 2])
def test_dtd_is_what_torchvision_reads(tmp_path: Path, partition: int) -> None:
    """Training is their training and validation part, as the authors of the set have it."""
    dataset = layouts.dtd(tmp_path)
    dataset["options"]["partition"] = partition
    found = listed_images.read(dataset, tmp_path)
    train, validation, test = (datasets.DTD(str(tmp_path), part, partition) for part in ("train", "val", "test"))
    assert found.train.names == relative(train._image_files + validation._image_files, tmp_path)
    assert found.train.labels_B.tolist() == train._labels + validation._labels
    assert found.test.names == relative(test._image_files, tmp_path)
    assert found.test.labels_B.tolist() == test._labels
    assert found.validation is None


def test_the_validation_part_of_dtd_may_be_had_alone(tmp_path: Path) -> None:
    dataset = layouts.dtd(tmp_path) | {"num_train_images": 3, "num_validation_images": 3}
    lists = {"train": "train", "validation": "val", "test": "test"}
    dataset["options"]["lists"] = {part: f"dtd/dtd/labels/{name}{{partition}}.txt" for part, name in lists.items()}
    dataset["options"]["images_per_class"] = dict.fromkeys(lists, 1)
    found = listed_images.read(dataset, tmp_path).validation
    assert found is not None
    assert found.names == relative(datasets.DTD(str(tmp_path), "val")._image_files, tmp_path)


@pytest.mark.parametrize(("partition", "letter"), [(1, "a"), (2, "d")])
def test_sun397_has_the_labels_of_torchvision_and_the_lines_of_a_partition(
    tmp_path: Path, partition: int, letter: str
) -> None:
    dataset = layouts.sun397(tmp_path)
    dataset["options"]["partition"] = partition
    found = listed_images.read(dataset, tmp_path)
    folders = ("a/abbey", "a/apartment_building/outdoor", "z/zoo")
    assert found.train.names == [f"SUN397/{folder}/sun_{letter}.jpg" for folder in folders]
    theirs = datasets.SUN397(str(tmp_path))
    labels = dict(zip(relative(theirs._image_files, tmp_path), theirs._labels, strict=True))
    assert len(labels) == 12
    both = labelled(found.train) | labelled(found.test)
    assert both == {name: labels[name] for name in both}


def test_classes_have_the_order_of_their_list(tmp_path: Path) -> None:
    dataset = layouts.sun397(tmp_path)
    path = tmp_path / "SUN397/ClassName.txt"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert listed_images.read(dataset, tmp_path).train.labels_B.tolist() == [2, 1, 0]


def test_mit67_is_read_line_by_line(tmp_path: Path) -> None:
    found = listed_images.read(layouts.mit67(tmp_path), tmp_path)
    assert found.train.names == ["mit67/Images/mall/shopping mall.jpg", "mit67/Images/bar/bar_1.jpg"]
    assert found.train.labels_B.tolist() == [1, 0]
    assert found.test.names == ["mit67/Images/bar/b3.jpg", "mit67/Images/mall/m2.jpg"]
    assert found.test.labels_B.tolist() == [0, 1]


def remove(name: str) -> Callable[[Path], None]:
    return lambda data_dir: (data_dir / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda data_dir: (data_dir / name).write_bytes(content) and None


def rename(name: str, other: str) -> Callable[[Path], None]:
    return lambda data_dir: (data_dir / name).rename(data_dir / other) and None


DEFECTS = {
    "no list": (layouts.food101, remove("food-101/meta/test.txt"), r"no food-101/meta/test\.txt in .*; put it there"),
    "no classes": (layouts.sun397, remove("SUN397/ClassName.txt"), r"no SUN397/ClassName\.txt in .*; put it there"),
    "no folder": (
        layouts.mit67,
        rename("mit67/Images", "mit67/images"),
        r"must have a folder 'mit67/Images'; put it there yourself",
    ),
    "an image is missing": (
        layouts.dtd,
        remove("dtd/dtd/images/banded/banded_0002.jpg"),
        r"banded_0002\.jpg is missing, which dtd/dtd/labels/val1\.txt lists\.",
    ),
    "a class is missing": (
        layouts.dtd,
        rename("dtd/dtd/images/banded", "dtd/banded"),
        r"banded/banded_0002\.jpg is missing, which dtd/dtd/labels/val1\.txt lists, and 2 more\.",
    ),
    "a wrong ending": (
        layouts.food101,
        rename("food-101/images/waffles/4.jpg", "food-101/images/waffles/4.JPEG"),
        r"waffles/4\.jpg is missing, .* lists; food-101/images/waffles/4\.JPEG is there instead\.",
    ),
    "one too many": (
        layouts.food101,
        write("food-101/images/waffles/5.jpg", b"JFIF"),
        r"images must hold 6 images, 0 of them in no list, as the archive does; got 7, 1 of them in no list: "
        r"food-101/images/waffles/5\.jpg\.$",
    ),
    "more than the archive has": (
        layouts.mit67,
        write("mit67/Images/bar/b0.jpg", b"JFIF"),
        r"Images must hold 5 images, 1 of them in no list, as the archive does; got 6, 2 of them in no list: "
        r"mit67/Images/bar/b 2\.jpg, mit67/Images/bar/b0\.jpg\.$",
    ),
    "a stray file": (
        layouts.dtd,
        write("dtd/dtd/images/notes.txt", b"\0"),
        r"images must hold either images or folders, got both: 'notes\.txt' beside '[a-z-]+'\.",
    ),
    "an empty image": (
        layouts.sun397,
        write("SUN397/z/zoo/sun_d.jpg", b""),
        r"SUN397/z/zoo/sun_d\.jpg is empty\.",
    ),
    "an empty list": (layouts.mit67, write("mit67/TestImages.txt", b""), r"TestImages\.txt must hold a list"),
    "no text": (layouts.mit67, write("mit67/TestImages.txt", b"\xff\xfe"), r"TestImages\.txt cannot be read as a list"),
    "a short list": (
        layouts.mit67,
        write("mit67/TestImages.txt", b"bar/b3.jpg\n"),
        r"mit67/TestImages\.txt must list 2 images, got 1\.",
    ),
    "no class": (
        layouts.mit67,
        write("mit67/TestImages.txt", b"bar/b3.jpg\nm2.jpg\n"),
        r"line 2 of mit67/TestImages\.txt must be <class>/<image>, got 'm2\.jpg'\.",
    ),
    "an unknown class": (
        layouts.food101,
        write("food-101/meta/test.txt", b"apple_pie/31\nsushi/31\n"),
        r"the class of 'sushi/31' must be one of food-101/meta/classes\.txt\.",
    ),
    "listed twice": (
        layouts.food101,
        write("food-101/meta/test.txt", b"apple_pie/31\nwaffles/4\n"),
        r"waffles/4\.jpg must be listed once, got it in food-101/meta/train\.txt and in food-101/meta/test\.txt\.",
    ),
    "a class too few": (
        layouts.mit67,
        write("mit67/TrainImages.txt", b"bar/bar_1.jpg\nbar/b 2.jpg\nhall/h.jpg\n"),
        r"TrainImages\.txt must list 2 images, got 3\.",
    ),
    "one class more": (
        layouts.mit67,
        write("mit67/TrainImages.txt", b"bar/bar_1.jpg\nhall/h.jpg\n"),
        r"mit67 must have 2 classes, got 3\.",
    ),
    "unequal classes": (
        layouts.food101,
        write("food-101/meta/test.txt", b"waffles/31\nwaffles/5\n"),
        r"class 'apple_pie' of food101 must have 1 images in its part 'test', got 0\.",
    ),
}


@pytest.mark.parametrize(("layout", "spoil", "message"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_named_in_one_line(
    tmp_path: Path, layout: Callable[[Path], dict[str, Any]], spoil: Callable[[Path], None], message: str
) -> None:
    dataset = layout(tmp_path)
    spoil(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        listed_images.read(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_five_images_that_no_list_names_are_named_those_of_another_ending_first(tmp_path: Path) -> None:
    dataset = layouts.mit67(tmp_path)
    for number in range(5):
        (tmp_path / f"mit67/Images/bar/a{number}.jpg").write_bytes(b"JFIF")
    (tmp_path / "mit67/Images/mall/z.png").write_bytes(b"PNG")
    first = "mit67/Images/mall/z.png, " + ", ".join(f"mit67/Images/bar/a{number}.jpg" for number in range(4))
    with pytest.raises(ValueError, match="got 11, 7 of them in no list: ") as caught:
        listed_images.read(dataset, tmp_path)
    assert str(caught.value).endswith(f": {first} and 2 more.")


@pytest.mark.parametrize("missing", ["lists", "folders", "content_sha256"])
def test_missing_options(tmp_path: Path, missing: str) -> None:
    dataset = layouts.mit67(tmp_path)
    del dataset["options"][missing]
    with pytest.raises(ValueError, match=f"`options` of mit67 must have {missing}"):
        listed_images.read(dataset, tmp_path)


def test_lists_of_unknown_parts(tmp_path: Path) -> None:
    dataset = layouts.mit67(tmp_path)
    dataset["options"]["lists"] = {"train": "mit67/TrainImages.txt", "val": "mit67/TestImages.txt"}
    with pytest.raises(ValueError, match="must name train, test and perhaps validation and classes, got train, val"):
        listed_images.read(dataset, tmp_path)


def test_the_lists_of_food101_are_told_twice(tmp_path: Path) -> None:
    """The archive has them as text, which is read, and as JSON, which torchvision reads."""
    layouts.food101(tmp_path)
    told = json.loads((tmp_path / "food-101/meta/train.json").read_text())
    assert [name for names in told.values() for name in names] == (
        tmp_path / "food-101/meta/train.txt"
    ).read_text().split()


@pytest.mark.parametrize("line", ["banded/a\0.jpg", "banded/\x1b[31ma.jpg", "banded/a\tb.jpg", "banded/\u202ea.jpg"])
def test_a_line_that_cannot_be_printed(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.txt").write_text(f"banded/1.jpg\n{line}\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"line 2 of .*a\.txt must be of characters that can be printed, got 'ba"
    ) as caught:
        listed_images.lines_of({"name": "tiny", "downloads": []}, tmp_path, "a.txt")
    assert str(caught.value).isprintable()


def test_a_list_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("banded/1.jpg\n")
    monkeypatch.setattr(listed_images, "_MAX_LIST_BYTES", 10)
    with pytest.raises(ValueError, match=r"a\.txt must hold a list of at most 10 bytes"):
        listed_images.lines_of({"name": "tiny", "downloads": []}, tmp_path, "a.txt")
