"""S4: hostile archives, to each reader of archives: nothing outside its folder changes, and nothing hostile inside."""

import gzip
import hashlib
import io
import stat
import struct
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convrepro import config_files
from convrepro.cli.errors import one_line
from convrepro.data import cluttered, downloads, pack
from convrepro.records import archive

WANTED = b"content"
MAX_SIZE = 10 * 2**30


def described(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def snapshot(folder: Path) -> dict[str, Any]:
    """All below a folder: kind, and content or target."""
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.is_dir() or path.read_bytes()
        for path in folder.rglob("*")
    }


def tar_member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **pax: str) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.pax_headers = kind, target, pax
    return member


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as file:
        for member, content in members:
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def claiming(size_bytes: int, kind: bytes = tarfile.REGTYPE, name: str = "batches/a") -> bytes:
    """A header of a tar file's member of that size, and none of its content."""
    member = tar_member(name, kind)
    member.size = size_bytes
    return member.tobuf(tarfile.GNU_FORMAT)


def sparse(size_bytes: int) -> bytes:
    """A member of the wanted name that is a hole."""
    block = bytearray(claiming(0, tarfile.GNUTYPE_SPARSE))
    block[386:410] = b"%011o\0%011o\0" % (0, 0)  # a piece of no bytes
    block[483:495] = b"%011o\0" % (size_bytes % 8**11)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


NOTHING = b""
REFUSED = {
    "parent": tar((tar_member("../escaped"), b"x")),
    "hidden parent": tar((tar_member("batches/../../escaped"), b"x")),
    "parent of the wanted file": tar((tar_member("../batches/a"), WANTED)),
    "absolute link": tar((tar_member("batches", tarfile.SYMTYPE, "/etc"), NOTHING)),
    "relative link": tar((tar_member("batches", tarfile.SYMTYPE, "../.."), NOTHING)),
    "link, then a file through it": tar(
        (tar_member("batches", tarfile.SYMTYPE, "../elsewhere"), NOTHING), (tar_member("batches/a"), WANTED)
    ),
    "link in place of the file": tar((tar_member("batches/a", tarfile.SYMTYPE, "../b"), NOTHING)),
    "hard link": tar((tar_member("batches/a", tarfile.LNKTYPE, "../elsewhere/precious"), NOTHING)),
    "character device": tar((tar_member("batches/a", tarfile.CHRTYPE), NOTHING)),
    "block device": tar((tar_member("null", tarfile.BLKTYPE), NOTHING)),
    "pipe": tar((tar_member("batches/a", tarfile.FIFOTYPE), NOTHING)),
    "folder in place of the file": tar((tar_member("batches/a", tarfile.DIRTYPE), NOTHING)),
    "long name": tar((tar_member("a" * 5000), b"x")),
    "deep name": tar((tar_member("a/" * 2500 + "a"), b"x")),
    "larger than its files": tar((tar_member("b"), bytes(2**21))),
    "said to have 10 GB": claiming(MAX_SIZE) + bytes(1024),
    "attributes of 10 GB": claiming(MAX_SIZE, tarfile.XHDTYPE) + bytes(2**21),
    "name of 10 GB": claiming(MAX_SIZE, tarfile.GNUTYPE_LONGNAME) + bytes(2**21),
    "hole of 8 GB": sparse(8**11 - 1),
    "negative size": claiming(-1024),
    "2,000 members": tar(*[(tar_member(f"b{number}"), NOTHING) for number in range(2000)]),
    "other content": tar((tar_member("batches/a"), b"CONTENT")),
    "size that is no number": claiming(0)[:124] + b"junkjunkjun\0" + claiming(0)[136:],
    "no tar file": b"junk" * 500,
}
HARMLESS = {  # the wanted file comes out, and only it
    "absolute name": tar((tar_member("/batches/a"), WANTED)),
    "leading dash": tar((tar_member("-rf"), b"x"), (tar_member("batches/a"), WANTED)),
    "line feed": tar((tar_member("b\nc"), b"x"), (tar_member("batches/a"), WANTED)),
    "twice": tar((tar_member("batches/a"), WANTED), (tar_member("batches/a"), WANTED)),
    "another owner and mode": tar((tar_member("batches/a", uid="0", mode="0o7777"), WANTED)),
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").write_bytes(b"as it was")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def fetch(content: bytes, data_dir: Path) -> None:
    def transfer(_: str, path: Path, max_bytes: int) -> None:
        assert len(content) <= max_bytes
        path.write_bytes(content)

    download = {"url": "https://example.org/a", "file": "a.tar.gz", **described(content)}
    dataset = {"name": "tiny", "files": {"batches/a": described(WANTED)}, "downloads": [download]}
    downloads.fetch(dataset, data_dir, transfer=transfer)


def checked_line(error: BaseException, name: str) -> None:
    message = one_line(error)  # type: ignore[arg-type]
    assert name in message
    assert len(message) <= 200
    assert "\n" not in message


@pytest.mark.parametrize("which", REFUSED)
def test_a_hostile_tar_file(data_dir: Path, which: str) -> None:
    content, before = gzip.compress(REFUSED[which], 1), snapshot(data_dir.parent)
    with pytest.raises(ValueError, match="cannot be unpacked: ") as caught:
        fetch(content, data_dir)
    checked_line(caught.value, "a.tar.gz")
    assert snapshot(data_dir.parent) == before | {"data/a.tar.gz": content}


@pytest.mark.parametrize("which", HARMLESS)
def test_a_tar_file_that_is_harmless(data_dir: Path, which: str) -> None:
    content, before = gzip.compress(HARMLESS[which], 1), snapshot(data_dir.parent)
    fetch(content, data_dir)
    own = {"data/a.tar.gz": content, "data/batches": True, "data/batches/a": WANTED}
    assert snapshot(data_dir.parent) == before | own
    assert stat.S_IMODE((data_dir / "batches/a").stat().st_mode) == 0o644


@pytest.mark.parametrize("cut", range(1, 8))
def test_a_tar_file_that_ends_early(data_dir: Path, cut: int) -> None:
    content = gzip.compress(tar((tar_member("batches/a"), np.random.RandomState(0).bytes(4000))), 1)
    before = snapshot(data_dir.parent)
    with pytest.raises(ValueError, match="cannot be unpacked: ") as caught:
        fetch(content[: len(content) * cut // 8], data_dir)
    checked_line(caught.value, "a.tar.gz")
    assert snapshot(data_dir.parent).keys() == before.keys() | {"data/a.tar.gz"}


# -- zip files: nothing is ever unpacked to a file; a name that is not looked for is passed over ----------------------


def member(name: str, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    found.external_attr = (kind | 0o777) << 16
    return found


HOSTILE = {
    "parent": member("../escaped.npy"),
    "hidden parent": member("a/../../escaped.npy"),
    "absolute": member("/escaped.npy"),
    "drive": member("C:\\escaped.npy"),
    "link": member("labels2.npy", stat.S_IFLNK),
    "device": member("null.npy", stat.S_IFCHR),
    "long": member("a" * 60_000),
    "line feed": member("a\nb.npy"),
    "leading dash": member("-rf.npy"),
}
DAMAGED = ("bzip2", "lzma", "encrypted", "other size", "other checksum", "unknown compression", "overlapping", "cut")


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    return buffer.getvalue()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def zipped(arrays: Mapping[str, np.ndarray], *more: zipfile.ZipInfo, kind: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for extra in more:
            file.writestr(extra, b"../elsewhere/precious")
        for name, array in arrays.items():
            file.writestr(f"{name}.npy", npy(array))
    return buffer.getvalue()


def damaged(arrays: Mapping[str, np.ndarray], how: str) -> bytes:
    if how in ("bzip2", "lzma"):
        return zipped(arrays, kind={"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}[how])
    content = bytearray(zipped(arrays))
    if how == "cut":
        return bytes(content[: len(content) // 2])
    first = content.index(b"PK\1\2")  # the index' entry of the first member
    place, form = {
        "encrypted": (8, "<H"), "unknown compression": (10, "<H"), "other checksum": (16, "<I"),
        "other size": (20, "<II"), "overlapping": (42, "<I"),
    }[how]  # fmt: skip
    second = content.index(b"PK\3\4", 4)
    values = {"encrypted": (1,), "unknown compression": (99,), "other checksum": (7,), "overlapping": (second,)}
    struct.pack_into(form, content, first + place, *values.get(how, (10**9, 10**9)))
    return bytes(content)


def read_pack(content: bytes, data_dir: Path) -> int:
    (data_dir / "a.npz").write_bytes(content)
    options = {"first_label": 0, "split_ids": {"train": [0], "test": [1]}}
    dataset = {"name": "tiny", "files": {"a.npz": described(content)}, "downloads": [], "options": options}
    return len(pack.read(dataset | {"in_channels": 1, "image_size": [4, 4]}, data_dir).train)


def arrays_of_a_pack() -> dict[str, np.ndarray]:
    return {
        "blob": np.frombuffer(png() * 3, np.uint8), "offsets": np.arange(4) * len(png()), "labels": np.arange(3),
        "split": np.array([0, 0, 1]),
    }  # fmt: skip


def read_cluttered(content: bytes, data_dir: Path) -> int:
    dataset = config_files.load("dataset", "mnist_cluttered")
    dataset |= {"num_classes": 2, "image_size": [2, 2], "num_train_images": 4, "num_test_images": 2}
    dataset["options"] |= {"content_sha256": "", "folders": {"all": "."}, "file": "a.npz"}
    (data_dir / "a.npz").write_bytes(content)
    return len(cluttered.read(dataset, data_dir).train) // 2


def arrays_of_cluttered() -> dict[str, np.ndarray]:
    parts = ("train", "valid", "test")
    return {f"x_{part}": np.zeros((2, 4), "f4") for part in parts} | {f"y_{part}": np.eye(2) for part in parts}


READERS = {"pack": (read_pack, arrays_of_a_pack), "cluttered": (read_cluttered, arrays_of_cluttered)}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("which", HOSTILE)
def test_hostile_names_in_a_zip_file_are_never_used(data_dir: Path, reader: str, which: str) -> None:
    read, arrays = READERS[reader]
    before, content = snapshot(data_dir.parent), zipped(arrays(), HOSTILE[which])
    assert read(content, data_dir) == 2
    assert snapshot(data_dir.parent) == before | {"data/a.npz": content}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_zip_file(data_dir: Path, reader: str, how: str) -> None:
    read, arrays = READERS[reader]
    before, content = snapshot(data_dir.parent), damaged(arrays(), how)
    with pytest.raises(
        ValueError, match=r"a\.npz .*(is not an image pack|cannot be read as MNIST-Cluttered): "
    ) as caught:
        read(content, data_dir)
    checked_line(caught.value, "a.npz")
    assert snapshot(data_dir.parent) == before | {"data/a.npz": content}


RECORD = "0123456789abcdef-seed0.json"


def record_archives() -> dict[str, bytes]:
    hostile = {which: zipped({}, one) for which, one in HOSTILE.items()}
    named = {
        "link named as a record": member(RECORD, stat.S_IFLNK), "device": member(RECORD, stat.S_IFCHR),
        "hostile folder": member(f"../{RECORD}"), "dash": member(f"-{RECORD}"), "NUL": member(f"{RECORD}\0.json"),
        "line feed at the end": member(f"{RECORD}\n"), "no record": member(RECORD), "folder": member(f"{RECORD}/"),
    }  # fmt: skip
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(RECORD, bytes(2**21))
    bombs = {"bomb": buffer.getvalue(), "no zip file": b"junk", "cut": buffer.getvalue()[:-9]}
    return hostile | {which: zipped({}, one) for which, one in named.items()} | bombs


@pytest.mark.parametrize("which", record_archives())
def test_a_hostile_archive_of_records(data_dir: Path, which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_dir)
    Path("a.zip").write_bytes(record_archives()[which])
    before = snapshot(data_dir.parent)
    with pytest.raises(ValueError, match=r"a\.zip") as caught:
        archive.merge(Path("a.zip"), Path("records"), run_id_of=lambda _: RECORD[:16])
    checked_line(caught.value, "a.zip")
    assert snapshot(data_dir.parent) == before
