"""Decoded data sets, one file each, which every later run maps instead of reading and decoding the sources again.

The file holds the labels of the training and of the test part (int64), then their images (uint8, channels last). Its
name is a hash of what determines them; its size and SHA-256 stand beside it. It may be deleted at any time; one that is
not in use is, when another one of the same data set is written.
"""

import contextlib
import fcntl
import hashlib
import inspect
import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import filelock
import numpy as np
import PIL
import torch
from joblib import Parallel, cpu_count, delayed

from convrepro import durable
from convrepro.data import image_tree
from convrepro.data.image_set import FileOfImages, ImageSet, ImageSplit
from convrepro.data.image_tree import FileSet

# Of all decoded images: the largest set that lives in memory, or on the device, as a whole. At 224x224 RGB this keeps
# out ImageNet, Food-101, SUN-397 and Caltech-256 (4.3 GiB), and nothing smaller.
MAX_RESIDENT_BYTES = 1 << 32

_SAID_ONLY = ("about", "name", "downloads")
_FILES_PER_TASK = 64
_SECONDS_BETWEEN_LINES = 10.0
_CHUNK_BYTES = 1 << 24
_MIN_STAMPED_BYTES = 1 << 30  # of files that take longer than a second to hash

_verified: dict[Path, list[Any]] = {}  # stamps of the files that this process read, or wrote, as a whole

_T = TypeVar("_T")


def path_of(cache_dir: Path, dataset: Mapping[str, Any], reader: Callable[..., Any]) -> Path:
    """Where the decoded data set of this very config lies, if it was decoded before."""
    determining = {
        "dataset": {key: value for key, value in dataset.items() if key not in _SAID_ONLY},
        "pillow": PIL.__version__,
        "reader": _code_of(reader),
    }
    text = json.dumps(determining, sort_keys=True)
    return cache_dir / "decoded" / f"{hashlib.sha256(text.encode()).hexdigest()}.bin"


def is_pinned(dataset: Mapping[str, Any]) -> bool:
    """Whether a config has checksums of its sources: only then does it determine the images."""
    return bool(dataset["files"] or "content_sha256" in dataset.get("options", {}))


def num_bytes(dataset: Mapping[str, Any]) -> int:
    """Of all decoded images of a data set."""
    num_images: int = dataset["num_train_images"] + dataset["num_test_images"]
    return num_images * math.prod(_shape_of(dataset))


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


def open_set(path: Path, dataset: Mapping[str, Any], *, stays: bool) -> ImageSet:
    """The images of a decoded data set, mapped from its file.

    Args:
        path: of the file.
        dataset: the config that it was made for.
        stays: whether the images are too many for memory (see ``ImageSplit``).
    """
    counts = (dataset["num_train_images"], dataset["num_test_images"])
    labels = np.fromfile(path, "<i8", sum(counts)).astype(np.int64)
    offset_bytes, parts = labels.nbytes, []
    for part_labels in np.split(labels, counts[:1]):
        shape = (len(part_labels), *_shape_of(dataset))
        file = FileOfImages(path=path, offset_bytes=offset_bytes, shape_MHWC=shape)
        images_BCHW = file.open().permute(0, 3, 1, 2)
        parts.append(ImageSplit(images_BCHW, torch.from_numpy(part_labels), stays_in=file if stays else None))
        offset_bytes += math.prod(shape)
    return ImageSet(*parts)


def write(path: Path, dataset: Mapping[str, Any], source: ImageSet | FileSet, *, num_workers: int) -> None:
    """Writes a data set whole, or not at all. No two processes may do so at once.

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
    unfinished = path.with_suffix(".part")  # a fixed name: what a killed process left is overwritten
    try:
        if isinstance(source, ImageSet):
            _write_images(unfinished, source)
        else:
            _decode_files(unfinished, dataset, source, num_workers)
        stamp = _stamp(unfinished, _sha256_of(unfinished))
        unfinished.replace(path)
        written = {"dataset": dataset["name"], "size_bytes": path.stat().st_size, "sha256": stamp[0]}
        durable.write(_sidecar(path), json.dumps(written) + "\n")
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _keep_stamp(path, stamp)
    _remove_others(path, dataset["name"])


def lock_of(path: Path) -> filelock.FileLock:
    """What a process holds that writes or removes the file."""
    return filelock.FileLock(path.with_suffix(".lock"))


def _remove_others(path: Path, name: str) -> None:
    for other in sorted(path.parent.glob("*.bin")):
        written = durable.kept(_sidecar(other))
        if other == path or not isinstance(written, dict) or written.get("dataset") != name:
            continue
        # An OSError: somebody writes it, or has it mapped.
        with contextlib.suppress(OSError), lock_of(other).acquire(timeout=0), other.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for one in (_stamp_file(other), _sidecar(other), other):
                one.unlink(missing_ok=True)


def _write_images(path: Path, images: ImageSet) -> None:
    parts = (images.train, images.test)
    with path.open("wb") as file:
        for part in parts:
            file.write(part.labels_B.numpy().astype("<i8").data)
        for part in parts:
            num_rows = max(1, _CHUNK_BYTES // math.prod(part.image_shape))
            for first in range(0, len(part), num_rows):
                file.write(part.gather(part.rows_B[first : first + num_rows]).numpy().data)


def _decode_files(path: Path, dataset: Mapping[str, Any], files: FileSet, num_workers: int) -> None:
    labels = np.concatenate([files.train.labels_B, files.test.labels_B])
    path.write_bytes(labels.astype("<i8").data)
    names, shape = files.train.names + files.test.names, _shape_of(dataset)
    tasks = [
        delayed(_decode_some)(
            path,
            labels.nbytes + first * math.prod(shape),
            names[first : first + _FILES_PER_TASK],
            files.data_dir,
            shape,
            resize="resize" in dataset["options"],
        )
        for first in range(0, len(names), _FILES_PER_TASK)
    ]
    digests = _in_processes(tasks, num_workers, f"decoding {len(names):,} images of {dataset['name']}")
    image_tree.check_content(dataset, names, digests)


def _decode_some(
    path: Path,
    offset_bytes: int,
    names: Sequence[str],
    data_dir: Path,
    shape_HWC: tuple[int, int, int],
    *,
    resize: bool,
) -> list[str]:
    """Writes the pixels of some files from ``offset_bytes`` of ``path`` on; returns the files' SHA-256."""
    digests = []
    with path.open("r+b") as file:
        file.seek(offset_bytes)
        for name in names:
            pixels, digest = image_tree.decode(name, data_dir, shape_HWC, resize=resize)
            file.write(pixels.tobytes())
            digests.append(digest)
    return digests


def verify_files(dataset: Mapping[str, Any], files: FileSet, *, num_workers: int = 0) -> None:
    """Reads all image files without decoding them; raises ValueError if they are not those of the config."""
    names = files.train.names + files.test.names
    tasks = [
        delayed(_digest_some)(names[first : first + _FILES_PER_TASK], files.data_dir)
        for first in range(0, len(names), _FILES_PER_TASK)
    ]
    digests = _in_processes(tasks, num_workers, f"reading {len(names):,} images of {dataset['name']}")
    image_tree.check_content(dataset, names, digests)


def _digest_some(names: Sequence[str], data_dir: Path) -> list[str]:
    return [image_tree.sha256_of_file(name, data_dir) for name in names]


def _in_processes(tasks: Sequence[Any], num_workers: int, what: str) -> list[str]:
    """Results of joblib's ``tasks``, joined in their order."""
    parallel = Parallel(n_jobs=min(num_workers or cpu_count(), len(tasks)), return_as="generator")
    return list(chain.from_iterable(_announced(parallel(tasks), len(tasks), what)))


def _announced(results: Iterable[_T], total: int, what: str) -> Iterator[_T]:
    """Passes results on; says every few seconds on stderr how many there are, and how long the rest may take."""
    started = said = time.monotonic()
    for done, result in enumerate(results, start=1):
        if (now := time.monotonic()) - said >= _SECONDS_BETWEEN_LINES:
            said, minutes_left = now, math.ceil((now - started) * (total - done) / done / 60)
            sys.stderr.write(f"{what}: {done / total:.0%}, at most {minutes_left} min left\n")
        yield result


def _sha256_of(path: Path) -> str:
    digest, num_chunks = hashlib.sha256(), math.ceil(path.stat().st_size / _CHUNK_BYTES)
    with path.open("rb", buffering=0) as file:
        chunks = iter(lambda: file.read(_CHUNK_BYTES), b"")
        for chunk in _announced(chunks, num_chunks, f"checking {path}"):
            digest.update(chunk)
    return digest.hexdigest()


def _shape_of(dataset: Mapping[str, Any]) -> tuple[int, int, int]:
    height, width = dataset["image_size"]
    return height, width, dataset["in_channels"]


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
    return [sha256, found.st_size, found.st_mtime_ns, found.st_ino]


def _keep_stamp(path: Path, stamp: list[Any]) -> None:
    _verified[path] = stamp
    if stamp[1] >= _MIN_STAMPED_BYTES:
        durable.keep(_stamp_file(path), stamp)
