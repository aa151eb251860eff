"""Decoded data sets in files."""

import hashlib
import inspect
import json
import os
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import numpy as np
import PIL
import pytest
import torch
from tests.data.trees import tree_of

from convrepro import config_files
from convrepro.data import ImageSet, ImageSplit, decoded, digits, image_tree, load, pack

CONFIG = {
    "name": "tiny", "about": "", "downloads": [], "num_train_images": 3, "num_test_images": 2, "in_channels": 3,
    "image_size": [4, 5], "options": {"first_label": 0},
}  # fmt: skip


def tiny() -> ImageSet:
    images = torch.randint(0, 256, (5, 3, 4, 5), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    everything = ImageSplit(images, torch.arange(5))
    return ImageSet(everything.subset([4, 0, 2]), everything.subset([1, 3]))


def write(path: Path, name: str = "tiny") -> None:
    decoded.write(path, CONFIG | {"name": name}, tiny(), num_workers=1)


def change_time(path: Path) -> None:
    """One second later than it was: writes in a row may bear the same time."""
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))


@pytest.mark.parametrize("stays", [False, True])
def test_what_is_written_is_read(tmp_path: Path, stays: bool) -> None:
    write(tmp_path / "a.bin")
    assert decoded.is_whole(tmp_path / "a.bin")
    found = decoded.open_set(tmp_path / "a.bin", CONFIG, stays=stays)
    for part, expected in ((found.train, tiny().train), (found.test, tiny().test)):
        assert torch.equal(part.images_BCHW, expected.images_BCHW)
        assert torch.equal(part.labels_B, expected.labels_B)
        assert bool(part.stays_in) == stays


def test_the_file_is_labels_then_images_with_channels_last(tmp_path: Path) -> None:
    write(tmp_path / "a.bin")
    images = np.concatenate([part.images_BCHW.permute(0, 2, 3, 1).numpy() for part in (tiny().train, tiny().test)])
    expected = np.array([4, 0, 2, 1, 3], "<i8").tobytes() + images.tobytes()
    assert (tmp_path / "a.bin").read_bytes() == expected
    sidecar = json.loads((tmp_path / "a.bin.json").read_text())
    assert sidecar == {"dataset": "tiny", "size_bytes": 340, "sha256": hashlib.sha256(expected).hexdigest()}


def test_writing_to_the_images_changes_neither_the_file_nor_other_readers(tmp_path: Path) -> None:
    write(tmp_path / "a.bin")
    one, other = (decoded.open_set(tmp_path / "a.bin", CONFIG, stays=False) for _ in range(2))
    one.train.stored_MHWC.zero_()
    assert torch.equal(other.train.images_BCHW, tiny().train.images_BCHW)
    expected = json.loads((tmp_path / "a.bin.json").read_text())["sha256"]
    assert hashlib.sha256((tmp_path / "a.bin").read_bytes()).hexdigest() == expected


def test_images_are_written_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of 60 bytes, not a copy of a whole part."""
    write(tmp_path / "a.bin")
    gather, lengths = ImageSplit.gather, []
    monkeypatch.setattr(ImageSplit, "gather", lambda part, rows: lengths.append(len(rows)) or gather(part, rows))
    monkeypatch.setattr(decoded, "_CHUNK_BYTES", 120)
    write(tmp_path / "b.bin", "other")
    assert lengths == [2, 1, 2]
    assert (tmp_path / "b.bin").read_bytes() == (tmp_path / "a.bin").read_bytes()


@pytest.mark.parametrize("damage", ["changed", "cut", "longer", "no sidecar", "sidecar cut", "missing"])
def test_a_file_that_is_not_what_was_written(tmp_path: Path, damage: str) -> None:
    path, sidecar = tmp_path / "a.bin", tmp_path / "a.bin.json"
    write(path)
    content = path.read_bytes()
    if "sidecar" in damage:
        sidecar.write_text(sidecar.read_text()[:20]) if "cut" in damage else sidecar.unlink()
    elif damage == "missing":
        path.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        path.write_bytes({"changed": flipped, "cut": content[:-1], "longer": content + b"\0"}[damage])
        change_time(path)
    assert not decoded.is_whole(path)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read as a whole."""
    sha256_of, paths = decoded._sha256_of, []
    monkeypatch.setattr(decoded, "_sha256_of", lambda path: paths.append(path) or sha256_of(path))
    return paths


def as_another_process() -> None:
    decoded._verified.clear()


@pytest.mark.parametrize("is_large", [False, True])
def test_a_file_is_read_once_per_process_or_if_large_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[Path], is_large: bool
) -> None:
    path = tmp_path / "a.bin"
    monkeypatch.setattr(decoded, "_MIN_STAMPED_BYTES", 340 if is_large else 341)
    write(path)
    hashed.clear()
    assert decoded.is_whole(path)
    assert hashed == []
    as_another_process()
    assert decoded.is_whole(path)
    assert decoded.is_whole(path)
    assert hashed == [path] * (not is_large)


@pytest.mark.parametrize("change", ["time", "inode", "sidecar"])
def test_what_may_have_changed_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hashed: list[Path], change: str
) -> None:
    path, sidecar = tmp_path / "a.bin", tmp_path / "a.bin.json"
    monkeypatch.setattr(decoded, "_MIN_STAMPED_BYTES", 0)
    write(path)
    hashed.clear()
    if change == "time":
        change_time(path)
    elif change == "inode":
        shutil.copy2(path, tmp_path / "copy")
        (tmp_path / "copy").replace(path)
    else:
        sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"sha256": "0" * 64}))
    assert decoded.is_whole(path) is (change != "sidecar")
    assert hashed == [path]


def test_only_the_newest_file_of_a_data_set_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "_MIN_STAMPED_BYTES", 0)
    for file, name in (("a.bin", "tiny"), ("b.bin", "other"), ("c.bin", "tiny")):
        write(tmp_path / file, name)
    kept = {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"}
    assert kept == {f"{stem}.bin{ending}" for stem in "bc" for ending in ("", ".json", ".verified.json")}


@pytest.mark.parametrize("use", ["mapped", "locked"])
def test_an_older_file_is_kept_while_it_is_used(tmp_path: Path, use: str) -> None:
    write(tmp_path / "a.bin")
    if use == "mapped":
        in_use: Any = decoded.open_set(tmp_path / "a.bin", CONFIG, stays=False)
    else:
        in_use = filelock.FileLock(tmp_path / "a.lock").acquire()
    write(tmp_path / "b.bin")
    assert decoded.is_whole(tmp_path / "a.bin")
    if use == "locked":
        in_use.lock.release()
    del in_use
    write(tmp_path / "b.bin")
    assert not (tmp_path / "a.bin").exists()


def test_a_broken_image_leaves_nothing(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    source = image_tree.read(dataset, tmp_path)
    (tmp_path / "set/train/dog/3.png").write_bytes(b"\x89PNG")
    with pytest.raises(ValueError, match=r"set/train/dog/3\.png cannot be used: ") as caught:
        decoded.write(tmp_path / "cache" / "a.bin", dataset, source, num_workers=1)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_other_files_than_those_of_the_config_leave_nothing(tmp_path: Path) -> None:
    dataset = tree_of(tmp_path)
    found = dataset["options"]["content_sha256"]
    dataset["options"]["content_sha256"] = "0" * 64
    source = image_tree.read(dataset, tmp_path)
    with pytest.raises(ValueError, match=f"of tree must be that of its files, {found}, got 0000"):
        decoded.write(tmp_path / "cache" / "a.bin", dataset, source, num_workers=1)
    assert list((tmp_path / "cache").iterdir()) == []
    with pytest.raises(ValueError, match=f"of tree must be that of its files, {found}, got 0000"):
        decoded.verify_files(dataset, source, num_workers=1)


def test_several_processes_write_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "_FILES_PER_TASK", 3)
    dataset = tree_of(tmp_path)
    source = image_tree.read(dataset, tmp_path)
    for num_workers in (1, 2):
        decoded.write(tmp_path / f"{num_workers}/a.bin", dataset, source, num_workers=num_workers)
    assert (tmp_path / "1/a.bin").read_bytes() == (tmp_path / "2/a.bin").read_bytes()
    expected = [
        image_tree.decode(name, tmp_path, (6, 6, 3), resize=True)[0] for name in source.train.names + source.test.names
    ]
    images = (tmp_path / "1/a.bin").read_bytes()[16 * 8 :]
    assert images == np.stack(expected).tobytes()


def test_no_space_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded.shutil, "disk_usage", lambda folder: SimpleNamespace(free=299))
    with pytest.raises(OSError, match="must have 300 bytes free for tiny, got 299"):
        write(tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


def test_what_takes_long_says_how_long(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Four tasks of 50 seconds: the line after the first says that three are left."""
    clock = iter([0.0, 50.0, 100.0, 150.0, 200.0])
    monkeypatch.setattr(decoded.time, "monotonic", lambda: next(clock))
    assert list(decoded._announced("abcd", 4, "decoding")) == list("abcd")
    assert capsys.readouterr().err.splitlines()[0] == "decoding: 25%, at most 3 min left"


def name_of(changes: dict[str, Any], reader: Any = pack.read) -> str:
    return decoded.path_of(Path("cache"), {**CONFIG, **changes}, reader).name


def test_the_name_is_a_hash_of_what_determines_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    same = name_of({})
    assert re.fullmatch(r"[0-9a-f]{64}\.bin", same)
    assert name_of({"about": "other", "name": "other", "downloads": [{"url": "https://x"}]}) == same
    others = {
        name_of({"image_size": [5, 4]}),
        name_of({"options": {"first_label": 1}}),
        name_of({"files": {"a": {"sha256": "00"}}}),
        name_of({}, digits.read),
    }
    monkeypatch.setattr(PIL, "__version__", "0")
    assert len(others | {same, name_of({})}) == 6


def test_a_readers_own_code_is_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a reader outside the package."""

    def reader() -> None: ...

    reader.__module__ = "somebody"
    module = tmp_path / "somebody.py"
    monkeypatch.setattr(inspect, "getsourcefile", lambda _: str(module))
    names = set()
    for code in ("scale = 1", "scale = 2"):
        module.write_text(code)
        names.add(name_of({}, reader))
    assert len(names) == 2


def test_the_code_of_this_package_is_part_of_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all its modules: the pack's reader calls ``encoded``, for one."""
    for path in Path(decoded.__file__).parent.glob("*.py"):
        shutil.copy(path, tmp_path)
    same = name_of({})
    monkeypatch.setattr(decoded, "__file__", str(tmp_path / "decoded.py"))
    assert name_of({}) == same
    with (tmp_path / "encoded.py").open("a") as file:
        file.write("_MAX_PIXELS = 1\n")
    assert name_of({}) != same


SHAPE = {"in_channels": 3, "image_size": [224, 224]}


@pytest.mark.parametrize(
    ("num_images", "is_large"),
    [(1_331_167, True), (101_000, True), (19_850 + 19_850, True), (30_607, True), (15_620, False), (8_189, False)],
    ids=["ImageNet", "Food-101", "SUN-397", "Caltech-256", "MIT Indoor 67", "Flowers-102"],
)
def test_the_four_large_sets_do_not_live_in_memory(num_images: int, is_large: bool) -> None:
    dataset = {**SHAPE, "num_train_images": num_images - 10, "num_test_images": 10}
    assert (decoded.num_bytes(dataset) > decoded.MAX_RESIDENT_BYTES) is is_large


def test_every_data_set_that_can_be_read_lives_in_memory() -> None:
    configs = [config_files.load("dataset", name) for name in config_files.names("dataset")]
    readable = [config for config in configs if "shape_only" not in config["_target_"]]
    assert max(map(decoded.num_bytes, readable)) <= decoded.MAX_RESIDENT_BYTES


def test_digits_are_the_same_from_their_file(tmp_path: Path) -> None:
    dataset = config_files.load("dataset", "digits")
    plain = load(dataset, tmp_path, download=False)
    for _ in range(2):
        cached = load(dataset, tmp_path, download=False, cache_dir=tmp_path)
        assert torch.equal(cached.train.images_BCHW, plain.train.images_BCHW)
        assert torch.equal(cached.test.labels_B, plain.test.labels_B)
