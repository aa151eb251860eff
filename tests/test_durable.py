"""Atomic writes."""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from convrepro import durable, processes


def test_content_is_what_was_written(tmp_path: Path) -> None:
    durable.write(tmp_path / "new folder" / "a.txt", "ä\n")
    assert (tmp_path / "new folder" / "a.txt").read_bytes() == "ä\n".encode()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    durable.write(path, "old")

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(durable.DiskFull, match=r"no space left for .*/a\.txt on the disk at /.*; free some"):
        durable.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names descriptors by /proc")
@pytest.mark.parametrize("write", [durable.write, durable.write_new])
def test_content_and_then_its_name_are_on_the_disk_when_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None]
) -> None:
    path, synced = tmp_path / "a.txt", []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink() == tmp_path, path.exists()))

    monkeypatch.setattr(os, "fsync", noted)
    write(path, "content")
    assert synced == [(False, False), (True, True)]  # the file before it has its name, the folder after


def test_a_new_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "a.txt"
    durable.write_new(path, "first")
    with pytest.raises(FileExistsError):
        durable.write_new(path, "second")
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("is_there", [False, True])
def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = tmp_path / "a.txt"
    if is_there:
        path.write_text("first")
        with pytest.raises(FileExistsError):
            durable.write_new(path, "second")
    else:
        durable.write_new(path, "first")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_whose_answer_was_lost_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def lossy(source: Path, target: Path) -> None:
        link(source, target)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "link", lossy)
    durable.write_new(tmp_path / "a.txt", "first")
    assert (tmp_path / "a.txt").read_text() == "first"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_temporary_files_of_dead_processes_are_removed_and_no_others(tmp_path: Path) -> None:
    dead = dataclasses.replace(processes.this(), started="1")
    others = [
        f".a.json.{processes.tag(processes.this())}.abc.tmp",
        f".a.json.{processes.tag(dataclasses.replace(dead, host='elsewhere'))}.abc.tmp",
        f".a.json.{processes.tag(dead)}.abc",
        "a.json",
        ".tmp",
    ]
    for name in [*others, f".a.json.{processes.tag(dead)}.abc.tmp", f".epoch1.ckpt.{processes.tag(dead)}.x_1.tmp"]:
        (tmp_path / name).touch()
    durable.remove_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)
    durable.remove_abandoned(tmp_path / "nowhere")


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
