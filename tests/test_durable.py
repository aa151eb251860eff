"""Atomic writes."""

import os
from pathlib import Path

import pytest

from convrepro import durable


def test_content_is_what_was_written(tmp_path: Path) -> None:
    durable.write(tmp_path / "new folder" / "a.txt", "ä\n")
    assert (tmp_path / "new folder" / "a.txt").read_bytes() == "ä\n".encode()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    durable.write(path, "old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space left"):
        durable.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_kept_comes_back_and_what_is_broken_is_none(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "a.json"
    assert durable.kept(path) is None
    durable.keep(path, {"a": [1, 0.1, "ä", None]})
    assert durable.kept(path) == {"a": [1, 0.1, "ä", None]}
    for broken in (b"", b'{"a": [1', b"\xff\xfe"):
        path.write_bytes(broken)
        assert durable.kept(path) is None


def test_keeping_where_nothing_can_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    durable.keep(tmp_path / "file" / "a.json", {})
    assert durable.kept(tmp_path / "file" / "a.json") is None
