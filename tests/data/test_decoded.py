"""Decoded data sets in files."""

import errno
import fcntl
import hashlib
import inspect
import json
import os
import pickle
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import numpy as np
import PIL
import pytest
import torch
from PIL import Image
from tests.data.trees import tree_of

from convrepro import config_files, interruption
from convrepro.data import ImageSet, ImageSplit, decoded, decoding, digits, image_tree, load, pack

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
        decoding.verify_files(dataset, source, num_workers=1)


def test_several_processes_write_what_one_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_FILES_PER_TASK", 3)
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
    monkeypatch.setattr(decoding.time, "monotonic", lambda: next(clock))
    assert list(decoding.announced("abcd", 4, "decoding")) == list("abcd")
    assert capsys.readouterr().err.splitlines()[0] == "decoding: 25%, at most 3 min left"


def name_of(changes: dict[str, Any], reader: Any = pack.read) -> str:
    return decoded.path_of(Path("cache"), {**CONFIG, **changes}, reader).name


def test_the_name_is_a_hash_of_what_determines_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    same = name_of({})
    assert re.fullmatch(r"[0-9a-f]{64}\.bin", same)
    assert (
        name_of({"about": "other", "name": "other", "downloads": [{"url": "https://x"}], "homepage": "https://x"})
        == same
    )
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


def test_all_other_data_sets_live_in_memory() -> None:
    configs = [config_files.load("dataset", name) for name in config_files.names("dataset")]
    large = {config["name"] for config in configs if decoded.num_bytes(config) > decoded.MAX_RESIDENT_BYTES}
    assert large == {"imagenet", "food101", "sun397", "caltech256"}


def test_digits_are_the_same_from_their_file(tmp_path: Path) -> None:
    dataset = config_files.load("dataset", "digits")
    plain = load(dataset, tmp_path, download=False)
    for _ in range(2):
        cached = load(dataset, tmp_path, download=False, cache_dir=tmp_path)
        assert torch.equal(cached.train.images_BCHW, plain.train.images_BCHW)
        assert torch.equal(cached.test.labels_B, plain.test.labels_B)


SEGMENTED = CONFIG | {
    "num_train_images": 2, "num_validation_images": 2, "num_test_images": 1, "num_classes": 3, "files": {},
    "options": {"masks": True, "first_mask_label": 0},
}  # fmt: skip


def segmented() -> ImageSet:
    masks = torch.arange(5 * 20, dtype=torch.uint8).view(5, 1, 4, 5) % 3
    whole = tiny().joined()
    everything = ImageSplit(whole.images_BCHW, whole.labels_B, masks=ImageSplit(masks, whole.labels_B))
    return ImageSet(everything.subset([0, 4]), everything.subset([3]), validation=everything.subset([2, 1]))


@pytest.mark.parametrize(("stays", "is_mapped"), [(False, True), (True, True), (False, False)])
def test_masks_and_validation_part_are_read(tmp_path: Path, stays: bool, is_mapped: bool) -> None:
    decoded.write(tmp_path / "a.bin", SEGMENTED, segmented(), num_workers=1)
    found = decoded.open_set(tmp_path / "a.bin", SEGMENTED, stays=stays, is_mapped=is_mapped)
    for part, expected in zip(found.parts, segmented().parts, strict=True):
        assert torch.equal(part.images_BCHW, expected.images_BCHW)
        assert torch.equal(part.labels_B, expected.labels_B)
        assert part.masks is not None
        assert expected.masks is not None
        assert torch.equal(part.masks.images_BCHW, expected.masks.images_BCHW)
        assert part.stored_MHWC is found.train.stored_MHWC
        copy = pickle.loads(pickle.dumps(part))
        assert torch.equal(copy.masks.images_BCHW, expected.masks.images_BCHW)
    assert found.joined().stored_MHWC is found.train.stored_MHWC


def test_the_file_is_labels_images_and_masks_of_training_validation_and_test_part(tmp_path: Path) -> None:
    decoded.write(tmp_path / "a.bin", SEGMENTED, segmented(), num_workers=1)
    parts = segmented().parts
    images = np.concatenate([part.images_BCHW.permute(0, 2, 3, 1).numpy() for part in parts])
    masks = np.concatenate([part.masks.images_BCHW.numpy() for part in parts if part.masks])
    labels = np.concatenate([part.labels_B.numpy() for part in parts]).astype("<i8")
    assert (tmp_path / "a.bin").read_bytes() == labels.tobytes() + images.tobytes() + masks.tobytes()
    assert decoded.num_bytes(SEGMENTED) == 5 * 20 * 4


def mask_tree(data_dir: Path) -> tuple[dict[str, Any], image_tree.FileSet]:
    """The tree with a mask for each image, and the first four images of a class for validation."""
    dataset = tree_of(data_dir)
    found, stream = image_tree.read(dataset, data_dir), np.random.RandomState(1)
    for name in found.train.names + found.test.names:
        with Image.open(data_dir / name) as image:
            mask = stream.randint(1, 3, (image.height, image.width)).astype(np.uint8)
        path = data_dir / name.replace("set/", "masks/")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    train, test = (
        image_tree.Files(
            names=part.names, labels_B=part.labels_B, masks=[name.replace("set/", "masks/") for name in part.names]
        )
        for part in (found.train, found.test)
    )
    dataset |= {"num_train_images": 8, "num_validation_images": 4}
    dataset["options"] |= {"masks": True, "first_mask_label": 1, "content_sha256": "", "stretch": True}
    chosen = {"train": train.subset(np.arange(8)), "validation": train.subset(np.arange(8, 12)), "test": test}
    return dataset, image_tree.FileSet(data_dir=data_dir, **chosen)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_image_files_with_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_workers: int) -> None:
    monkeypatch.setattr(decoding, "_FILES_PER_TASK", 3)
    dataset, source = mask_tree(tmp_path)
    decoded.write(tmp_path / "a.bin", dataset, source, num_workers=num_workers)
    found = decoded.open_set(tmp_path / "a.bin", dataset, stays=False)
    assert source.validation is not None
    for part, files in zip(found.parts, (source.train, source.validation, source.test), strict=True):
        assert part.labels_B.tolist() == files.labels_B.tolist()
        assert part.masks is not None
        for image, mask, name, mask_name in zip(
            part.gather(part.rows_B).numpy(),
            part.masks.images_BCHW[:, 0].numpy(),
            files.names,
            files.masks,
            strict=True,
        ):
            with Image.open(tmp_path / name) as opened:
                np.testing.assert_array_equal(image, opened.resize((6, 6), Image.Resampling.BILINEAR))
            with Image.open(tmp_path / mask_name) as opened:
                np.testing.assert_array_equal(mask + 1, opened.resize((6, 6), Image.Resampling.NEAREST))
    all_files = [source.train, source.validation, source.test]
    names = [name for part in all_files for name in [*part.names, *(part.masks or [])]]
    digests = [image_tree.sha256_of_file(name, tmp_path) for name in names]
    assert found.content_sha256 == image_tree.content_sha256(names, digests)
    assert decoding.verify_files(dataset, source, num_workers=1) == found.content_sha256


def test_a_mask_file_of_other_classes_is_named(tmp_path: Path) -> None:
    dataset, source = mask_tree(tmp_path)
    assert source.test.masks is not None
    Image.fromarray(np.full((6, 6), 3, np.uint8)).save(tmp_path / source.test.masks[1])
    with pytest.raises(ValueError, match=rf"{source.test.masks[1]} must have pixels of 1 \.\. 2, got 3 \.\. 3"):
        decoded.write(tmp_path / "a.bin", dataset, source, num_workers=1)
    assert not (tmp_path / "a.bin").exists()


def test_only_checksums_pin_a_data_set() -> None:
    assert decoded.is_pinned({"files": {"a": {}}})
    assert decoded.is_pinned({"files": {}, "options": {"content_sha256": "00"}})
    assert not decoded.is_pinned({"files": {}, "options": {"content_sha256": ""}})
    assert not decoded.is_pinned({"files": {}})


def test_the_listing_of_what_is_not_pinned_is_part_of_the_name() -> None:
    names = {decoded.path_of(Path("cache"), CONFIG, pack.read, listing).name for listing in ("", "a", "b")}
    assert len(names) == 3


# -- writers that are killed, that write at once, or on a file system without locks -----------------------------------


def test_two_that_write_at_once_leave_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins and ends in the middle of the first: where there are no locks, nobody waits."""
    write(tmp_path / "expected.bin", "other")
    path, write_images = tmp_path / "a.bin", decoded._write_images

    def interrupted(unfinished: Path, images: ImageSet) -> None:
        write_images(unfinished, images)
        monkeypatch.setattr(decoded, "_write_images", write_images)
        write(path)
        assert decoded.is_whole(path)
        assert unfinished.exists()

    monkeypatch.setattr(decoded, "_write_images", interrupted)
    write(path)
    as_another_process()
    assert decoded.is_whole(path)
    assert path.read_bytes() == (tmp_path / "expected.bin").read_bytes()
    assert list(tmp_path.glob("*.part")) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    here = platform.node()
    of_killed, of_living, of_others = (
        tmp_path / f"{name}.part" for name in (f"a.{here}.x", f"b.{here}.y", "a.another-machine.z")
    )
    for path in (of_killed, of_living, of_others):
        path.write_bytes(b"unfinished")
    with of_living.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write(tmp_path / "a.bin")
    assert {path.name for path in tmp_path.glob("*.part")} == {of_living.name, of_others.name}


LOAD = """
import sys
from pathlib import Path
from convrepro import config_files
from convrepro.data import decoded, load
decoded._write_images = lambda *_: print("writing", flush=True) or sys.stdin.read()
load(config_files.load("dataset", "digits"), Path("."), download=False, cache_dir=Path(sys.argv[1]))
"""


def test_nobody_waits_for_a_process_that_was_killed(tmp_path: Path) -> None:
    """It held the lock: until then, another one would have waited."""
    dataset = config_files.load("dataset", "digits")
    with subprocess.Popen(
        [sys.executable, "-c", LOAD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "writing\n"
        path = decoded.path_of(tmp_path, dataset, digits.read)
        with pytest.raises(filelock.Timeout):
            filelock.FileLock(path.with_suffix(".lock")).acquire(timeout=0)
        other.kill()
    assert len(list(path.parent.glob("*.part"))) == 1
    assert len(load(dataset, tmp_path, download=False, cache_dir=tmp_path).train) == dataset["num_train_images"]
    assert decoded.is_whole(path)
    assert list(path.parent.glob("*.part")) == []


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Nobody waits, also not for a file that stands for a lock; older files stay, since they may be in use."""

    def unsupported(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", unsupported)
    dataset = config_files.load("dataset", "digits")
    path = decoded.path_of(tmp_path, dataset, digits.read)
    path.parent.mkdir()
    path.with_suffix(".lock").write_text(f"{os.getpid()}\n{platform.node()}\n")
    (path.parent / f"x.{platform.node()}.y.part").touch()
    for _ in range(2):
        load(dataset, tmp_path, download=False, cache_dir=tmp_path)
        as_another_process()
    assert decoded.is_whole(path)
    assert len(list(path.parent.glob("*.part"))) == 1
    write(path.with_name("b.bin"), "digits")
    assert path.exists()


def test_waiting_ends_when_the_process_is_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([None, interruption.Interrupted(signal.SIGTERM)])

    def check() -> None:
        if turn := next(turns):
            raise turn

    monkeypatch.setattr(decoded, "_SECONDS_BETWEEN_CHECKS", 0.01)
    monkeypatch.setattr(interruption, "check", check)
    with (
        filelock.FileLock(tmp_path / "a.lock"),
        pytest.raises(interruption.Interrupted),
        decoded.locked(tmp_path / "a.bin"),
    ):
        pass


def test_a_file_of_another_size_than_the_config_says(tmp_path: Path) -> None:
    """Its fingerprint may be right: somebody else may have written both."""
    (tmp_path / "a.bin").write_bytes(bytes(339))
    with pytest.raises(ValueError, match=r"a\.bin must hold 340 bytes for tiny, got 339; delete it\.$"):
        decoded.open_set(tmp_path / "a.bin", CONFIG, stays=False)
