"""What tells copies of files apart."""

import os
from pathlib import Path
from typing import Any

import pytest

from convrepro.data.listing import listing_of

DATASET: dict[str, Any] = {
    "name": "tiny", "files": {}, "downloads": [], "options": {"folders": {"all": "a"}, "lists": {"train": "train.txt"}},
}  # fmt: skip


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    (tmp_path / "data/a/b").mkdir(parents=True)
    for name in ("train.txt", "a/1.png", "a/b/2.png", "elsewhere.txt"):
        (tmp_path / "data" / name).write_bytes(b"12")
    return tmp_path / "data"


def test_the_same_files_have_the_same_listing(data_dir: Path) -> None:
    before = listing_of(DATASET, data_dir)
    (data_dir / "elsewhere.txt").write_bytes(b"345")
    assert listing_of(DATASET, data_dir) == before


@pytest.mark.parametrize("change", ["size", "time", "name", "more", "list", "place"])
def test_any_change_is_seen(data_dir: Path, change: str) -> None:
    before, path = listing_of(DATASET, data_dir), data_dir / "a/b/2.png"
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    if change == "size":
        path.write_bytes(b"123")
        os.utime(path, ns=times)
    elif change == "time":
        os.utime(path, ns=(times[0], times[1] + 1000))
    elif change == "name":
        path.rename(path.with_name("3.png"))
    elif change == "more":
        (data_dir / "a/3.png").touch()
    elif change == "list":
        (data_dir / "train.txt").write_bytes(b"123")
    else:
        data_dir = data_dir.rename(data_dir.with_name("other"))
    assert listing_of(DATASET, data_dir) != before


def test_a_set_without_folders_has_none(data_dir: Path) -> None:
    assert listing_of(DATASET | {"options": {}}, data_dir) == ""


def test_a_folder_that_is_missing(data_dir: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no b in .*; put it there yourself"):
        listing_of(DATASET | {"options": {"folders": {"all": "b"}}}, data_dir)


def test_what_macos_and_windows_leave_is_not_listed(data_dir: Path) -> None:
    """Else to look at a folder would mean that all of it is decoded again."""
    before = listing_of(DATASET, data_dir)
    for stray in (".DS_Store", "b/._2.png", "b/Thumbs.db"):
        (data_dir / "a" / stray).write_bytes(b"1")
    assert listing_of(DATASET, data_dir) == before
    (data_dir / "a/b/.DS_Store2").write_bytes(b"1")
    assert listing_of(DATASET, data_dir) != before


def test_folders_in_folders_without_end(data_dir: Path) -> None:
    (data_dir / "a" / "/".join(["d"] * 40)).mkdir(parents=True)
    with pytest.raises(ValueError, match="folders must not lie in more than 32 others"):
        listing_of(DATASET, data_dir)
