"""Headers of arrays: those that NumPy writes, and no others."""

import io
import struct
import zipfile

import numpy as np
import pytest

from convrepro.data import npz


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">f4", "f8", "?", "O", "<U3"])
@pytest.mark.parametrize("shape", [(), (0,), (7,), (3, 2), (2, 3, 4)])
@pytest.mark.parametrize("is_fortran", [False, True])
def test_what_numpy_writes_is_read(dtype: str, shape: tuple[int, ...], is_fortran: bool) -> None:
    content = io.BytesIO()
    header = {"descr": np.dtype(dtype).str, "fortran_order": is_fortran, "shape": shape}
    np.lib.format.write_array_header_1_0(content, header)
    size_bytes = content.tell()
    content.seek(0)
    assert npz.read_header(content, "a") == (shape, is_fortran, np.dtype(dtype))
    assert content.tell() == size_bytes


def headed(text: bytes) -> io.BytesIO:
    return io.BytesIO(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)


def test_what_python_2_wrote_is_read() -> None:
    header = headed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (50000L, 3600L), }          \n")
    assert npz.read_header(header, "a") == ((50_000, 3600), False, np.dtype("<f4"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (io.BytesIO(b""), "a is no array of NumPy"),
        (io.BytesIO(b"\x93NUMPY"), r"a must have format version 1\.0, got \(\)"),
        (io.BytesIO(b"\x93NUMPY\2\0\1\0"), r"a must have format version 1\.0, got \(2, 0\)"),
        (headed(b"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "a header of numbers"),
        (headed(b"{'descr': '<q9', 'fortran_order': False, 'shape': (1,), }"), "a header of numbers"),
        (headed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"), "a header of numbers"),
        (headed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), } + 1"), "a header of numbers"),
        (headed(b"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }" + b" " * 2000), "a header of numbers"),
    ],
)
def test_other_headers(content: io.BytesIO, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        npz.read_header(content, "a")


def test_an_array_that_ends_early() -> None:
    with pytest.raises(ValueError, match="a ends early"):
        npz.read_numbers(io.BytesIO(b"123"), 4, "a")


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressions_that_numpy_does_not_use(kind: int) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", kind) as archive:
        archive.writestr("a.npy", b"1")
    with zipfile.ZipFile(content) as archive, pytest.raises(ValueError, match=r"a\.npy must be stored or deflated"):
        npz.member(archive, "a")


def test_reasons_are_one_line_without_a_full_stop() -> None:
    assert npz.reason(KeyError("There is no item named 'a.npy' in the archive")) == (
        "There is no item named 'a.npy' in the archive"
    )
    assert npz.reason(ValueError("one\ntwo.")) == "one two"
    assert npz.reason(EOFError()) == "EOFError"
