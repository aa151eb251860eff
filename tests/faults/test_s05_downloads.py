"""S5: what a server may answer instead of a file: three tries at most, https only, and nothing is kept or parsed."""

import gzip
import hashlib
import http.client
import io
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from convrepro import config_files
from convrepro.cli.errors import one_line
from convrepro.data import catalogue, downloads, files

URL, CONTENT = "https://example.org/a.gz", gzip.compress(b"content", mtime=0)


class Wire(io.BytesIO):
    """A connection on which an answer has come in."""

    def makefile(self, _: str) -> "Wire":
        return self


class Server:
    """Answers as the tests say, by address, and is the only one that can be asked, and only over https."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        monkeypatch.setattr(urllib.request.HTTPSHandler, "https_open", lambda _, request: self.answer(request))

    def answer(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        self.asked.append(request.full_url)
        answer = http.client.HTTPResponse(Wire(self.answers[request.full_url]))  # type: ignore[arg-type]
        answer.begin()
        answer.msg = answer.reason  # type: ignore[assignment]  # as urllib does
        return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


def ok(content: bytes, *, length: int | None = None, kind: str = "application/gzip") -> bytes:
    length = len(content) if length is None else length
    return f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nContent-Type: {kind}\r\n\r\n".encode() + content


def redirect(url: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n".encode()


def described(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def dataset(**changes: Any) -> dict[str, Any]:
    download = {"url": URL, "file": "raw/a.gz", **described(CONTENT), **changes}
    return {"name": "tiny", "files": {"raw/a": described(b"content")}, "downloads": [download]}


def files_below(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()]


def test_the_whole_file(tmp_path: Path, server: Server) -> None:
    """Also from where https redirects to."""
    server.answers = {URL: redirect("https://example.org/b.gz"), "https://example.org/b.gz": ok(CONTENT)}
    downloads.fetch(dataset(), tmp_path)
    assert files_below(tmp_path) == ["raw/a.gz"]
    assert server.asked == [URL, "https://example.org/b.gz"]


WRONG = {
    "other content": (ok(bytes(len(CONTENT))), "hash must be"),
    "one bit": (ok(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])), "hash must be"),
    "cut": (ok(CONTENT[:-5], length=len(CONTENT)), "hash must be"),
    "cut in the middle of a chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + CONTENT[:7], "IncompleteRead"
    ),
    "empty": (ok(b""), "hash must be"),
    "longer": (ok(CONTENT + b"more"), "must answer with 27 bytes, got more"),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(10**7), "must answer with 27 bytes, got more"),
    "HTML page": (ok(b"<!DOCTYPE html><html>", kind="text/html"), "the answer is an HTML page"),
    "HTML page without a type": (ok(b"\n <HTML><body>"), "the answer is an HTML page"),
    "not found": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP Error 404"),
    "out of order": (b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP Error 503"),
    "redirected to http": (redirect("http://example.org/a.gz"), "over https only, got http://example"),
    "redirected to a file": (redirect("file:///etc/passwd"), "Redirection to url 'file:///etc/passwd' is not allowed"),
    "redirected to ftp": (redirect("ftp://example.org/a.gz"), "over https only, got ftp://"),
    "redirected without end": (redirect(URL), "redirect"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n", "SSH-2.0-OpenSSH"),
    "length that is no number": (ok(CONTENT[:3]).replace(b"3\r\n", b"x\r\n"), "hash must be"),
}  # fmt: skip


@pytest.mark.parametrize("which", WRONG)
def test_a_wrong_answer(tmp_path: Path, server: Server, which: str) -> None:
    answer, reason = WRONG[which]
    server.answers = {URL: answer}
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        downloads.fetch(dataset(), tmp_path)
    message = one_line(caught.value)
    assert message.startswith(f"{URL} was tried 3 times without success: ")
    assert len(message) <= 200
    assert files_below(tmp_path) == []
    assert 3 <= len(server.asked) <= (33 if which == "redirected without end" else 3)
    assert set(server.asked) == {URL}


def test_the_second_try_may_succeed(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter([ok(CONTENT[:5], length=len(CONTENT)), ok(CONTENT)])
    monkeypatch.setattr(server, "answers", type("Turns", (), {"__getitem__": lambda *_: next(turns)})())
    downloads.fetch(dataset(), tmp_path)
    assert server.asked == [URL, URL]
    assert files_below(tmp_path) == ["raw/a.gz"]


def test_a_file_whose_md5_somebody_has_forged(tmp_path: Path, server: Server) -> None:
    """Its content then has another SHA-256, which is found before it gets the file's name."""
    forged = gzip.compress(b"CONTENT", mtime=0)
    server.answers = {URL: ok(forged)}
    changes = {"size_bytes": len(forged), "md5": hashlib.md5(forged, usedforsecurity=False).hexdigest()}
    forged_dataset = dataset(**changes)
    del forged_dataset["downloads"][0]["sha256"]
    with pytest.raises(ValueError, match="the content of the answer must have sha256"):
        downloads.fetch(forged_dataset, tmp_path)
    assert files_below(tmp_path) == []


def test_nothing_is_parsed(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even decompressed."""

    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a wrong file was opened")

    for owner, name in ((gzip, "GzipFile"), (downloads.tarfile, "open"), (Image, "open")):
        monkeypatch.setattr(owner, name, never)
    for which in ("other content", "cut", "one bit"):
        server.answers = {URL: WRONG[which][0]}
        with pytest.raises(ValueError, match="3 times without success"):
            downloads.fetch(dataset(), tmp_path)


def test_an_archive_that_was_there_and_is_defective(tmp_path: Path, server: Server) -> None:
    """It is not opened, but asked for again."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.tar.gz").write_bytes(b"junk")
    defective = dataset(file="raw/a.tar.gz")
    server.answers = {URL: WRONG["cut"][0]}
    with pytest.raises(ValueError, match="3 times without success"):
        downloads.fetch(defective, tmp_path)
    assert server.asked == [URL] * 3
    assert files_below(tmp_path) == ["raw/a.tar.gz"]


def with_downloads() -> list[str]:
    return [name for name in config_files.names("dataset") if config_files.load("dataset", name)["downloads"]]


@pytest.mark.parametrize("name", with_downloads())
def test_every_download_leads_to_files_that_are_pinned_by_sha256(name: str) -> None:
    """Archives by their own; a file whose publisher says the MD5 alone, by what is in it."""
    config = config_files.load("dataset", name)
    for download in config["downloads"]:
        assert download["url"].startswith("https://")
        assert download["size_bytes"] > 0
        inside = config["files"].get(download["file"].removesuffix(".gz"))
        pinned = [entry["sha256"] for entry in (download, inside or {}) if "sha256" in entry]
        assert pinned, download["file"]
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in pinned)
    for entry in config["files"].values():
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"])


def test_sets_that_are_downloaded_are_known() -> None:
    """A new one has to be looked at: does the test above see all that is opened of it?"""
    expected = {"cifar10", "cifar100", "fashion_mnist", "image_filters", "mnist", "mnist_cluttered_generated"}
    assert set(with_downloads()) == expected


def test_a_changed_file_is_found_by_every_reader(tmp_path: Path) -> None:
    """One that nobody downloaded now."""
    config = config_files.load("dataset", "mnist")
    for name, expected in config["files"].items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0" * expected["size_bytes"])
    assert catalogue.verify("mnist", tmp_path).state == "corrupt"
    with pytest.raises(ValueError, match="must have sha256"):
        files.read(config, tmp_path, next(iter(config["files"])))
