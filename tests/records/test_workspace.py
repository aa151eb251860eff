"""States of a run, as the disk tells them."""

import dataclasses
import multiprocessing
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from tests.records.test_store import RECORD

from convrepro.records import store, workspace


def test_nothing_there_is_missing(tmp_path: Path) -> None:
    assert workspace.state(tmp_path, "aa", 0) == "missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", ["done", "diverged"])
def test_a_record_tells_how_it_ended(tmp_path: Path, status: str) -> None:
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, status=status))
    assert workspace.state(tmp_path, "aa", 0) == status


def test_a_checkpoint_without_a_claim_is_an_interrupted_run(tmp_path: Path) -> None:
    folder = workspace.run_dir(tmp_path, "aa", 0) / "train"
    folder.mkdir(parents=True)
    (folder / "epoch1.ckpt").touch()
    assert workspace.state(tmp_path, "aa", 0) == "interrupted"


def test_a_failure_keeps_its_reason_until_it_is_cleared(tmp_path: Path) -> None:
    workspace.write_failure(tmp_path, "aa", 0, "no data")
    assert workspace.state(tmp_path, "aa", 0) == "failed"
    assert workspace.failure(tmp_path, "aa", 0) == "no data"
    workspace.clear_failure(tmp_path, "aa", 0)
    assert workspace.state(tmp_path, "aa", 0) == "missing"


def _hold(folder: Path, held: Event, let_go: Event) -> None:
    with workspace.claim(folder):
        held.set()
        let_go.wait(30)


def test_a_claim_holds_against_other_processes_and_ends_with_its_own(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    folder = workspace.run_dir(tmp_path, "aa", 0)
    process = context.Process(target=_hold, args=(folder, held, let_go))
    process.start()
    try:
        assert held.wait(30)
        assert workspace.state(tmp_path, "aa", 0) == "running"
        with pytest.raises(workspace.Claimed, match="another process works on"), workspace.claim(folder):
            pass
    finally:
        process.kill()
        process.join()
    assert workspace.state(tmp_path, "aa", 0) == "missing"
    with workspace.claim(folder):
        pass


def test_a_broken_record_is_unreadable(tmp_path: Path) -> None:
    store.write(workspace.records_dir(tmp_path), RECORD).write_text("{")
    assert workspace.state(tmp_path, "aa", 0) == "unreadable"


def test_a_folder_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot write to .*file/results: .*; choose another folder"):
        workspace.check_writable(tmp_path / "file" / "results")
    workspace.check_writable(tmp_path / "new" / "results")
    assert list((tmp_path / "new" / "results").iterdir()) == []
