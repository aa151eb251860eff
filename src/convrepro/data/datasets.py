"""From a dataset config to images."""

import contextlib
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from convrepro import targets
from convrepro.data import decoded, decoding, downloads, files
from convrepro.data.image_set import ImageSet, ImageSplit
from convrepro.data.image_tree import FileSet
from convrepro.data.listing import listing_of

_log = logging.getLogger(__name__)


def load(
    dataset: Mapping[str, Any],
    data_dir: Path,
    *,
    download: bool,
    plugins: Sequence[str] = (),
    cache_dir: Path | None = None,
    num_workers: int = 0,
    max_resident_bytes: int = decoded.MAX_RESIDENT_BYTES,
) -> ImageSet:
    """Finds, verifies and reads a data set; or maps what an earlier call with this very config left in ``cache_dir``.

    Args:
        dataset: the config node; ``_target_`` names the reader.
        data_dir: folder of the data files.
        download: whether missing files may be fetched.
        plugins: names of packages outside this one from which the reader may come.
        cache_dir: where decoded images are kept, if the config has their sources' checksums, or folders that can be
            listed: then as long as no file there has another name, size or time of change. A kept file whose bytes are
            not those that were written is made anew; where nothing can be written, nothing is kept.
        num_workers: processes that decode image files; 0 for one per core.
        max_resident_bytes: of decoded images that may live in memory; those of a larger set stay in their file.

    Raises:
        FileNotFoundError: if a file is missing and may not be fetched.
        ValueError: if a file is not the one of the config, its images are not what the config says, or a set is too
            large for memory and cannot be kept in ``cache_dir``.
    """
    reader = targets.resolve(dataset["_target_"], plugins, targets.READER)
    is_large = decoded.num_bytes(dataset) > max_resident_bytes
    path = _path_of(cache_dir, dataset, data_dir, reader) if cache_dir else None
    if path and decoded.is_whole(path):
        return decoded.open_set(path, dataset, stays=is_large)
    if not download:
        files.find(dataset, data_dir)  # before anything is written
    with _locked(path) as problem:
        if path and not problem and decoded.is_whole(path):  # another process wrote it in the meantime
            return decoded.open_set(path, dataset, stays=is_large)
        if path and path.exists():
            _log.warning("%s is not what was written there; %s is decoded again.", path, dataset["name"])
        source = _read(reader, dataset, data_dir, download=download)
        if path and not problem:
            try:
                decoded.write(path, dataset, source, num_workers=num_workers)
                return decoded.open_set(path, dataset, stays=is_large)
            except OSError as error:
                problem = error
    if problem:
        _log.warning("decoded images of %s cannot be kept: %s", dataset["name"], problem)
    if isinstance(source, ImageSet):
        return source
    if is_large:
        raise ValueError(
            f"{dataset['name']} decodes to {decoded.num_bytes(dataset):,} bytes, more than the {max_resident_bytes:,} "
            f"that may live in memory, and needs a `cache_dir` that can be written{f': {problem}' if problem else '.'}"
        )
    return _decoded_in_memory(dataset, source, num_workers)


class Verified(NamedTuple):
    """What ``verify`` found.

    Args:
        num_train_images: images of the training part.
        num_test_images: images of the test part.
        content_sha256: of what was read, if the config has folders of image files or no checksum; else "".
    """

    num_train_images: int
    num_test_images: int
    content_sha256: str


def verify(dataset: Mapping[str, Any], data_dir: Path) -> Verified:
    """Reads and checks all source files of a data set.

    Raises:
        FileNotFoundError, ValueError: as ``load`` does.
    """
    source = _read(targets.resolve(dataset["_target_"], (), targets.READER), dataset, data_dir, download=False)
    content_sha256 = decoding.verify_files(dataset, source) if isinstance(source, FileSet) else source.content_sha256
    return Verified(len(source.train), len(source.test), content_sha256)


def _path_of(
    cache_dir: Path, dataset: Mapping[str, Any], data_dir: Path, reader: Callable[..., ImageSet | FileSet]
) -> Path | None:
    if decoded.is_pinned(dataset):
        return decoded.path_of(cache_dir, dataset, reader)
    listing = listing_of(dataset, data_dir)
    return decoded.path_of(cache_dir, dataset, reader, listing) if listing else None


def _read(
    reader: Callable[..., ImageSet | FileSet], dataset: Mapping[str, Any], data_dir: Path, *, download: bool
) -> ImageSet | FileSet:
    try:
        files.find(dataset, data_dir)
    except FileNotFoundError:
        if not download:
            raise
        downloads.fetch(dataset, data_dir)
    source = reader(dataset, data_dir)
    _check_fits(source, dataset)
    return source


def _check_fits(source: ImageSet | FileSet, dataset: Mapping[str, Any]) -> None:
    height, width, channels = decoding.shape_of(dataset)
    size_key = "stored_size" if dataset.get("stored_size") else "image_size"
    for name in ("train", "validation", "test"):
        part, key = getattr(source, name), f"num_{name}_images"
        if (found := None if part is None else len(part)) != dataset.get(key):
            raise ValueError(f"`{key}` of {dataset['name']} must be {found}, got {dataset.get(key)}.")
        if part is None:
            continue
        if isinstance(part, ImageSplit) and part.image_shape != (channels, height, width):
            raise ValueError(
                f"images of {dataset['name']} must be {channels}x{height}x{width} (`in_channels`, `{size_key}`), "
                f"got {'x'.join(map(str, part.image_shape))}."
            )
        if (part.masks is not None) != decoding.is_segmented(dataset):
            raise ValueError(f"`options.masks` of {dataset['name']} must be {part.masks is not None}.")
        if part.masks is not None:  # `num_classes` counts their classes; whoever opens them checks it
            continue
        if (largest := int(part.labels_B.max())) >= dataset["num_classes"]:
            raise ValueError(
                f"labels of {dataset['name']} must lie below `num_classes` {dataset['num_classes']}, got {largest}."
            )


def _decoded_in_memory(dataset: Mapping[str, Any], source: FileSet, num_workers: int) -> ImageSet:
    with tempfile.TemporaryDirectory(prefix="convrepro-") as temporary:
        path = Path(temporary) / "decoded.bin"
        decoded.write(path, dataset, source, num_workers=num_workers)
        return decoded.open_set(path, dataset, stays=False, is_mapped=False)


@contextlib.contextmanager
def _locked(path: Path | None) -> Iterator[OSError | None]:
    """Waits until no other process writes ``path``; yields what makes that impossible, if anything does."""
    if path is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(decoded.locked(path))
        except OSError as error:
            yield error
            return
        yield None
