"""States of a run, as the disk tells them."""

import dataclasses
import json
from pathlib import Path

import pytest
from tests.records.test_store import RECORD

from convrepro import durable, processes
from convrepro.records import attempts, store, workspace


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


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_an_attempt_keeps_how_it_ended_until_the_next(tmp_path: Path, state: str) -> None:
    folder = workspace.run_dir(tmp_path, "aa", 0)
    attempts.claim(folder).end(state, "no data")  # type: ignore[arg-type]
    assert workspace.state(tmp_path, "aa", 0) == state
    assert workspace.ending(tmp_path, "aa", 0) == "no data (attempt 1)"
    second = attempts.claim(folder)
    assert workspace.states(tmp_path, [("aa", 0)]) == {("aa", 0): "running"}
    assert workspace.ending(tmp_path, "aa", 0).endswith("(attempt 2)")
    second.end(None)
    assert workspace.state(tmp_path, "aa", 0) == "missing"
    assert workspace.ending(tmp_path, "aa", 0) == ""


def test_an_attempt_of_a_dead_process_is_interrupted(tmp_path: Path) -> None:
    folder = workspace.run_dir(tmp_path, "aa", 0)
    _abandon(folder)
    assert workspace.state(tmp_path, "aa", 0) == "interrupted"
    assert workspace.ending(tmp_path, "aa", 0).startswith("its process ended without a word")


def _abandon(folder: Path) -> None:
    """Leaves the attempt of a process that is dead."""
    claim = attempts.claim(folder)
    newest = attempts.latest(folder)
    assert newest is not None
    claim.end(None)
    dead = dataclasses.replace(processes.this(), started="1")
    content = dataclasses.asdict(dataclasses.replace(newest, process=dead))
    durable.write(folder / f"attempt{newest.number}.json", json.dumps(content))


def test_what_killed_processes_left_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    """Seed 0 has its record; seed 1 has not, seed 2 is being finished by somebody."""
    dead = processes.tag(dataclasses.replace(processes.this(), started="1"))
    for seed in (0, 1, 2):
        folder = workspace.run_dir(tmp_path, "aa", seed)
        (folder / "train").mkdir(parents=True)
        (folder / "train" / "epoch1.ckpt").touch()
        (folder / "train" / "metrics.csv").touch()
        (folder / "train" / f".epoch2.ckpt.{dead}.x.tmp").touch()
        if seed < 2:
            _abandon(folder)
    claim = attempts.claim(workspace.run_dir(tmp_path, "aa", 2))
    for seed in (0, 2):
        store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, seed=seed))
    workspace.clean(tmp_path, [("aa", seed) for seed in (0, 1, 2, 3)])
    left = {path.relative_to(tmp_path / "runs").as_posix() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert left == {
        *(f"aa-seed{seed}/train/metrics.csv" for seed in (0, 1, 2)),
        *(f"aa-seed{seed}/train/epoch1.ckpt" for seed in (1, 2)),
        *(f"aa-seed{seed}/attempt1.json" for seed in (1, 2)),
    }
    claim.end(None)


def test_a_finished_run_leaves_no_empty_folder(tmp_path: Path) -> None:
    claim = attempts.claim(workspace.run_dir(tmp_path, "aa", 0))
    claim.end(None)
    workspace.tidy(tmp_path, RECORD)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_broken_record_is_unreadable(tmp_path: Path) -> None:
    store.write(workspace.records_dir(tmp_path), RECORD).write_text("{")
    assert workspace.state(tmp_path, "aa", 0) == "unreadable"


def test_a_folder_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"cannot write to .*file/results: .*; choose another folder"):
        workspace.check_writable(tmp_path / "file" / "results")
    workspace.check_writable(tmp_path / "new" / "results")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.fixture
def several(tmp_path: Path) -> dict[workspace.Run, str]:
    """A run in every state but running, and its state."""
    store.write(workspace.records_dir(tmp_path), RECORD)
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, seed=1, status="diverged"))
    store.write(workspace.records_dir(tmp_path), dataclasses.replace(RECORD, seed=2)).write_text("{")
    attempts.claim(workspace.run_dir(tmp_path, "aa", 3)).end("failed", "no data")
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
    store.path_of(workspace.records_dir(tmp_path), "aa", 0).unlink()
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
