"""Fetching data files: https only, bounded, at most three tries, nothing parsed before its checksum holds."""

import http.client
import logging
import tarfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import IO, Any

from convrepro import durable
from convrepro.data import files

MAX_TRIES = 3
_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 20
_SLACK_BYTES = 1 << 20  # what an archive may hold beside the files that are wanted
_TRANSIENT = (ValueError, urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)

# (url, path to write, most bytes that may be written)
Transfer = Callable[[str, Path, int], None]


def transfer_https(url: str, path: Path, max_bytes: int) -> None:
    """Writes what ``url`` answers to ``path``.

    Raises:
        ValueError: if the address, or one that it redirects to, is not https, or the answer is too long.
        OSError: if the connection or the disk fails.
    """
    with _https_opener().open(_https(url), timeout=_TIMEOUT_SECONDS) as answer, path.open("wb") as file:
        received = 0
        while chunk := answer.read(_CHUNK_BYTES):
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
            archive = _download(download, data_dir, transfer)
            if archive.name.endswith(".tar.gz"):
                _unpack(archive, dataset, data_dir)
    for name in dataset["files"]:
        files.read(dataset, data_dir, name)


def _download(download: Mapping[str, Any], data_dir: Path, transfer: Transfer) -> Path:
    import pooch  # not needed where the data are

    url, path = _https(download["url"]), files.inside(data_dir, download["file"])
    kind = next((kind for kind in files.CHECKSUMS if kind in download), None)
    if kind is None:
        raise ValueError(f"the download of {path} must have a checksum, {' or '.join(files.CHECKSUMS)}.")

    def save(url: str, temporary: str, _: object) -> None:
        transfer(url, Path(temporary), download["size_bytes"])
        with Path(temporary).open("rb") as file:
            if file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html")):
                raise ValueError("the answer is an HTML page")

    pooch.get_logger().setLevel(logging.WARNING)
    problem: Exception | None = None
    for _ in range(MAX_TRIES):
        try:
            # Downloads to a temporary file that is renamed once its checksum holds, and removed otherwise.
            pooch.retrieve(url, f"{kind}:{download[kind]}", path.name, path=path.parent, downloader=save)
            return path
        except _TRANSIENT as error:
            problem = error
    reason = " ".join(str(problem).split())
    raise ValueError(f"{url} was tried {MAX_TRIES} times without success: {reason}") from problem


def _unpack(archive: Path, dataset: Mapping[str, Any], data_dir: Path) -> None:
    """Takes the wanted files out of an archive; other members are only looked at, to refuse hostile ones."""
    budget = _SLACK_BYTES + sum(expected["size_bytes"] for expected in dataset["files"].values())
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                budget -= member.size
                if budget < 0:
                    raise ValueError("it holds more than its files")
                name = tarfile.data_filter(member, str(data_dir)).name
                if name in dataset["files"]:
                    stream = tar.extractfile(member)
                    content = stream.read() if stream else b""
                    if problem := files.mismatch(content, dataset["files"][name]):
                        raise ValueError(f"its {name} {problem}")
                    durable.write(data_dir / name, content)
    except (ValueError, tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"{archive} cannot be unpacked: {error}; delete it.") from error


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
