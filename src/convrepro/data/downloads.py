"""Fetching data files: https only, bounded, at most three tries, nothing parsed before its checksum holds."""

import gzip
import http.client
import logging
import math
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import IO, Any

from convrepro import durable
from convrepro.data import decoding, files

MAX_TRIES = 3
_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 20
_SLACK_BYTES = 1 << 20  # what an archive may hold beside the files that are wanted
_MAX_OTHERS = 1000  # of its members
_MAX_NAME = 1000  # characters
_TRANSIENT = (ValueError, urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)

# (url, path to write, most bytes that may be written)
Transfer = Callable[[str, Path, int], None]


def transfer_https(url: str, path: Path, max_bytes: int) -> None:
    """Writes what ``url`` answers to ``path``; what takes long says on stderr how long.

    Raises:
        ValueError: if the address, or one that it redirects to, is not https, or the answer is too long.
        OSError: if the connection or the disk fails.
    """
    with _https_opener().open(_https(url), timeout=_TIMEOUT_SECONDS) as answer, path.open("wb") as file:
        received, total = 0, math.ceil((answer.length or max_bytes) / _CHUNK_BYTES)
        chunks = iter(lambda: answer.read(_CHUNK_BYTES), b"")
        for chunk in decoding.announced(chunks, total, f"downloading {url}"):
            received += len(chunk)
            if received > max_bytes:
                raise ValueError(f"{url} must answer with {max_bytes:,} bytes, got more.")
            file.write(chunk)


def fetch(dataset: Mapping[str, Any], data_dir: Path, *, transfer: Transfer = transfer_https) -> None:
    """Makes sure that the files of a data set are in ``data_dir`` and whole; downloads what is missing.

    Raises:
        ValueError: if the data set has no download, what came is not what the config says, or a file that was
            already there is not.
        OSError: if the connection or the disk fails.
    """
    try:
        files.find(dataset, data_dir)
    except FileNotFoundError as error:
        if not dataset["downloads"]:
            wanted = ", ".join([*dataset["files"], *files.folders_of(dataset)])
            source = f" from {dataset['homepage']}" if dataset.get("homepage") else ""
            raise ValueError(
                f"{dataset['name']} cannot be downloaded; put {wanted}{source} into {data_dir} yourself."
            ) from error
        for download in dataset["downloads"]:
            archive = _download(download, dataset, data_dir, transfer)
            if archive.name.endswith(".tar.gz"):
                _unpack(archive, dataset, data_dir)
    for name in dataset["files"]:
        files.read(dataset, data_dir, name)


def retrieve(
    url: str,
    path: Path,
    *,
    max_bytes: int,
    check: Callable[[Path], object],
    known_hash: str | None = None,
    transfer: Transfer = transfer_https,
) -> None:
    """Makes a file of what ``url`` answers; one that is not whole only ever has a temporary name, and is removed.

    Args:
        url: https.
        path: of the file; if it is there and has ``known_hash``, nothing is asked for.
        max_bytes: most bytes of the answer.
        check: raises ValueError if the file, under its temporary name, is not the right one; called once the hash
            holds.
        known_hash: ``<kind>:<digest>``.
        transfer: what asks.

    Raises:
        ValueError: if the address is not https, or three answers were wrong, or none came.
        OSError: if the disk fails.
    """
    import pooch  # not needed where the data are

    def save(url: str, temporary: str, _: object) -> None:
        transfer(url, Path(temporary), max_bytes)
        with Path(temporary).open("rb") as file:
            if file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html")):
                raise ValueError("the answer is an HTML page")
        if known_hash is not None:
            kind, _, digest = known_hash.partition(":")
            if (found := pooch.file_hash(temporary, kind)) != digest:
                raise ValueError(f"the answer's {kind} hash must be {digest[:16]}..., got {found[:16]}...")
        check(Path(temporary))

    pooch.get_logger().setLevel(logging.WARNING)
    problem: Exception | None = None
    for _ in range(MAX_TRIES):
        try:
            pooch.retrieve(_https(url), known_hash, path.name, path=path.parent, downloader=save)
            return
        except _TRANSIENT as error:
            problem = error
    reason = " ".join(str(problem).split())
    raise ValueError(f"{url} was tried {MAX_TRIES} times without success: {reason}") from problem


def _download(download: Mapping[str, Any], dataset: Mapping[str, Any], data_dir: Path, transfer: Transfer) -> Path:
    url, path = _https(download["url"]), files.inside(data_dir, download["file"])
    kind = next((kind for kind in files.CHECKSUMS if kind in download), None)
    if kind is None:
        raise ValueError(f"the download of {path} must have a checksum, {' or '.join(files.CHECKSUMS)}.")
    expected = dataset["files"].get(download["file"].removesuffix(".gz"))

    def check(temporary: Path) -> None:
        if expected is not None:
            try:
                files.checked_content(temporary, expected, is_gzipped=path.suffix == ".gz")
            except ValueError as error:
                raise ValueError(f"the content of the answer {error}") from error

    known_hash = f"{kind}:{download[kind]}"
    retrieve(url, path, max_bytes=download["size_bytes"], check=check, known_hash=known_hash, transfer=transfer)
    return path


def _unpack(archive: Path, dataset: Mapping[str, Any], data_dir: Path) -> None:
    """Takes the wanted files out of an archive; other members are only looked at, to refuse hostile ones."""
    budget = _SLACK_BYTES + sum(expected["size_bytes"] for expected in dataset["files"].values())
    try:
        with _Limited(archive, budget) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for number, member in enumerate(tar):
                if number > _MAX_OTHERS + len(dataset["files"]) or member.size > budget:
                    raise ValueError("it holds more than its files")
                if len(member.name) > _MAX_NAME:
                    raise ValueError(f"the name of its {member.name!r:.20}... is too long")
                name = tarfile.data_filter(member, str(data_dir)).name
                if name in dataset["files"]:
                    _take(tar, member, name, dataset["files"][name], data_dir)
    except (ValueError, tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, OverflowError) as error:
        where, reason = f"{archive.name} in {archive.parent}", " ".join(str(error).split())
        raise ValueError(f"{where} cannot be unpacked: {reason}; delete it.") from error


def _take(
    tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, expected: Mapping[str, Any], data_dir: Path
) -> None:
    stream = tar.extractfile(member) if member.isreg() else None
    if stream is None:
        raise ValueError(f"its {name} must be a file, got a link, a folder or a device")
    content = stream.read(expected["size_bytes"] + 1)
    if problem := files.mismatch(content, expected):
        raise ValueError(f"its {name} {problem}")
    durable.write(data_dir / name, content)


class _Limited(gzip.GzipFile):
    """A stream that fails after ``max_bytes``: names and attributes in a tar file may have any length."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        super().__init__(path)
        self._bytes_left = max_bytes

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self._bytes_left -= len(content)
        if self._bytes_left < 0:
            raise ValueError("it holds more than its files")
        return content


class _HttpsRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        return super().redirect_request(req, fp, code, msg, headers, _https(newurl))  # type: ignore[arg-type]


def _https_opener() -> urllib.request.OpenerDirector:
    """An opener that has no handler for http at all."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(),
        _HttpsRedirects(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _https(url: str) -> str:
    if not url.startswith("https://"):
        raise ValueError(f"data are fetched over https only, got {url}.")
    return url
