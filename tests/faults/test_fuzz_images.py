"""Files of images with bytes that were changed at random: the same images, or one line; never another exception."""

import hashlib
import io
import os
import struct
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.data.trees import tree_of

from convrepro.cli.errors import one_line
from convrepro.data import cluttered, encoded, files, idx, image_tree, listed_images, listing, npz, oxford_pets, pack

Figure = Callable[[int, int], int]
MAX_SECONDS = 5.0


def described(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def often(number: int) -> Callable[[Any], Any]:
    """The same examples each time, and no state between runs."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(max_examples=number, derandomize=True, database=None, deadline=None, suppress_health_check=checks)


def outcome(action: Callable[[], Any]) -> Any:
    """What an action returns; None if it is refused in one line."""
    started = time.monotonic()
    try:
        with warnings.catch_warnings():  # Pillow's, on images that it can read all the same
            warnings.simplefilter("ignore")
            found = action()
    except (ValueError, OSError) as error:
        found, refusal = None, error
    else:
        refusal = None
    assert refusal is None or 0 < len(one_line(refusal)) <= 200
    assert "\n" not in str(refusal)
    assert time.monotonic() - started < MAX_SECONDS
    return found


@st.composite
def changed(draw: st.DrawFn, content: bytes) -> bytes:
    """Some bytes are others, are missing, are there twice, or are numbers that formats have at their start."""
    bad = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(bad)))
        kind = draw(st.sampled_from(["bit", "byte", "cut", "drop", "insert", "repeat", "large"]))
        if kind == "bit" and place < len(bad):
            bad[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "byte" and place < len(bad):
            bad[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del bad[max(place, 1) :]
        elif kind == "drop":
            del bad[place : place + draw(st.integers(1, 40))]
        elif kind == "insert":
            bad[place:place] = draw(st.binary(min_size=1, max_size=20))
        elif kind == "repeat":
            bad[place:place] = bad[place : place + draw(st.integers(1, 40))]
        else:
            bad[place : place + 4] = draw(st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80", bytes(4)]))
        bad = bad or bytearray(b"\0")
    return bytes(bad)


def png(pixels: np.ndarray, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form)
    return buffer.getvalue()


PIXELS = np.random.RandomState(0).randint(0, 256, (6, 8, 7)).astype(np.uint8)
IMAGES = [png(pixels) for pixels in PIXELS]


def a_pack(*, is_compressed: bool) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if is_compressed else np.savez)(
        buffer,
        blob=np.frombuffer(b"".join(IMAGES), np.uint8),
        offsets=np.cumsum([0, *map(len, IMAGES)]),
        labels=np.arange(6) % 3,
        split=np.array([0, 0, 0, 0, 1, 1], np.uint8),
    )
    return buffer.getvalue()


def read_pack(content: bytes, folder: Path) -> bytes:
    (folder / "a.npz").write_bytes(content)
    options = {"first_label": 0, "split_ids": {"train": [0], "test": [1]}}
    dataset = {"name": "tiny", "files": {"a.npz": described(content)}, "downloads": [], "options": options}
    found = pack.read(dataset | {"in_channels": 1, "image_size": [8, 7]}, folder)
    assert found.train.image_shape == (1, 8, 7)
    return found.joined().images_BCHW.numpy().tobytes()


@pytest.mark.parametrize("is_compressed", [False, True])
def test_packs(tmp_path: Path, figure: Figure, is_compressed: bool) -> None:
    """Members of a zip file and pixels of a PNG have checksums; what none covers may change."""
    whole = a_pack(is_compressed=is_compressed)
    assert read_pack(whole, tmp_path) == PIXELS.tobytes()

    @often(figure(100, 5000))
    @given(changed(whole))
    def check(content: bytes) -> None:
        found = outcome(lambda: read_pack(content, tmp_path))
        assert found is None or sorted(np.frombuffer(found, np.uint8)) == sorted(PIXELS.ravel())

    check()


def arrays_in(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize("array", ["blob", "offsets", "labels", "split"])
def test_arrays_in_packs_whose_checksums_are_right(tmp_path: Path, figure: Figure, array: str) -> None:
    members = arrays_in(a_pack(is_compressed=False))

    @often(figure(50, 3000))
    @given(changed(members[f"{array}.npy"]))
    def check(content: bytes) -> None:
        outcome(lambda: read_pack(zipped(members | {f"{array}.npy": content}), tmp_path))

    check()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP"])
def test_single_images(figure: Figure, form: str) -> None:
    """Formats without checksums show other pixels; they never end in anything but a line."""
    whole = png(np.random.RandomState(0).randint(0, 256, (40, 30, 3)).astype(np.uint8), form)

    @often(figure(100, 5000))
    @given(changed(whole), st.booleans())
    def check(content: bytes, resize: bool) -> None:
        formats, others = ("JPEG", "PNG", "GIF", "BMP"), ("L", "LA", "RGBA", "CMYK", "P", "1", "I", "F")
        found = outcome(
            lambda: encoded.decode(content, (20, 20, 3), resize=resize, formats=formats, other_modes=others)
        )
        assert found is None or (found.shape, found.dtype) == ((20, 20, 3), np.dtype(np.uint8))
        outcome(lambda: encoded.decode_as_it_is(content, formats))

    check()


def idx_bytes(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.mark.parametrize("which", ["images", "labels"])
def test_idx_files(tmp_path: Path, figure: Figure, which: str) -> None:
    whole = {
        f"{part}-{kind}": content
        for part in ("train", "t10k")
        for kind, content in (
            ("images-idx3-ubyte", idx_bytes(PIXELS)),
            ("labels-idx1-ubyte", idx_bytes(np.arange(6, dtype=np.uint8))),
        )
    }
    name = f"train-{which}-idx{3 if which == 'images' else 1}-ubyte"

    @often(figure(50, 3000))
    @given(changed(whole[name]))
    def check(content: bytes) -> None:
        both = whole | {name: content}
        for one, written in both.items():
            (tmp_path / one).write_bytes(written)
        described_files = {one: described(written) for one, written in both.items()}
        dataset = {"name": "tiny", "files": described_files, "downloads": [], "options": {}}
        found = outcome(lambda: idx.read(dataset, tmp_path))
        assert found is None or content[16 if which == "images" else 8 :].startswith(
            found.train.images_BCHW.numpy().tobytes()
            if which == "images"
            else found.train.labels_B.numpy().astype(np.uint8).tobytes()
        )

    check()


def a_cluttered_file() -> bytes:
    buffer, stream = io.BytesIO(), np.random.RandomState(0)
    arrays = {f"x_{part}": stream.rand(4, 9).astype("f4") for part in ("train", "valid", "test")}
    arrays |= {f"y_{part}": np.eye(4, 3)[[0, 1, 2, 0]] for part in ("train", "valid", "test")}
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_cluttered_files(tmp_path: Path, figure: Figure) -> None:
    options = {"folders": {"all": "."}, "file": "a.npz", "content_sha256": ""}
    numbers = {"image_size": [3, 3], "num_train_images": 8, "num_test_images": 4, "num_classes": 3}
    dataset = {"name": "tiny", "files": {}, "downloads": [], "options": options, **numbers}

    def read(content: bytes) -> bytes:
        (tmp_path / "a.npz").write_bytes(content)
        return bytes(cluttered.read(dataset, tmp_path).joined().images_BCHW.numpy().tobytes())

    whole = a_cluttered_file()
    expected = read(whole)

    @often(figure(100, 5000))
    @given(changed(whole))
    def check(content: bytes) -> None:
        found = outcome(lambda: read(content))
        assert found is None or sorted(found) == sorted(expected)

    check()


@pytest.mark.parametrize(
    "nonsense", ["(", "[", "-", "{", "()", "{[]:1}", "'", "\\", "9" * 300, "1L,", "#\n", "\0", "é"]
)
def test_headers_that_are_programs(nonsense: str) -> None:
    """NumPy evaluates a header as Python's own literals: deep ones have ended the interpreter."""
    for text in (nonsense * 100, f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({nonsense * 100},), }}"):
        header = text.encode()[:60_000]
        content = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
        with pytest.raises(ValueError, match="a must have a header of numbers as NumPy writes it"):
            npz.read_header(io.BytesIO(content), "a")


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from([
            "cat/0.png", "/cat/0.png", "cat/../../secret", "../secret", "/etc/passwd", "cat//etc/passwd", "cat/\0",
            "-rf/-rf", "~/x", "cat/0.png\x1b[31m", "cat\\0.png", "", " ", "cat/0.png cat/0.png", "\ufeffcat/0.png",
        ]),
    ),
    max_size=6,
)  # fmt: skip


def test_lists_of_images(tmp_path: Path, figure: Figure) -> None:
    """Whatever a list says, only files below the folder of the images are named by what is read."""
    tree_of(tmp_path)
    (tmp_path / "secret").write_bytes(b"secret")
    there = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "set/train").rglob("*.png"))
    options = {"folders": {"images": "set/train"}, "lists": {"train": "a.txt", "test": "b.txt"}, "content_sha256": ""}
    dataset = {"name": "tiny", "files": {}, "downloads": [], "options": {**options, "unlisted_images": 12}}
    dataset |= {"num_classes": 1}

    @often(figure(100, 5000))
    @given(TEXTS, st.sampled_from(["\n", "\r\n", "\r", "\x85"]), st.one_of(st.none(), st.binary(max_size=20)))
    def check(lines: list[str], end: str, junk: bytes | None) -> None:
        text = end.join(lines).encode("utf-8", "surrogatepass")
        (tmp_path / "a.txt").write_bytes(text if junk is None else junk)
        (tmp_path / "b.txt").write_bytes(b"dog/0.png\n")
        found = outcome(lambda: listed_images.read(dataset | {"num_classes": 2}, tmp_path))
        assert found is None or set(found.train.names) <= set(there)

    check()


def test_lists_of_pets(tmp_path: Path, figure: Figure) -> None:
    options = {"folders": {"images": "i", "masks": "m"}, "lists": {"train": "a.txt", "test": "a.txt"}, "breeds": 2}
    dataset = {"name": "tiny", "files": {}, "downloads": [], "options": {**options, "content_sha256": ""}}
    numbers = st.one_of(
        st.integers(-(10**30), 10**30).map(str), st.sampled_from(["1", "2", "٣", "²", "9" * 5000, "1e3"])
    )

    @often(figure(50, 3000))
    @given(st.lists(st.tuples(st.text(max_size=9), numbers, numbers, numbers).map(" ".join), max_size=3))
    def check(lines: list[str]) -> None:
        (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8", errors="replace")
        assert outcome(lambda: oxford_pets.read(dataset, tmp_path)) is None

    check()


ODD = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"-rf", b"a\nb", b"a\x1b[31mb", b"..png", b".hidden", b"~", b"a b", b"a=b,[c]", b"\xff\xfe", b"a" * 250]
    ),
)


def test_trees_with_odd_names(figure: Figure) -> None:
    """Names of bytes: what is listed can be printed, lies below the folder and is read; all else is refused."""

    @often(figure(100, 3000))
    @given(ODD, ODD, st.sampled_from(["file", "folder", "link", "pipe"]))
    def check(class_name: bytes, name: bytes, kind: str) -> None:
        class_name, name = (one.replace(b"/", b"_").replace(b"\0", b"_") for one in (class_name, name))
        if {class_name, name} & {b".", b".."}:
            return
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "set" / os.fsdecode(class_name) / os.fsdecode(name)
            path.parent.mkdir(parents=True)
            if kind == "file":
                path.write_bytes(IMAGES[0])
            elif kind == "folder":
                path.mkdir()
            elif kind == "link":
                path.symlink_to("/etc/passwd")
            else:
                os.mkfifo(path)
            found = outcome(lambda: image_tree.list_classes(Path(temporary), "set"))
            dataset = {"name": "tiny", "files": {}, "downloads": [], "options": {"folders": {"all": "set"}}}
            outcome(lambda: listing.listing_of(dataset, Path(temporary)))
            assert kind == "file" or found is None
            for listed in found[0].names if found else []:
                assert listed.isprintable()
                assert files.inside(Path(temporary), listed).resolve().is_relative_to(Path(temporary).resolve())
                image_tree.decode(listed, Path(temporary), (8, 7, 1), resize=False)

    check()


def test_the_changes_are_seen() -> None:
    """Of the changes above, at least a tenth must be refused: else nothing was tried."""
    whole, results = a_pack(is_compressed=True), []
    with tempfile.TemporaryDirectory() as temporary:

        @often(50)
        @given(changed(whole))
        def check(content: bytes) -> None:
            results.append(outcome(lambda: read_pack(content, Path(temporary))))

        check()
    assert results.count(None) > len(results) / 10
    assert zipfile.is_zipfile(io.BytesIO(whole))
