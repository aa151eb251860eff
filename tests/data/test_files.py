"""Finding and verifying data files."""

import gzip
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convrepro.data import files

Make = Callable[..., dict[str, Any]]


def test_verified_content(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of({"a/b": b"content"})
    assert files.read(dataset, tmp_path, "a/b") == b"content"


def test_gzipped_file_serves_as_well(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of({"a": b"content"})
    (tmp_path / "a").unlink()
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"content"))
    assert files.read(dataset, tmp_path, "a") == b"content"
    assert files.find(dataset, tmp_path) == {"a": tmp_path / "a.gz"}


def test_missing_file_names_folder_and_command(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of({"a": b"1", "b": b"2", "c": b"3"})
    (tmp_path / "a").unlink()
    (tmp_path / "b").unlink()
    with pytest.raises(FileNotFoundError) as caught:
        files.find(dataset, tmp_path)
    assert str(caught.value) == f"no a and 1 more in {tmp_path}; put it there yourself, since it cannot be downloaded."


def test_folder_that_does_not_exist(tmp_path: Path, dataset_of: Make) -> None:
    with pytest.raises(FileNotFoundError, match="put it there yourself"):
        files.find(dataset_of({"a": b"1"}), tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Content", "must have sha256 ed7002b439e9ac84..., got"),
        (b"cont", "must hold 7 bytes, got 4"),
        (b"content and more", "must hold 7 bytes, got more"),
        (b"", "must hold 7 bytes, got 0"),
    ],
)
def test_changed_file(tmp_path: Path, dataset_of: Make, content: bytes, message: str) -> None:
    dataset = dataset_of({"a": b"content"})
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        files.read(dataset, tmp_path, "a")
    assert str(caught.value).endswith("; delete it and put it there yourself, since it cannot be downloaded.")
    assert "\n" not in str(caught.value)


def test_every_stated_checksum_must_hold() -> None:
    right = {"size_bytes": 1, "sha256": hashlib.sha256(b"a").hexdigest()}
    assert files.mismatch(b"a", right) == ""
    assert files.mismatch(b"a", {**right, "md5": hashlib.md5(b"a").hexdigest()}) == ""
    assert "must have md5 00000000" in files.mismatch(b"a", {**right, "md5": "0" * 32})


def test_file_without_a_checksum_is_refused() -> None:
    assert "has no checksum" in files.mismatch(b"a", {"size_bytes": 1})


@pytest.mark.parametrize(
    "packed", [b"not gzip", gzip.compress(b"content")[:-9], b"\x1f\x8b\x08\x00" + b"\xff" * 30, b"\x1f\x8b"]
)
def test_broken_gzip(tmp_path: Path, dataset_of: Make, packed: bytes) -> None:
    dataset = dataset_of({"a": b"content"})
    (tmp_path / "a").unlink()
    (tmp_path / "a.gz").write_bytes(packed)
    with pytest.raises(ValueError, match=r"^a\.gz in .* (cannot be decompressed|must hold 7 bytes)"):
        files.read(dataset, tmp_path, "a")


def test_gzip_bomb_is_not_inflated(tmp_path: Path, dataset_of: Make) -> None:
    """200 MB of zeros in 200 kB; refused without holding more than a few MB."""
    dataset = dataset_of({"a": b"content"})
    (tmp_path / "a").unlink()
    with gzip.open(tmp_path / "a.gz", "wb", compresslevel=1) as file:
        for _ in range(200):
            file.write(bytes(1_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="must hold 7 bytes, got more"):
        files.read(dataset, tmp_path, "a")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5_000_000


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "a\nb", "a\0b"])
def test_names_that_leave_the_folder(tmp_path: Path, name: str) -> None:
    dataset = {"name": "tiny", "files": {name: {"size_bytes": 1, "sha256": ""}}}
    with pytest.raises(ValueError, match="must stay inside the data folder") as caught:
        files.find(dataset, tmp_path)
    assert "\n" not in str(caught.value)


def test_folder_in_place_of_a_file(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of({"a": b"content"})
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError, match="no a in"):
        files.find(dataset, tmp_path)


def test_copies_are_private_whole_and_removed(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of({"a": b"1", "deep/b": b"2"})
    (tmp_path / "a").unlink()
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1"))
    with files.verified_copies(dataset, tmp_path) as folder:
        assert (folder / "a").read_bytes() == b"1"
        assert (folder / "deep" / "b").read_bytes() == b"2"
        assert folder.stat().st_mode & 0o077 == 0
        assert tmp_path not in folder.parents
    assert not folder.exists()


def test_data_folder_may_be_read_only(tmp_path: Path, dataset_of: Make) -> None:
    dataset = dataset_of({"a": b"1"})
    before = sorted(tmp_path.iterdir())
    tmp_path.chmod(0o500)
    try:
        with files.verified_copies(dataset, tmp_path) as folder:
            assert (folder / "a").read_bytes() == b"1"
    finally:
        tmp_path.chmod(0o700)
    assert sorted(tmp_path.iterdir()) == before


def test_the_remedy_fetches_into_the_folder_that_was_looked_in(tmp_path: Path) -> None:
    dataset = {"name": "tiny", "downloads": [{"url": "https://example.org/a"}]}
    folder = tmp_path / "with blank"
    assert files.remedy(dataset, folder) == f"run `convrepro data fetch tiny --data-dir '{folder}'`"


def test_the_remedy_says_where_to_get_what_no_command_downloads(tmp_path: Path) -> None:
    dataset = {"name": "tiny", "downloads": [], "homepage": "https://example.org/tiny"}
    assert files.remedy(dataset, tmp_path) == (
        "put it there yourself from https://example.org/tiny since no command downloads it"
    )


def test_the_only_file_of_a_folder_is_sought(tmp_path: Path) -> None:
    dataset = {"name": "tiny", "files": {}, "downloads": [], "options": {"folders": {"all": "a"}, "file": "b.npz"}}
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError, match=r"^no a/b\.npz in "):
        files.find(dataset, tmp_path)
    (tmp_path / "a/b.npz").write_bytes(b"1")
    assert files.find(dataset, tmp_path) == {}


SET = {"name": "leaves", "files": {}, "downloads": [], "options": {}}
LISTS = {"train": ["a{partition:02d}.txt", "b.txt"], "test": "c{partition}.txt"}


def test_lists_of_a_partition() -> None:
    dataset = SET | {"options": {"lists": LISTS, "partition": 3}}
    assert files.lists_of(dataset) == {"train": ["a03.txt", "b.txt"], "test": ["c3.txt"]}
    assert files.lists_of(SET) == files.lists_of({"name": "tiny"}) == {}


@pytest.mark.parametrize("options", [{}, {"partition": "one"}])
def test_lists_without_the_number_of_a_partition(options: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError, match=r"^`options\.lists` of leaves must name files, \{partition\} in them being the"
    ):
        files.lists_of(SET | {"options": {"lists": LISTS, **options}})


def test_folders_and_lists_are_sought_too(tmp_path: Path) -> None:
    dataset = SET | {"options": {"folders": {"images": "set/images"}, "lists": {"train": "set/a.txt"}}}
    remedy = "put it there yourself, since it cannot be downloaded"
    with pytest.raises(FileNotFoundError, match=f"^no set/images and 1 more in {tmp_path}; {remedy}\\.$"):
        files.find(dataset, tmp_path)
    (tmp_path / "set/images").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=f"^no set/a.txt in {tmp_path}; {remedy}\\.$"):
        files.find(dataset, tmp_path)
    (tmp_path / "set/a.txt").write_text("x\n")
    assert files.find(dataset, tmp_path) == {}
