"""Tiny copies of sets of photographs as their authors' archives unpack, and configs with their numbers."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from PIL import Image

from convrepro import config_files
from convrepro.data import splits

FLOWER_LABELS = [2, 1, 1, 2, 2, 1, 1]  # of image_00001.jpg ..., counted from 1
FLOWER_IDS = {"trnid": [4, 2], "valid": [1, 3], "tstid": [7, 5, 6]}
BREEDS = ("Abyssinian", "american_bulldog")


def photograph(path: Path, seed: int = 0, *, form: str = "JPEG", mode: str = "RGB") -> None:
    """An image of random pixels, 9 x 11 or so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = np.random.RandomState(seed)
    pixels = stream.randint(0, 256, (9, 10 + seed % 3, 4)).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, format=form)


def config(name: str, train: int, test: int, classes: int, **options: Any) -> dict[str, Any]:
    """The project's own config, for a copy of other numbers and a smaller stored size."""
    dataset = config_files.load("dataset", name)
    own = {"resize": [8, 8]} if "resize" in dataset["options"] else {}
    sizes = {"image_size": [6, 6]} | ({"stored_size": [8, 8]} if "stored_size" in dataset else {})
    numbers = {"num_train_images": train, "num_test_images": test, "num_classes": classes}
    return dataset | sizes | numbers | {"options": dataset["options"] | own | options}


def flowers102(data_dir: Path) -> dict[str, Any]:
    folder = data_dir / "flowers-102"
    for number in range(1, 8):
        photograph(folder / "jpg" / f"image_{number:05d}.jpg", number)
    scipy.io.savemat(folder / "imagelabels.mat", {"labels": np.array([FLOWER_LABELS], np.uint8)})
    scipy.io.savemat(folder / "setid.mat", {key: np.array([ids], np.uint16) for key, ids in FLOWER_IDS.items()})
    dataset = config("flowers102", 2, 3, 2, images_per_class={"train": 1, "validation": 1})
    dataset["num_validation_images"] = 2
    for name in dataset["files"]:
        content = (data_dir / name).read_bytes()
        dataset["files"][name] = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return dataset


def oxford_pets(data_dir: Path) -> dict[str, Any]:
    """Two breeds of three images: one is a PNG with transparency, one a GIF, and one of each breed is in no list."""
    top = data_dir / "oxford-iiit-pet"
    lines = []
    for label, breed in enumerate(BREEDS, start=1):
        for number in (1, 2, 100):
            form, mode = {(1, 2): ("PNG", "RGBA"), (2, 2): ("GIF", "P")}.get((label, number), ("JPEG", "RGB"))
            photograph(top / "images" / f"{breed}_{number}.jpg", number, form=form, mode=mode)
            mask = np.random.RandomState(number).randint(1, 4, (9, 10 + number % 3)).astype(np.uint8)
            (top / "annotations/trimaps").mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask).save(top / "annotations/trimaps" / f"{breed}_{number}.png")
            (top / "annotations/trimaps" / f"._{breed}_{number}.png").write_bytes(b"\0\5\26\7")
            lines.append(f"{breed}_{number} {label} {label} 1\n")
    (top / "images/Abyssinian_100.mat").write_bytes(b"MATLAB 5.0")
    (top / "annotations/trainval.txt").write_text(lines[1] + lines[3])
    (top / "annotations/test.txt").write_text(lines[0] + lines[4])
    (top / "annotations/README").write_text("about\n")
    return config("oxford_pets", 2, 2, 3, unlisted_images=2, breeds=2)


def food101(data_dir: Path) -> dict[str, Any]:
    top = data_dir / "food-101"
    (top / "meta").mkdir(parents=True)
    parts: dict[str, dict[str, list[str]]] = {"train": {}, "test": {}}
    for name in ("apple_pie", "waffles"):
        for number in (31, 4, 50):
            photograph(top / "images" / name / f"{number}.jpg", number)
        parts["train"][name], parts["test"][name] = [f"{name}/4", f"{name}/50"], [f"{name}/31"]
    for part, names in parts.items():
        (top / "meta" / f"{part}.json").write_text(json.dumps(names))
        (top / "meta" / f"{part}.txt").write_text("\n".join(line for lines in names.values() for line in lines) + "\n")
    (top / "meta/classes.txt").write_text("apple_pie\nwaffles\n")
    return config("food101", 4, 2, 2, images_per_class={"train": 2, "test": 1})


def sun397(data_dir: Path) -> dict[str, Any]:
    top = data_dir / "SUN397"
    classes, letters = ("/a/abbey", "/a/apartment_building/outdoor", "/z/zoo"), "abcd"
    for name in classes:
        for letter in letters:
            photograph(top / f"{name[1:]}/sun_{letter}.jpg", ord(letter))
    (top / "ClassName.txt").write_text("\n".join(classes) + "\n")
    (top / "Partitions").mkdir()
    for number, (train, test) in enumerate(("ac", "db"), start=1):
        for part, letter in (("Training", train), ("Testing", test)):
            lines = "".join(f"{name}/sun_{letter}.jpg\n" for name in classes)
            (top / f"Partitions/{part}_{number:02d}.txt").write_text(lines)
    return config("sun397", 3, 3, 3, images_per_class={"train": 1, "test": 1}, unlisted_images=6)


def mit67(data_dir: Path) -> dict[str, Any]:
    """One name has a space, as in the official lists; the lists do not end with a line feed."""
    top = data_dir / "mit67"
    for name in ("bar/bar_1.jpg", "bar/b 2.jpg", "bar/b3.jpg", "mall/shopping mall.jpg", "mall/m2.jpg"):
        photograph(top / "Images" / name)
    (top / "TrainImages.txt").write_text("mall/shopping mall.jpg\r\nbar/bar_1.jpg", newline="")
    (top / "TestImages.txt").write_text("bar/b3.jpg\r\nmall/m2.jpg", newline="")
    return config("mit67", 2, 2, 2, unlisted_images=1)


def dtd(data_dir: Path) -> dict[str, Any]:
    top = data_dir / "dtd/dtd"
    for name in ("banded", "polka-dotted", "waffled"):
        for number in (2, 4, 5):
            photograph(top / "images" / name / f"{name}_{number:04d}.jpg", number)
    (top / "images/waffled/.directory").write_text("[Dolphin]\n")
    (top / "labels").mkdir()
    for partition, order in (("1", (4, 2, 5)), ("2", (5, 4, 2))):
        for part, number in zip(("train", "val", "test"), order, strict=True):
            names = ("banded", "polka-dotted", "waffled")
            lines = "".join(f"{name}/{name}_{number:04d}.jpg\n" for name in names)
            (top / "labels" / f"{part}{partition}.txt").write_text(lines)
    return config("dtd", 6, 3, 3, images_per_class={"train": 2, "test": 1})


def caltech256(data_dir: Path) -> dict[str, Any]:
    top = data_dir / "caltech256/256_ObjectCategories"
    for folder, number_of_images in (("001.ak47", 3), ("056.dog", 4), ("198.spider", 3), ("257.clutter", 2)):
        for number in range(1, number_of_images + 1):
            photograph(top / folder / f"{folder[:3]}_{number:04d}.jpg", number)
    (top / "056.dog/greg/vision309").mkdir(parents=True)
    (top / "198.spider/RENAME2").write_text("mv\n")
    return config("caltech256", 6, 4, 3, train_images_per_class=2)


def fmd(data_dir: Path) -> dict[str, Any]:
    top = data_dir / "FMD"
    for name, kind in (("fabric", "moderate"), ("foliage", "final")):
        for number in (1, 2, 3, 4):
            photograph(top / f"image/{name}/{name}_{kind}_{number:03d}_new.jpg", number)
            photograph(top / f"mask/{name}/{name}_{kind}_{number:03d}_new.jpg", number)
    (top / "image/fabric/Thumbs.db").write_bytes(b"\xd0\xcf")
    _, held_out = splits.stratified(np.repeat([0, 1], 4), 4)
    sha256 = splits.sha256_of(held_out)
    return config("fmd", 4, 4, 2, images_per_class={"all": 4}, test_images=4, test_indices_sha256=sha256)


def imagenet(data_dir: Path) -> dict[str, Any]:
    top = data_dir / "imagenet"
    for label, wnid in enumerate(("n01440764", "n15075141")):
        for number in (10026, 36 + label):
            photograph(top / "train" / wnid / f"{wnid}_{number}.JPEG", number)
        photograph(top / "val" / wnid / f"ILSVRC2012_val_{5 - label:08d}.JPEG", label)
    return config("imagenet", 4, 2, 2, images_per_class={"test": 1})


LAYOUTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    layout.__name__: layout
    for layout in (caltech256, dtd, flowers102, fmd, food101, imagenet, mit67, oxford_pets, sun397)
}
