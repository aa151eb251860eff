"""Arrays of ``.npz`` files by NumPy: what a file claims is checked before memory is taken, and nothing is unpickled."""

import re
import zipfile
import zlib
from typing import IO, Any

import numpy as np

_MAX_HEADER_BYTES = 1 << 10
# What NumPy writes. Its own reader evaluates the text as Python, and fails on a hostile one in a dozen ways.
_HEADER = re.compile(
    rb"\{'descr': '([<>|][a-zA-Z][0-9]{0,3})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:[0-9]{1,18}L?(?:, ?|(?=\))))*)\), ?\} *\n?"
)
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # NumPy's; the others unpack without bounds
# What zipfile raises on files that are cut or forged; and ours.
BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, NotImplementedError, RuntimeError, OverflowError,
    ValueError,
)  # fmt: skip


def member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The member of an array.

    Raises:
        KeyError: if there is none.
        ValueError: if it is compressed as NumPy does not do it.
    """
    found = archive.getinfo(f"{name}.npy")
    if found.compress_type not in _COMPRESSIONS:
        raise ValueError(f"{found.filename} must be stored or deflated")
    return found


def read_header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape of an array, whether it is in Fortran's order, and its type; ``stream`` then stands at its numbers.

    Raises:
        ValueError: if it has no header of format version 1.0 as NumPy writes it.
    """
    start = stream.read(10)
    if start[:6] != b"\x93NUMPY":
        raise ValueError(f"{name} is no array of NumPy")
    if start[6:8] != b"\1\0":
        raise ValueError(f"{name} must have format version 1.0, got {tuple(start[6:8])}")
    size_bytes = int.from_bytes(start[8:], "little")
    if size_bytes <= _MAX_HEADER_BYTES and (match := _HEADER.fullmatch(stream.read(size_bytes))):
        shape = tuple(int(number.strip(b" L")) for number in match[3].split(b",") if number.strip())
        try:
            return shape, match[2] == b"True", np.dtype(match[1].decode())
        except TypeError:  # a type that NumPy does not know
            pass
    raise ValueError(f"{name} must have a header of numbers as NumPy writes it")


def read_numbers(stream: IO[bytes], size_bytes: int, name: str) -> bytes:
    """The next bytes of a member; raises ValueError if it ends early."""
    content = stream.read(size_bytes)
    if len(content) != size_bytes:
        raise ValueError(f"{name} ends early")
    return content


def reason(error: Exception) -> str:
    """Why a file is broken, without a full stop."""
    text = error.args[0] if isinstance(error, KeyError) and error.args else error  # a KeyError quotes what it says
    return " ".join(str(text).split()).rstrip(".") or type(error).__name__
