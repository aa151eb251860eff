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
        assert workspace.states(tmp_path, [("aa", 0)]) == {("aa", 0): "running"}
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


@pytest.fixture
def several(tmp_path: Path) -> dict[workspace.Run, str]:
    """A run in every state but running, and its state."""
    store.write(workspace.records_dir(tmp_path), RECORD)
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, seed=1, status="diverged"))
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, seed=2)).write_text("{")
    workspace.write_failure(tmp_path, "aa", 3, "no data")
    folder = workspace.run_dir(tmp_path, "aa", 4) / "train"
    folder.mkdir(parents=True)
    (folder / "epoch1.ckpt").touch()
    workspace.run_dir(tmp_path, "aa", 5).mkdir()
    states = ["done", "diverged", "unreadable", "failed", "interrupted", "missing", "missing"]
    return {("aa", seed): state for seed, state in enumerate(states)}


def test_many_states_are_those_of_each(tmp_path: Path, several: dict[workspace.Run, str]) -> None:
    for _ in range(2):  # read, and kept
        assert workspace.states(tmp_path, several) == several
    assert {run: workspace.state(tmp_path, *run) for run in several} == several


def test_states_of_nothing(tmp_path: Path) -> None:
    assert workspace.states(tmp_path / "nowhere", [("aa", 0)]) == {("aa", 0): "missing"}
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_read_once_until_its_file_changes(
    tmp_path: Path, several: dict[workspace.Run, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.states(tmp_path, several)
    read: list[int] = []
    whole = store.read

    def noted(records_dir: Path, run_id: str, seed: int) -> object:
        read.append(seed)
        return whole(records_dir, run_id, seed)

    monkeypatch.setattr(store, "read", noted)
    workspace.states(tmp_path, [("aa", 0), ("aa", 1)])
    assert read == []
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, status="diverged"))
    assert workspace.states(tmp_path, [("aa", 0), ("aa", 1)])["aa", 0] == "diverged"
    assert read == [0]
    store.path_of(workspace.records_dir(tmp_path), "aa", 1).write_text("{")
    assert workspace.states(tmp_path, [("aa", 1)]) == {("aa", 1): "unreadable"}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"aa-seed0.json": 3}', '{"aa-seed0.json": [1, 2, "gone"]}'])
def test_a_broken_cache_of_states_is_made_anew(tmp_path: Path, several: dict[workspace.Run, str], content: str) -> None:
    workspace.states(tmp_path, several)
    path = workspace.cache_dir(tmp_path) / "states.json"
    path.write_text(content)
    assert workspace.states(tmp_path, several) == several
    assert "aa-seed0.json" in path.read_text()


def test_the_cache_of_states_forgets_what_is_gone(tmp_path: Path, several: dict[workspace.Run, str]) -> None:
    workspace.states(tmp_path, several)
    store.path_of(workspace.records_dir(tmp_path), "aa", 1).unlink()
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, seed=9))
    assert workspace.states(tmp_path, [("aa", 1), ("aa", 9)]) == {("aa", 1): "missing", ("aa", 9): "done"}
    kept = (workspace.cache_dir(tmp_path) / "states.json").read_text()
    assert [name for name in ("aa-seed0", "aa-seed1", "aa-seed9") if name in kept] == ["aa-seed0", "aa-seed9"]
