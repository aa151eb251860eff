"""Data files on disk: where they are, and their bytes once size and checksum hold. Nothing is parsed here.

A config names each file by its uncompressed content::

    files:
      MNIST/raw/train-labels-idx1-ubyte: {size_bytes: 60008, sha256: 65a5...}

``<file>.gz`` beside or instead of it serves as well. The folder may be read-only. Sets of image files have folders of
them, and perhaps lists beside them, which ``options`` name: see ``folders_of`` and ``lists_of``. ``options.file`` is
the only file that is read of a folder.
"""

import contextlib
import gzip
import hashlib
import shlex
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

CHECKSUMS = ("sha256", "md5")


def find(dataset: Mapping[str, Any], data_dir: Path) -> dict[str, Path]:
    """Where each file of ``files`` lies; with ``.gz`` where only that is there.

    Raises:
        FileNotFoundError: if one is missing, or a folder or list of a set of image files; says where it was sought and
            what fetches it.
        ValueError: if a name leads out of ``data_dir``.
    """
    found = {name: _locate(data_dir, name) for name in dataset["files"]}
    missing = [name for name, path in found.items() if path is None]
    if (single := dataset.get("options", {}).get("file")) is None:
        missing += [name for name in folders_of(dataset) if not inside(data_dir, name).is_dir()]
    else:
        wanted = [f"{folder}/{single}" for folder in folders_of(dataset)]
        missing += [name for name in wanted if not inside(data_dir, name).is_file()]
    missing += [name for names in lists_of(dataset).values() for name in names if not inside(data_dir, name).is_file()]
    if missing:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise FileNotFoundError(f"no {missing[0]}{others} in {data_dir}; {remedy(dataset, data_dir)}.")
    return {name: path for name, path in found.items() if path is not None}


def folders_of(dataset: Mapping[str, Any]) -> list[str]:
    """Folders of image files below the data folder, by ``options.folders`` of a config."""
    return list(dataset.get("options", {}).get("folders", {}).values())


def lists_of(dataset: Mapping[str, Any]) -> dict[str, list[str]]:
    """Lists of image files below the data folder: one or several for each key of ``options.lists`` of a config.

    ``{partition}`` in a name stands for the option of that name.

    Raises:
        ValueError: if there is no such option, or it has another type than the name wants.
    """
    options = dataset.get("options", {})
    given = {key: [names] if isinstance(names, str) else names for key, names in options.get("lists", {}).items()}
    partition = {"partition": options["partition"]} if "partition" in options else {}
    try:
        return {key: [name.format(**partition) for name in names] for key, names in given.items()}
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(
            f"`options.lists` of {dataset['name']} must name files, {{partition}} in them being the number "
            f"`options.partition`, got {', '.join(name for names in given.values() for name in names)}."
        ) from error


def remedy(dataset: Mapping[str, Any], data_dir: Path) -> str:
    """What makes a missing file appear: the command that fetches it, or where somebody has to bring it from."""
    if not dataset["downloads"]:
        if homepage := dataset.get("homepage"):
            return f"put it there yourself from {homepage} since no command downloads it"
        return "put it there yourself, since it cannot be downloaded"
    return f"run `convrepro data fetch {dataset['name']} --data-dir {shlex.quote(str(data_dir))}`"


def read(dataset: Mapping[str, Any], data_dir: Path, name: str) -> bytes:
    """Uncompressed content of one file.

    Raises:
        FileNotFoundError: if a file of the data set is missing.
        ValueError: if it cannot be decompressed or is not the file of the config. At most one byte more than
            the config's size is decompressed, so a bomb costs nothing.
    """
    path, expected = find(dataset, data_dir)[name], dataset["files"][name]
    try:
        return checked_content(path, expected, is_gzipped=path.suffix == ".gz")
    except ValueError as error:
        where = f"{path.relative_to(data_dir)} in {data_dir}"  # a long message is cut in the middle
        raise ValueError(f"{where} {error}; delete it and {remedy(dataset, data_dir)}.") from error


def checked_content(path: Path, expected: Mapping[str, Any], *, is_gzipped: bool) -> bytes:
    """Uncompressed content of a file.

    Raises:
        ValueError: if it cannot be decompressed, or ``mismatch`` finds something; says what, as the end of a sentence.
    """
    try:
        with path.open("rb") as file:
            stream = gzip.GzipFile(fileobj=file) if is_gzipped else file
            content = stream.read(expected["size_bytes"] + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(f"cannot be decompressed: {error}") from error
    if problem := mismatch(content, expected):
        raise ValueError(problem)
    return content


def mismatch(content: bytes, expected: Mapping[str, Any]) -> str:
    """What is wrong with ``content``, as the end of a sentence; empty if size and every checksum hold."""
    if len(content) != expected["size_bytes"]:
        got = f"{len(content):,}" if len(content) < expected["size_bytes"] else "more"
        return f"must hold {expected['size_bytes']:,} bytes, got {got}"
    kinds = [kind for kind in CHECKSUMS if kind in expected]
    if not kinds:
        return f"has no checksum in its config (one of {', '.join(CHECKSUMS)})"
    for kind in kinds:
        got = hashlib.new(kind, content, usedforsecurity=False).hexdigest()
        if got != expected[kind]:
            return f"must have {kind} {expected[kind][:16]}..., got {got[:16]}..."
    return ""


@contextlib.contextmanager
def verified_copies(dataset: Mapping[str, Any], data_dir: Path) -> Iterator[Path]:
    """A private temporary folder with the verified, uncompressed files, for readers that open paths.

    Nobody else can change them between the check and the reading.
    """
    with tempfile.TemporaryDirectory(prefix="convrepro-") as temporary:
        for name in dataset["files"]:
            copy = Path(temporary) / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(read(dataset, data_dir, name))
        yield Path(temporary)


def inside(data_dir: Path, name: str) -> Path:
    """``data_dir / name``; raises ValueError if that could lie elsewhere."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or not name.isprintable():
        raise ValueError(f"a data file's name must stay inside the data folder, got {name!r}.")
    return data_dir / name


def _locate(data_dir: Path, name: str) -> Path | None:
    candidates = (inside(data_dir, name), inside(data_dir, f"{name}.gz"))
    return next((path for path in candidates if path.is_file()), None)
