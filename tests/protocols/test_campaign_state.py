"""The files that a campaign leaves, and goes on from. Going on to the same records: test_campaign.py."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from convrepro.protocols import campaign_state
from convrepro.protocols.campaign_state import restore, save
from convrepro.protocols.identity import run_id_of
from convrepro.records import Record, archive, attempts, store, workspace
from convrepro.training import checkpoints

DONE, SELECTING, TRAINING = ("done", 0), ("open", 0), ("open", 10)


def _config(name: str) -> dict[str, Any]:
    """Of a run that trains nothing."""
    protocol = {"task": "count", "scale": 1, "images": 1, "retrain": False, "validation_images": 0}
    return {
        "conv": name,
        "protocol": protocol,
        "recipe": {"epochs": 1},
        "dataset": {"official": True, "num_train_images": 1, "num_test_images": 1, "num_classes": 2},
    }


def _run(name: str, seed: int) -> tuple[str, int]:
    return run_id_of(_config(name)), seed


def _record(name: str, seed: int) -> Record:
    return Record(
        run_id=run_id_of(_config(name)),
        seed=seed,
        status="done",
        config=_config(name),
        names={"dataset": "digits", "model": "cnn4", "conv": name},
        official_data=True,
        scaled=False,
        num_parameters=1,
        num_macs=1,
        num_operator_layers=1,
        splits={},
        epochs={},
        selected={},
        measured={"wall_seconds": 0.0},
        environment={},
    )


RUNS = [_run(*run) for run in (DONE, SELECTING, TRAINING)]


@pytest.fixture
def results_dir(tmp_path: Path) -> Path:
    """One finished run, one in the first of two phases, one in the second."""
    folder = tmp_path / "results"
    store.write(workspace.records_dir(folder), _record(*DONE))
    _checkpoint(folder, DONE, "weights/last.pt")
    for path in ("select/epoch2.ckpt", "select/epoch3.ckpt"):
        _checkpoint(folder, SELECTING, path)
    for path in ("select/epoch4.ckpt", "train/epoch1.ckpt", "train/epoch2.ckpt", "weights/best_on_validation.pt"):
        _checkpoint(folder, TRAINING, path)
    run_dir = workspace.run_dir(folder, *_run(*TRAINING))
    (run_dir / "train" / "metrics.csv").write_text("epoch,train_loss\n")
    (run_dir / "claim.lock").touch()
    (run_dir / "weights" / ".last.pt.k8x.tmp").touch()  # of a write that was killed
    return folder


def _checkpoint(results_dir: Path, run: tuple[str, int], name: str) -> None:
    content = {"weights": torch.full((500,), float(sum(name.encode())))}
    checkpoints.save(content, workspace.run_dir(results_dir, *_run(*run)) / name)


def _files(results_dir: Path) -> dict[str, bytes]:
    """All but locks."""
    return {
        path.relative_to(results_dir).as_posix(): path.read_bytes()
        for path in results_dir.rglob("*")
        if path.is_file() and path.name != "claim.lock"
    }


def test_what_the_runs_go_on_from_comes_back_and_nothing_else(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, RUNS)
    assert restore(tmp_path / "out", tmp_path / "again") == set(RUNS)
    before, after = _files(results_dir), _files(tmp_path / "again")
    (done, _), (selecting, _), (training, _) = RUNS
    wanted = [
        f"runs/{selecting}-seed0/select/epoch3.ckpt",
        f"runs/{training}-seed10/select/epoch4.ckpt",
        f"runs/{training}-seed10/train/epoch2.ckpt",
        f"runs/{training}-seed10/weights/best_on_validation.pt",
    ]
    names = [f"records/{done}-seed0.json", *(name for path in wanted for name in (path, f"{path}.json"))]
    assert after == {name: before[name] for name in names}


def test_a_checkpoint_that_is_not_whole_gives_way_to_the_one_before(results_dir: Path, tmp_path: Path) -> None:
    newest = workspace.run_dir(results_dir, *_run(*SELECTING)) / "select" / "epoch3.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1])
    save(tmp_path / "out", results_dir, RUNS)
    restore(tmp_path / "out", tmp_path / "again")
    phase = workspace.run_dir(tmp_path / "again", *_run(*SELECTING)) / "select"
    assert list(checkpoints.whole(phase)) == [(2, 0)]
    assert len(list(phase.iterdir())) == 2


@pytest.mark.parametrize("limit", [1, 1000, 3000, 10**9])
def test_no_file_is_larger_than_the_limit_wherever_it_cuts(
    results_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(campaign_state, "MAX_FILE_BYTES", max(limit, 100))
    save(tmp_path / "out", results_dir, RUNS)
    sizes = [path.stat().st_size for path in (tmp_path / "out").glob("state.0*")]
    assert max(sizes) <= max(limit, 100)
    assert (len(sizes) == 1) == (limit == 10**9)
    restore(tmp_path / "out", tmp_path / "again")
    save(tmp_path / "out again", tmp_path / "again", RUNS)
    assert _files(tmp_path / "out again") == _files(tmp_path / "out")


def test_the_archive_is_one_that_merge_takes(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, RUNS)
    merged = archive.merge(tmp_path / "out" / "records.zip", tmp_path / "there", run_id_of=run_id_of)
    assert merged.new == {("digits", "cnn4", "done"): 1}


def test_only_the_named_runs_are_saved(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, [_run(*SELECTING)])
    assert restore(tmp_path / "out", tmp_path / "again") == {_run(*SELECTING)}


@pytest.mark.parametrize("make", [False, True])
def test_an_empty_or_missing_folder_is_a_fresh_start(tmp_path: Path, make: bool) -> None:
    if make:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "log.txt").write_text("a log of the caller's")
    assert restore(tmp_path / "out", tmp_path / "again") == set()
    assert not (tmp_path / "again").exists()


def test_a_file_in_the_place_of_the_folder_is_no_fresh_start(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(NotADirectoryError):
        restore(tmp_path / "out", tmp_path / "again")


def test_a_later_save_replaces_an_earlier_one(results_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "mine").mkdir(parents=True)
    save(out, results_dir, RUNS)
    before = {path.name for path in out.glob("state.0*")}
    _checkpoint(results_dir, SELECTING, "select/epoch4.ckpt")
    save(out, results_dir, RUNS)
    after = {path.name for path in out.glob("state.0*")}
    assert before.isdisjoint(after)
    assert (out / "mine").is_dir()
    restore(out, tmp_path / "again")
    assert list(checkpoints.whole(workspace.run_dir(tmp_path / "again", *_run(*SELECTING)) / "select")) == [(4, 0)]


@pytest.mark.parametrize("num_writes", [0, 1, 2])
def test_a_save_that_is_cut_short_leaves_the_one_before(
    results_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_writes: int
) -> None:
    """A record more and another checkpoint; the disk is full after so many of archive, part and manifest."""
    monkeypatch.setattr(campaign_state, "MAX_FILE_BYTES", 5000)
    out, whole = tmp_path / "out", campaign_state.durable.write
    save(out, results_dir, RUNS)
    store.write(workspace.records_dir(results_dir), _record(*TRAINING))
    _checkpoint(results_dir, SELECTING, "select/epoch4.ckpt")
    left = num_writes

    def full(path: Path, content: bytes | str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError("No space left on device")
        whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(campaign_state.durable, "write", full)
        with pytest.raises(OSError, match="No space left"):
            save(out, results_dir, RUNS)
    assert restore(out, tmp_path / "again") == set(RUNS)
    assert list(checkpoints.whole(workspace.run_dir(tmp_path / "again", *_run(*SELECTING)) / "select")) == [(3, 0)]


def test_runs_and_records_that_are_there_are_left(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, RUNS)
    _checkpoint(results_dir, SELECTING, "select/epoch9.ckpt")
    before = _files(results_dir)
    assert restore(tmp_path / "out", results_dir) == set(RUNS)
    assert _files(results_dir) == before


def test_a_run_without_a_checkpoint_there_is_taken_from_the_state(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, RUNS)
    run_dir = workspace.run_dir(tmp_path / "again", *_run(*TRAINING))
    (run_dir / "train").mkdir(parents=True)
    attempts.claim(run_dir).end("failed", "out of luck")
    (run_dir.with_name(f".{run_dir.name}.partial")).mkdir()  # of a restore that was killed
    restore(tmp_path / "out", tmp_path / "again")
    assert list(checkpoints.whole(run_dir / "train")) == [(2, 0)]
    assert {path.name for path in run_dir.parent.iterdir()} == {f"{name}-seed{seed}" for name, seed in RUNS[1:]}


def test_a_run_that_another_process_works_on_is_left(results_dir: Path, tmp_path: Path) -> None:
    """It has no checkpoint yet."""
    save(tmp_path / "out", results_dir, RUNS)
    run_dir = workspace.run_dir(tmp_path / "again", *_run(*TRAINING))
    claim = attempts.claim(run_dir)
    (run_dir / "train").mkdir()
    restore(tmp_path / "out", tmp_path / "again")
    assert {path.name for path in run_dir.iterdir()} == {"attempt1.json", "train"}
    claim.check()
    claim.end(None)
    assert workspace.state(tmp_path / "again", *_run(*SELECTING)) == "interrupted"


def test_a_run_is_claimed_while_it_is_unpacked(
    results_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "out", results_dir, [_run(*TRAINING)])
    states, whole = [], campaign_state.durable.write

    def watched(path: Path, content: bytes | str) -> None:
        states.append(workspace.state(tmp_path / "again", *_run(*TRAINING)))
        whole(path, content)

    monkeypatch.setattr(campaign_state.durable, "write", watched)
    restore(tmp_path / "out", tmp_path / "again")
    assert states == ["running"] * 6


def test_a_run_that_is_finished_there_keeps_its_weights(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, RUNS)
    store.write(workspace.records_dir(tmp_path / "again"), _record(*TRAINING))
    _checkpoint(tmp_path / "again", TRAINING, "weights/last.pt")
    before = _files(tmp_path / "again" / "runs" / f"{RUNS[2][0]}-seed10")
    restore(tmp_path / "out", tmp_path / "again")
    assert _files(tmp_path / "again" / "runs" / f"{RUNS[2][0]}-seed10") == before


def test_a_record_that_differs_from_one_there_stops_everything(results_dir: Path, tmp_path: Path) -> None:
    save(tmp_path / "out", results_dir, RUNS)
    there = workspace.records_dir(tmp_path / "again")
    store.write(there, dataclasses.replace(_record(*DONE), num_macs=7))
    before = _files(tmp_path / "again")
    with pytest.raises(ValueError, match="differs in num_macs"):
        restore(tmp_path / "out", tmp_path / "again")
    assert _files(tmp_path / "again") == before


@pytest.fixture
def out(results_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state in several parts."""
    monkeypatch.setattr(campaign_state, "MAX_FILE_BYTES", 5000)
    save(tmp_path / "out", results_dir, RUNS)
    return tmp_path / "out"


def _assert_refused(out: Path, tmp_path: Path, message: str) -> None:
    """With one error, and nothing unpacked."""
    with pytest.raises(ValueError, match=message):
        restore(out, tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("pattern", ["records.zip", "state.json", "state.000.*", "state.002.*"])
def test_a_missing_file_is_refused(out: Path, tmp_path: Path, pattern: str) -> None:
    (path,) = out.glob(pattern)
    path.unlink()
    _assert_refused(out, tmp_path, f"{path.name}.* missing")


@pytest.mark.parametrize("pattern", ["records.zip", "state.json", "state.000.*", "state.002.*"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-3],
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: content[:40] + bytes([content[40] ^ 128]) + content[41:],
    ],
)
def test_a_damaged_file_is_refused(out: Path, tmp_path: Path, pattern: str, damage: Callable[[bytes], bytes]) -> None:
    (path,) = out.glob(pattern)
    path.write_bytes(damage(path.read_bytes()))
    _assert_refused(out, tmp_path, path.name)


def test_records_of_an_earlier_save_are_refused(results_dir: Path, out: Path, tmp_path: Path) -> None:
    old = (out / "records.zip").read_bytes()
    store.write(workspace.records_dir(results_dir), _record(*SELECTING))
    save(out, results_dir, RUNS)
    (out / "records.zip").write_bytes(old)
    _assert_refused(out, tmp_path, "records.zip lacks the record of")


def test_a_record_with_other_numbers_is_refused(results_dir: Path, out: Path, tmp_path: Path) -> None:
    store.path_of(workspace.records_dir(results_dir), *_run(*DONE)).unlink()
    store.write(workspace.records_dir(results_dir), dataclasses.replace(_record(*DONE), num_macs=7))
    archive.pack(workspace.records_dir(results_dir), [_run(*DONE)], out / "records.zip")
    _assert_refused(out, tmp_path, "records.zip lacks the record of")


RUN = f"{RUNS[1][0]}-seed0"


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"more": 1},
        {"records": []},
        {"records": {"../x-seed0": "0" * 64}},
        {"records": {RUN: "0"}},
        {"files": 3},
        {"files": [[f"{RUN}/train/epoch1.ckpt", -1]]},
        {"files": [[f"{RUN}/train/epoch1.ckpt", True]]},
        {"files": [[f"{RUN}/train/epoch1.ckpt", 2**62]]},
        {"files": [[f"{RUN}/train/epoch1.ckpt", 0]]},
        {"files": [[f"{RUN}/../../evil.ckpt", 0]]},
        {"files": [[f"/{RUN}/train/epoch1.ckpt", 0]]},
        {"files": [[f"{RUN}/failure.json", 0]]},
        {"files": [[f"{RUN}/train/epoch1.ckpt\n", 0]]},
        {"files": [[f"{RUN}/train/epoch1.ckpt", 0]] * 2},
        {"files": [[7, 0]]},
        {"parts": [["../state.000.00000000", 0, "0" * 64]]},
        {"parts": [["state.000.00000000", 0, "0"]]},
        {"parts": [["state.000.00000000", 2**30, "0" * 64]]},
        {"parts": [["state.000.00000000"]]},
    ],
)
def test_a_manifest_that_no_save_writes_is_refused(out: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    manifest = json.loads((out / "state.json").read_text())
    (out / "state.json").write_text(json.dumps({**manifest, **changes}))
    _assert_refused(out, tmp_path, "state.json is no campaign's state")


@pytest.mark.parametrize("text", ["", "[]", "null", "<html>", "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(out: Path, tmp_path: Path, text: str) -> None:
    (out / "state.json").write_text(text)
    _assert_refused(out, tmp_path, "state.json is no campaign's state")


def test_a_manifest_of_any_size_is_not_read(out: Path, tmp_path: Path) -> None:
    with (out / "state.json").open("r+b") as file:
        file.truncate(2**33)
    _assert_refused(out, tmp_path, "missing or too large")


def test_state_and_out_may_be_one_folder(out: Path, tmp_path: Path) -> None:
    known = restore(out, tmp_path / "again")
    shutil.rmtree(tmp_path / "results")
    save(out, tmp_path / "again", known)
    assert restore(out, tmp_path / "third") == known
    assert _files(tmp_path / "third") == _files(tmp_path / "again")
