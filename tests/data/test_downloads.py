"""Fetching: what is refused, and that nothing is left behind."""

import email.message
import gzip
import hashlib
import io
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from convrepro.data import downloads
from convrepro.data.downloads import fetch

URL = "https://example.org/archive"


class Server:
    """Answers every request with the same bytes and counts them."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def __call__(self, url: str, path: Path, max_bytes: int) -> None:
        self.asked.append(url)
        if isinstance(self.answer, Exception):
            raise self.answer
        assert len(self.answer) <= max_bytes
        path.write_bytes(self.answer)


def described(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def one_download(content: bytes, **keys: Any) -> dict[str, Any]:
    download = {"url": URL, "file": "sub/a.gz", **described(gzip.compress(content, mtime=0)), **keys}
    return {"name": "tiny", "files": {"sub/a": described(content)}, "downloads": [download]}


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def from_archive(archive: bytes, *, file: bytes = b"content") -> dict[str, Any]:
    download = {"url": URL, "file": "a.tar.gz", **described(archive)}
    return {"name": "tiny", "files": {"batches/a": described(file)}, "downloads": [download]}


def everything_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_download_is_verified_and_kept(tmp_path: Path) -> None:
    dataset, server = one_download(b"content"), Server(gzip.compress(b"content", mtime=0))
    fetch(dataset, tmp_path, transfer=server)
    assert everything_under(tmp_path) == {"sub", "sub/a.gz"}
    fetch(dataset, tmp_path, transfer=server)
    assert server.asked == [URL]  # the second time, everything was there


def test_wanted_files_are_taken_out_of_an_archive(tmp_path: Path) -> None:
    archive = archive_of(
        (tarfile.TarInfo("batches/readme.html"), b"<html>"), (tarfile.TarInfo("batches/a"), b"content")
    )
    fetch(from_archive(archive), tmp_path, transfer=Server(archive))
    assert (tmp_path / "batches" / "a").read_bytes() == b"content"
    assert everything_under(tmp_path) == {"a.tar.gz", "batches", "batches/a"}


def test_archive_that_is_already_there_is_not_asked_for(tmp_path: Path) -> None:
    archive = archive_of((tarfile.TarInfo("batches/a"), b"content"))
    (tmp_path / "a.tar.gz").write_bytes(archive)
    server = Server(AssertionError("no request expected"))
    fetch(from_archive(archive), tmp_path, transfer=server)
    assert server.asked == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"something else", "the answer's sha256 hash must be "),
        (b"", "hash"),
        (gzip.compress(b"content", mtime=0)[:-1], "hash"),
        (b"\n<!DOCTYPE html><html>404</html>", "the answer is an HTML page"),
        (urllib.error.URLError("no route"), "no route"),
        (ConnectionResetError("reset"), "reset"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_bad_answer_is_tried_three_times_and_leaves_nothing(
    tmp_path: Path, answer: bytes | Exception, reason: str
) -> None:
    server = Server(answer)
    with pytest.raises(ValueError, match=f"{URL} was tried 3 times without success: .*{reason}") as caught:
        fetch(one_download(b"content", size_bytes=100), tmp_path, transfer=server)
    assert len(server.asked) == 3
    assert "\n" not in str(caught.value)
    assert everything_under(tmp_path) <= {"sub"}


def test_full_disk_is_not_tried_again(tmp_path: Path) -> None:
    server = Server(OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        fetch(one_download(b"content"), tmp_path, transfer=server)
    assert len(server.asked) == 1


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "HTTP://a"])
def test_only_https_is_asked(tmp_path: Path, url: str) -> None:
    server = Server(b"")
    with pytest.raises(ValueError, match="over https only, got"):
        fetch(one_download(b"content", url=url), tmp_path, transfer=server)
    assert server.asked == []
    with pytest.raises(ValueError, match="over https only, got"):
        downloads.transfer_https(url, tmp_path / "a", 10)


def test_redirect_to_http_is_refused() -> None:
    request, headers = urllib.request.Request(URL), email.message.Message()
    follow = downloads._HttpsRedirects().redirect_request
    with pytest.raises(ValueError, match=r"over https only, got http://example\.org/b"):
        follow(request, io.BytesIO(), 302, "Found", headers, "http://example.org/b")
    followed = follow(request, io.BytesIO(), 302, "Found", headers, "https://example.org/b")
    assert followed is not None
    assert followed.full_url == "https://example.org/b"


def test_opener_cannot_speak_http() -> None:
    with pytest.raises(urllib.error.URLError, match="unknown url type: http"):
        downloads._https_opener().open("http://127.0.0.1:9/")


def test_answer_that_is_too_long_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Opener:
        def open(self, url: str, timeout: float) -> io.BytesIO:
            assert (url, timeout) == (URL, 30)
            answer = io.BytesIO(bytes(101))
            answer.length = 101
            return answer

    monkeypatch.setattr(downloads, "_https_opener", Opener)
    with pytest.raises(ValueError, match="must answer with 100 bytes, got more"):
        downloads.transfer_https(URL, tmp_path / "a", 100)
    downloads.transfer_https(URL, tmp_path / "a", 101)
    assert (tmp_path / "a").read_bytes() == bytes(101)


def test_download_whose_content_is_not_the_file(tmp_path: Path) -> None:
    """The archive's checksum holds, that of the content does not: it is found before anything reads it."""
    other = gzip.compress(b"CONTENT", mtime=0)
    dataset = one_download(b"content", **described(other))
    with pytest.raises(ValueError, match="3 times without success: the content of the answer must have sha256"):
        fetch(dataset, tmp_path, transfer=Server(other))
    assert everything_under(tmp_path) == {"sub"}


def test_download_without_a_checksum(tmp_path: Path) -> None:
    dataset = one_download(b"content")
    del dataset["downloads"][0]["sha256"]
    with pytest.raises(ValueError, match="must have a checksum, sha256 or md5"):
        fetch(dataset, tmp_path, transfer=Server(b""))


def test_download_that_leaves_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must stay inside the data folder"):
        fetch(one_download(b"content", file="../a"), tmp_path, transfer=Server(b""))


def test_corrupt_file_is_named_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a").write_bytes(b"CONTENT")
    with pytest.raises(ValueError, match=r"^sub/a in .* must have sha256 .*; delete it and run"):
        fetch(one_download(b"content"), tmp_path, transfer=Server(b""))


def test_set_without_a_download(tmp_path: Path) -> None:
    dataset = {"name": "tiny", "files": {"a.npz": {}}, "downloads": []}
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the whole message is compared)
        fetch(dataset, tmp_path)
    assert str(caught.value) == f"tiny cannot be downloaded; put a.npz into {tmp_path} yourself."
    page, options = "https://example.org/tiny", {"folders": {"images": "jpg"}}
    with pytest.raises(ValueError, match=f"; put a.npz, jpg from {page} into {tmp_path} yourself\\.$"):
        fetch(dataset | {"homepage": page, "options": options}, tmp_path)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def device(name: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = tarfile.CHRTYPE
    return member


@pytest.mark.parametrize(
    "hostile",
    [
        (tarfile.TarInfo("../escaped"), b"x"),
        (tarfile.TarInfo("batches/../../escaped"), b"x"),
        (link("batches/escape", "/etc"), b""),
        (link("escape", "../.."), b""),
        (link("hard", "../../escaped", tarfile.LNKTYPE), b""),
        (device("null"), b""),
        (tarfile.TarInfo("big"), bytes(3 << 20)),
    ],
    ids=["parent", "hidden parent", "absolute link", "relative link", "hard link", "device", "bomb"],
)  # fmt: skip
def test_hostile_archive_changes_nothing(tmp_path: Path, hostile: tuple[tarfile.TarInfo, bytes]) -> None:
    archive = archive_of(hostile, (tarfile.TarInfo("batches/a"), b"content"))
    data_dir = tmp_path / "data"
    with pytest.raises(ValueError, match=r"a\.tar\.gz in .* cannot be unpacked: .*; delete it\.") as caught:
        fetch(from_archive(archive), data_dir, transfer=Server(archive))
    assert "\n" not in str(caught.value)
    assert everything_under(tmp_path) == {"data", "data/a.tar.gz"}


def test_absolute_member_stays_inside(tmp_path: Path) -> None:
    """tarfile's data filter strips the leading slash."""
    archive = archive_of((tarfile.TarInfo("/batches/a"), b"content"))
    fetch(from_archive(archive), tmp_path, transfer=Server(archive))
    assert (tmp_path / "batches" / "a").read_bytes() == b"content"
    assert not Path("/batches").exists()


def test_archive_without_the_wanted_file(tmp_path: Path) -> None:
    archive = archive_of((tarfile.TarInfo("other"), b"content"))
    with pytest.raises(FileNotFoundError, match="no batches/a in"):
        fetch(from_archive(archive), tmp_path, transfer=Server(archive))


def test_link_in_place_of_a_wanted_file(tmp_path: Path) -> None:
    archive = archive_of((tarfile.TarInfo("other"), b"CONTENT"), (link("batches/a", "../other"), b""))
    with pytest.raises(ValueError, match="cannot be unpacked: its batches/a must "):
        fetch(from_archive(archive), tmp_path, transfer=Server(archive))


@pytest.mark.parametrize("cut", [10, -20])
def test_broken_archive(tmp_path: Path, cut: int) -> None:
    archive = archive_of((tarfile.TarInfo("batches/a"), b"content"))[:cut]
    with pytest.raises(ValueError, match="cannot be unpacked") as caught:
        fetch(from_archive(archive), tmp_path, transfer=Server(archive))
    assert "\n" not in str(caught.value)
