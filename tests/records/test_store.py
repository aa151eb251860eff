"""The folder of records."""

import dataclasses
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from convrepro.records import store
from convrepro.records.record import Record

RECORD = Record(
    run_id="aa",
    seed=0,
    status="done",
    config={},
    names={},
    official_data=True,
    scaled=False,
    num_parameters=1,
    num_macs=1,
    num_operator_layers=0,
    splits={},
    epochs={},
    selected={},
    measured={},
    environment={},
)


def test_one_file_per_run(tmp_path: Path) -> None:
    path = store.write(tmp_path / "records", RECORD)
    assert path.name == "aa-seed0.json"
    assert store.read(tmp_path / "records", "aa", 0) == RECORD


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    assert store.read(tmp_path / "nowhere", "aa", 0) is None


def test_records_come_in_the_order_asked_for(tmp_path: Path) -> None:
    for run_id, seed in (("bb", 0), ("aa", 1), ("aa", 0), ("cc", 0)):
        store.write(tmp_path, dataclasses.replace(RECORD, run_id=run_id, seed=seed))
    store.path_of(tmp_path, "bb", 1).write_text("{")
    found, (defect,) = store.read_all(tmp_path, ["bb", "aa"], range(3))
    assert "bb-seed1.json is not a record" in defect
    assert [(record.run_id, record.seed) for record in found] == [("bb", 0), ("aa", 0), ("aa", 1)]


def test_a_record_is_never_written_over(tmp_path: Path) -> None:
    store.write(tmp_path, RECORD)
    with pytest.raises(FileExistsError):
        store.write(tmp_path, dataclasses.replace(RECORD, num_macs=2))
    assert store.read(tmp_path, "aa", 0) == RECORD


def test_what_is_recorded_while_others_are_read_takes_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed 2 comes before seed 3, but is looked for before either is there."""
    store.write(tmp_path, RECORD)
    read = store.read

    def slow(records_dir: Path, run_id: str, seed: int) -> Record | None:
        if seed == 0:
            for later in (2, 3):
                store.write(tmp_path, dataclasses.replace(RECORD, seed=later))
        return read(records_dir, run_id, seed)

    monkeypatch.setattr(store, "read", slow)
    found, defects = store.read_all(tmp_path, ["aa"], [2, 0, 3])
    assert ([record.seed for record in found], defects) == ([0], [])


def test_a_folder_is_listed_until_nothing_comes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing that takes long may have the second of two records and not the first."""
    for seed in range(3):
        store.write(tmp_path, dataclasses.replace(RECORD, seed=seed))
    listings = iter([(), (1,), (0, 1), (0, 1)])

    def listing(_: Path) -> nullcontext[list[SimpleNamespace]]:
        return nullcontext([SimpleNamespace(name=f"aa-seed{seed}.json") for seed in next(listings)])

    monkeypatch.setattr(os, "scandir", listing)
    found, _ = store.read_all(tmp_path, ["aa"], range(3))
    assert [record.seed for record in found] == [0, 1]


def test_what_is_no_file_is_named_and_hides_no_other(tmp_path: Path) -> None:
    store.write(tmp_path, RECORD)
    (tmp_path / "aa-seed1.json").mkdir()
    os.mkfifo(tmp_path / "aa-seed2.json")
    (tmp_path / "aa-seed3.json").write_bytes(b" " * (store.MAX_BYTES + 1))
    (tmp_path / "aa-seed4.json").symlink_to("nowhere")
    (tmp_path / "aa-seed5.json").symlink_to("aa-seed5.json")
    (tmp_path / "aa-seed6.json").symlink_to("aa-seed0.json")
    found, defects = store.read_all(tmp_path, ["aa"], range(7))
    assert found == [RECORD]
    assert [defect.removeprefix(str(tmp_path)) for defect in defects] == [
        "/aa-seed1.json is not a record: it is no regular file; delete it to run it again.",
        "/aa-seed2.json is not a record: it is no regular file; delete it to run it again.",
        "/aa-seed3.json is not a record: it has more than 1,048,576 bytes; delete it to run it again.",
        "/aa-seed4.json is a link to nothing; delete it to run it again.",
        "/aa-seed5.json cannot be read: Too many levels of symbolic links; make it readable.",
        "/aa-seed6.json holds run 'aa' of seed 0; it was renamed or copied.",
    ]


def test_records_may_be_links(tmp_path: Path) -> None:
    """As in a results folder whose large parts lie elsewhere."""
    path = store.write(tmp_path / "there", RECORD)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / path.name).symlink_to(path)
    assert store.read(tmp_path / "here", "aa", 0) == RECORD


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null"])
def test_a_defective_file_is_named(tmp_path: Path, content: bytes) -> None:
    store.path_of(tmp_path, "aa", 0).write_bytes(content)
    with pytest.raises(ValueError, match=r"aa-seed0\.json is not a record: .*; delete it to run it again"):
        store.read(tmp_path, "aa", 0)


def test_a_renamed_record_is_noticed(tmp_path: Path) -> None:
    store.write(tmp_path, RECORD).rename(store.path_of(tmp_path, "aa", 1))
    with pytest.raises(ValueError, match="holds run 'aa' of seed 0; it was renamed or copied"):
        store.read(tmp_path, "aa", 1)


def test_reading_everything_passes_over_what_is_no_record(tmp_path: Path) -> None:
    store.write(tmp_path, RECORD)
    (tmp_path / "broken.json").write_text("{")
    assert store.read_everything(tmp_path) == [RECORD]


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Records of aa (seeds 0, 1, 10), ab and bc, and a file that is none."""
    for run_id, seed in (("aa", 0), ("aa", 1), ("aa", 10), ("ab", 0), ("bc", 3)):
        store.write(tmp_path, dataclasses.replace(RECORD, run_id=run_id, seed=seed))
    (tmp_path / "bcd.json").write_text("{")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "run_id", "seed"),
    [("bc", "bc", 3), ("b", "bc", 3), ("ab", "ab", 0), ("aa-seed1", "aa", 1), ("aa-seed10", "aa", 10)],
)
def test_a_name_or_its_beginning_stands_for_one_record(several: Path, name: str, run_id: str, seed: int) -> None:
    record = store.find(several, name)
    assert (record.run_id, record.seed) == (run_id, seed)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a", "'a' is the beginning of 2 runs, aa, ab among them"),
        ("a-seed0", "'a-seed0' is the beginning of 2 runs"),
        ("aa", "run aa has the seeds 0, 1, 10; name one: aa-seed0"),
        ("cc", r"no record of run 'cc' in .*; `convrepro plan TABLE` shows the ids"),
        ("aa-seed2", "no record of run 'aa-seed2'"),
        ("", "a run is named by its id"),
        ("../aa-seed0", "a run is named by its id"),
    ],
)
def test_a_name_that_stands_for_no_single_record(several: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        store.find(several, name)
