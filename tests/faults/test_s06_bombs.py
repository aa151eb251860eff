"""S6: small files that would become large ones: refused in less than 2 s and 512 MB.

A process that has imported torch and scikit-learn has up to 430 MB before it reads anything; 80 MB are left.
"""

import gzip
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

PIECE_BYTES = 10**7  # of zeros, compressed once
MAX_SECONDS, MAX_ADDED_BYTES = 2.0, 80 * 10**6
SIDE = 50_000

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux' /proc")


def deflated_zeros(num_bytes: int, *, has_header: bool) -> bytes:
    """A stream of zlib, or of deflate alone: pieces that end at a byte are repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(PIECE_BYTES)) + packer.flush(zlib.Z_FULL_FLUSH)
    count, rest = divmod(num_bytes, PIECE_BYTES)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = piece * count + last.compress(bytes(rest)) + last.flush()
    checksum = struct.pack(">I", (num_bytes % 65521) << 16 | 1)  # Adler-32 of zeros
    return b"\x78\xda" + stream + checksum if has_header else stream


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*, is_whole: bool) -> bytes:
    """50,000 x 50,000 black pixels; or the header that says so."""
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    pixels = deflated_zeros(SIDE * (SIDE + 1), has_header=True) if is_whole else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg() -> bytes:
    """An image whose header says 50,000 x 50,000 pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (250, 250)).save(buffer, "JPEG")
    content = bytearray(buffer.getvalue())
    place = content.index(b"\xff\xc0")
    struct.pack_into(">HH", content, place + 5, SIDE, SIDE)
    return bytes(content)


def zeros_gz(start: bytes = b"") -> bytes:
    """10 GB of zeros after ``start``."""
    return gzip.compress(start) + gzip.compress(bytes(PIECE_BYTES)) * (10**10 // PIECE_BYTES)


def tar_header(kind: bytes, size_bytes: int) -> bytes:
    member = tarfile.TarInfo("batches/a")
    member.type, member.size = kind, size_bytes
    return member.tobuf(tarfile.GNU_FORMAT)


def npy(shape: tuple[int, ...], dtype: str) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def zip_of(members: dict[str, tuple[bytes, int]]) -> bytes:
    """A zip file of deflated members; each is said to have so many bytes, and none has a right checksum."""
    content, index = b"", b""
    for name, (stream, num_bytes) in members.items():
        common = (8, 0, 33, 0, len(stream), num_bytes, len(name), 0)
        place, start = len(content), struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, *common)
        index += struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, *common, 0, 0, 0, 0, place) + name.encode()
        content += start + name.encode() + stream
    return (
        content
        + index
        + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), len(index), len(content), 0)
    )


def deflated(content: bytes, num_zeros: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH) + deflated_zeros(num_zeros, has_header=False)


def bomb_npz(names: list[str], header: bytes, num_zeros: int, *, is_there: bool) -> bytes:
    """Arrays whose zeros are there, or only said to be."""
    stream = deflated(header, num_zeros if is_there else 100)
    return zip_of({f"{name}.npy": (stream, len(header) + num_zeros) for name in names})


def in_header_only(names: list[str], header: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(f"{name}.npy", header + bytes(100))
    return buffer.getvalue()


PACK, CLUTTERED = ["blob", "offsets", "labels", "split"], [f"x_{part}" for part in ("train", "valid", "test")]
ITEMS, HOLE, FACE = 2**31, b"hole", "lfw_home/lfw_funneled/A/A_1.jpg"
FLAT, LIST, ROWS, MILLION = (
    npy(shape, dtype) for shape, dtype in
    (((ITEMS,), "|u1"), ((10_000,), "<i8"), ((ITEMS // 3600 + 1, 3600), "<f4"), ((10**6, 3600), "|u1"))
)  # fmt: skip
IDX = ("idx", ["train-images-idx3-ubyte", "t10k-images-idx3-ubyte"])
TREE, FOLDERS, FACES = ("tree", ["a.png"]), ("folder", ["train/cat/0.png", "test/cat/0.png"]), ("faces", [FACE])
GZIP, TAR, A_PACK, DIGITS = ("gzip", ["a.gz"]), ("tar", ["a.tar.gz"]), ("pack", ["a.npz"]), ("cluttered", ["a.npz"])
BOMBS: dict[str, tuple[tuple[str, list[str]], Callable[[], bytes]]] = {
    "PNG": (("image", ["a.png"]), lambda: png(is_whole=True)),
    "PNG's header": (("image", ["a.png"]), lambda: png(is_whole=False)),
    "PNG of a tree": (TREE, lambda: png(is_whole=True)),
    "JPEG's header of a tree": (TREE, jpeg),
    "PNG of folders": (FOLDERS, lambda: png(is_whole=True)),
    "PNG of faces": (FACES, lambda: png(is_whole=True)),
    "JPEG's header of faces": (FACES, jpeg),
    "file of 10 GB of a tree": (TREE, lambda: HOLE),
    "file of 10 GB of folders": (FOLDERS, lambda: HOLE),
    "gzip": (GZIP, zeros_gz),
    "tar": (TAR, lambda: zeros_gz(tar_header(tarfile.REGTYPE, 10**10))),
    "tar's zeros": (TAR, zeros_gz),
    "tar's attributes": (TAR, lambda: zeros_gz(tar_header(tarfile.XHDTYPE, 8 * 10**9))),
    "tar's name": (TAR, lambda: zeros_gz(tar_header(tarfile.GNUTYPE_LONGNAME, 8 * 10**9))),
    "idx header": (IDX, lambda: b"\0\0\x08\3" + struct.pack(">III", ITEMS, 28, 28) + bytes(784)),
    "idx header that overflows": (IDX, lambda: b"\0\0\x08\3" + struct.pack(">III", ITEMS, ITEMS, ITEMS) + bytes(784)),
    "pack's header": (A_PACK, lambda: in_header_only(PACK, FLAT)),
    "pack's header and index": (A_PACK, lambda: bomb_npz(PACK, FLAT, ITEMS, is_there=False)),
    "pack's zeros": (A_PACK, lambda: bomb_npz(PACK, FLAT, ITEMS, is_there=True)),
    "pack's small claim": (A_PACK, lambda: zip_of({f"{name}.npy": (deflated(LIST, 10**10), 80_128) for name in PACK})),
    "cluttered header": (DIGITS, lambda: in_header_only(CLUTTERED, ROWS)),
    "cluttered header and index": (DIGITS, lambda: bomb_npz(CLUTTERED, MILLION, 36 * 10**8, is_there=False)),
    "cluttered zeros": (DIGITS, lambda: bomb_npz(CLUTTERED, MILLION, 36 * 10**8, is_there=True)),
}


def put(folder: Path, names: list[str], content: bytes) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if content == HOLE:
            os.truncate(path, 10**10)  # takes no space
    if names == IDX[1]:
        for part in ("train", "t10k"):
            (folder / f"{part}-labels-idx1-ubyte").write_bytes(b"\0\0\x08\1" + struct.pack(">I", 1) + b"\0")


@pytest.fixture(scope="module")
def readings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What one process said of each bomb, one after the other: the peak of its memory is that of all so far."""
    top = tmp_path_factory.mktemp("bombs")
    for which, ((kind, names), make) in BOMBS.items():
        put(top / kind / which, names, make())
    reader = [sys.executable, str(Path(__file__).with_name("read_hostile.py")), str(top)]
    done = subprocess.run(reader, capture_output=True, text=True, timeout=120, check=False)
    shutil.rmtree(top)
    assert done.returncode == 0, done.stderr
    return {found["name"]: found for found in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("which", BOMBS)
def test_a_bomb(readings: dict[str, dict[str, Any]], which: str) -> None:
    found = readings[which]
    assert 0 < len(found["said"]) <= 200
    assert found["seconds"] < MAX_SECONDS
    assert found["added_bytes"] < MAX_ADDED_BYTES
