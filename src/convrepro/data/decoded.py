"""Decoded data sets, one file each, which every later run maps instead of reading and decoding the sources again.

The file holds the labels of the training, the validation (if there is one) and the test part (int64), then their images
(uint8, channels last), then, of a segmented set, their masks (uint8). Its name is a hash of what determines them; its
size and SHA-256 stand beside it. It may be deleted at any time; one that is not in use is, when another one of the same
data set is written.

Whoever writes a file holds a lock, so that others wait and then map it; the system releases the lock of a process that
was killed. On a file system without locks, or one that does not pass them on to other machines, nobody waits: each
writes a file of its own and renames it once it is whole, so the work is done twice and the last one stays. What a
killed process left there, the next one that writes on the same machine removes, but not where there are no locks.
"""

import contextlib
import fcntl
import hashlib
import inspect
import json
import math
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import PIL
import torch

from convrepro import durable, interruption
from convrepro.data import decoding
from convrepro.data.image_set import FileOfImages, ImageSet, ImageSplit
from convrepro.data.image_tree import FileSet

# Of all decoded images: the largest set that lives in memory, or on the device, as a whole. At 224x224 RGB this keeps
# out ImageNet, Food-101, SUN-397 and Caltech-256 (4.3 GiB), and nothing smaller.
MAX_RESIDENT_BYTES = 1 << 32

_SAID_ONLY = ("about", "name", "downloads", "homepage")
_CHUNK_BYTES = 1 << 24
_LABEL_BYTES = 8
_MIN_STAMPED_BYTES = 1 << 30  # of files that take longer than a second to hash
_SECONDS_BETWEEN_CHECKS = 1.0  # of whether to stop, while another process writes

_verified: dict[Path, list[Any]] = {}  # stamps of the files that this process read, or wrote, as a whole


def path_of(cache_dir: Path, dataset: Mapping[str, Any], reader: Callable[..., Any], listing: str = "") -> Path:
    """Where the decoded data set of this very config lies, if it was decoded before.

    Args:
        cache_dir: folder of decoded data sets.
        dataset: the config.
        reader: the function that it names.
        listing: of the sources (see ``sources``), if the config does not pin them.
    """
    determining: dict[str, Any] = {
        "dataset": {key: value for key, value in dataset.items() if key not in _SAID_ONLY},
        "pillow": PIL.__version__,
        "reader": _code_of(reader),
    }
    if listing:
        determining["listing"] = listing
    text = json.dumps(determining, sort_keys=True)
    return cache_dir / "decoded" / f"{hashlib.sha256(text.encode()).hexdigest()}.bin"


def is_pinned(dataset: Mapping[str, Any]) -> bool:
    """Whether a config has checksums of its sources: only then does it determine the images."""
    options = dataset.get("options", {})
    return bool(options["content_sha256"] if "content_sha256" in options else dataset["files"])


def num_bytes(dataset: Mapping[str, Any]) -> int:
    """Of all decoded images, and masks, of a data set."""
    height, width, channels = decoding.shape_of(dataset)
    return sum(_counts_of(dataset)) * height * width * (channels + decoding.is_segmented(dataset))


def is_whole(path: Path) -> bool:
    """Whether a file is there and its bytes are those that were written.

    All of it is read, but only once per process, and a large file only once for all processes, until its size, its
    time of change or its inode is another.
    """
    try:
        expected = json.loads(_sidecar(path).read_text(encoding="utf-8"))
        stamp = _stamp(path, expected["sha256"])
        if stamp in (_verified.get(path), durable.kept(_stamp_file(path))):
            return True
        if path.stat().st_size != expected["size_bytes"] or _sha256_of(path) != expected["sha256"]:
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False
    _keep_stamp(path, stamp)
    return True


def open_set(path: Path, dataset: Mapping[str, Any], *, stays: bool, is_mapped: bool = True) -> ImageSet:
    """The images of a decoded data set, from its file; its parts share them.

    Args:
        path: of the file.
        dataset: the config that it was made for.
        stays: whether the images are too many for memory (see ``ImageSplit``).
        is_mapped: whether they are mapped; else they are read.

    Raises:
        ValueError: if the file has another size than those images have.
    """
    counts = _counts_of(dataset)
    if (found := path.stat().st_size) != (expected := num_bytes(dataset) + sum(counts) * _LABEL_BYTES):
        raise ValueError(f"{path} must hold {expected:,} bytes for {dataset['name']}, got {found:,}; delete it.")
    labels_B = torch.from_numpy(np.fromfile(path, "<i8", sum(counts)).astype(np.int64))
    height, width, channels = decoding.shape_of(dataset)
    offset_bytes, masks_of_images = labels_B.nbytes, None
    if decoding.is_segmented(dataset):
        offset_of_masks = offset_bytes + len(labels_B) * height * width * channels
        masks_of_images = _open_images(path, offset_of_masks, (height, width, 1), labels_B, None, stays, is_mapped)
    everything = _open_images(
        path, offset_bytes, (height, width, channels), labels_B, masks_of_images, stays, is_mapped
    )
    train, validation, test = (
        everything.subset(rows) if len(rows) else None
        for rows in np.split(np.arange(len(labels_B)), np.cumsum(counts[:2]))
    )
    assert train is not None
    assert test is not None
    written = durable.kept(_sidecar(path)) or {}
    return ImageSet(train, test, validation=validation, content_sha256=written.get("content_sha256", ""))


def _open_images(
    path: Path,
    offset_bytes: int,
    shape_HWC: tuple[int, int, int],
    labels_B: torch.Tensor,
    masks_of_images: ImageSplit | None,
    stays: bool,
    is_mapped: bool,
) -> ImageSplit:
    file = FileOfImages(path=path, offset_bytes=offset_bytes, shape_MHWC=(len(labels_B), *shape_HWC))
    images_MHWC = file.open() if is_mapped else file.read()
    stays_in = file if stays else None
    return ImageSplit(images_MHWC.permute(0, 3, 1, 2), labels_B, masks=masks_of_images, stays_in=stays_in)


def write(path: Path, dataset: Mapping[str, Any], source: ImageSet | FileSet, *, num_workers: int) -> None:
    """Writes a data set whole, or not at all.

    Image files are decoded by ``num_workers`` processes straight into the file, so that no more than a few images are
    ever in memory. What takes long says on stderr how long. Other files of this data set that no process uses are
    removed.

    Raises:
        ValueError: if an image file cannot be decoded, or the files are not those of the config.
        OSError: if there is not enough space, or the folder is read-only.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if (free := shutil.disk_usage(path.parent).free) < num_bytes(dataset):
        raise OSError(f"{path.parent} must have {num_bytes(dataset):,} bytes free for {dataset['name']}, got {free:,}.")
    _remove_abandoned(path.parent)
    with _unfinished(path) as unfinished:
        if isinstance(source, ImageSet):
            content_sha256 = source.content_sha256
            _write_images(unfinished, source)
        else:
            content_sha256 = decoding.decode_files(unfinished, dataset, source, num_workers)
        sha256 = _sha256_of(unfinished)
        unfinished.replace(path)
        stamp = _stamp(path, sha256)
        written = {"dataset": dataset["name"], "size_bytes": path.stat().st_size, "sha256": sha256}
        if content_sha256 and not is_pinned(dataset):
            written["content_sha256"] = content_sha256
        durable.write(_sidecar(path), json.dumps(written) + "\n")
    _keep_stamp(path, stamp)
    _remove_others(path, dataset["name"])


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Waits until no other process writes ``path``; not on a file system without locks.

    Raises:
        OSError: if nothing can be written there.
        Interrupted: if this process is to stop.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _has_locks(path.with_suffix(".lock")):
        yield
        return
    lock = filelock.FileLock(path.with_suffix(".lock"))
    while not lock.is_locked:
        interruption.check()
        with contextlib.suppress(filelock.Timeout):
            lock.acquire(timeout=_SECONDS_BETWEEN_CHECKS)
    try:
        yield
    finally:
        lock.release()


def _has_locks(path: Path) -> bool:
    """Whether the file system knows locks: where it does not, ``filelock`` would wait for files of killed processes."""
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A new file beside ``path``, removed at the end unless it was renamed; locked while this process writes to it."""
    while True:
        prefix = f"{path.stem}.{platform.node()}."
        descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=".part", dir=path.parent)
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # else another process took it for abandoned before it was locked
            break
        os.close(descriptor)
    try:
        Path(name).chmod(0o644)
        yield Path(name)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Removes unfinished files of this machine's processes that are no more."""
    for path in folder.glob("*.part"):
        if f".{platform.node()}." not in path.name:
            continue
        with contextlib.suppress(OSError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def _remove_others(path: Path, name: str) -> None:
    for other in sorted(path.parent.glob("*.bin")):
        written = durable.kept(_sidecar(other))
        if other == path or not isinstance(written, dict) or written.get("dataset") != name:
            continue
        # An OSError: somebody writes it, or has it mapped, or there are no locks and nobody knows.
        with contextlib.suppress(OSError), other.with_suffix(".lock").open("a") as lock, other.open("r+b") as file:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for one in (_stamp_file(other), _sidecar(other), other):
                one.unlink(missing_ok=True)


def _write_images(path: Path, images: ImageSet) -> None:
    with path.open("wb") as file:
        for part in images.parts:
            file.write(part.labels_B.numpy().astype("<i8").data)
        for part in [*images.parts, *(part.masks for part in images.parts if part.masks)]:
            num_rows = max(1, _CHUNK_BYTES // math.prod(part.image_shape))
            for first in range(0, len(part), num_rows):
                file.write(part.gather(part.rows_B[first : first + num_rows]).numpy().data)


def _sha256_of(path: Path) -> str:
    digest, num_chunks = hashlib.sha256(), math.ceil(path.stat().st_size / _CHUNK_BYTES)
    with path.open("rb", buffering=0) as file:
        chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
        for chunk in decoding.announced(chunks, num_chunks, f"checking {path}"):
            digest.update(chunk)
    return digest.hexdigest()


def _counts_of(dataset: Mapping[str, Any]) -> list[int]:
    """Images of the training, the validation and the test part."""
    return [dataset["num_train_images"], dataset.get("num_validation_images") or 0, dataset["num_test_images"]]


def _code_of(reader: Callable[..., Any]) -> str:
    """The reader's name, and a hash of its module and of all modules beside this one."""
    own, source = inspect.getsourcefile(reader), hashlib.sha256()
    for path in [*sorted(Path(__file__).parent.glob("*.py")), *([Path(own)] if own else [])]:
        source.update(path.read_bytes())
    return f"{reader.__module__}.{reader.__qualname__} {source.hexdigest()}"


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _stamp_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.verified.json")


def _stamp(path: Path, sha256: str) -> list[Any]:
    """What tells that a file is still the one whose bytes had this SHA-256."""
    found = path.stat()
    return [sha256, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _keep_stamp(path: Path, stamp: list[Any]) -> None:
    _verified[path] = stamp
    if stamp[1] >= _MIN_STAMPED_BYTES:
        durable.keep(_stamp_file(path), stamp)
