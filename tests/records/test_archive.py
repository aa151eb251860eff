"""Records in one zip file."""

import io
import random
import shutil
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.records.invented import record as _record
from tests.records.invented import run_id_of

from convrepro.records import Record, archive, store
from convrepro.records.merging import Merged
from convrepro.records.record import to_json


def _name(record: Record) -> str:
    return f"records/{record.run_id}-seed{record.seed}.json"


def _zip(path: Path, *members: tuple[str | zipfile.ZipInfo, str], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, text in members:
            file.writestr(name, text)
    return path


def _merge(path: Path, records_dir: Path) -> Merged:
    return archive.merge(path, records_dir, run_id_of=run_id_of)


@pytest.fixture
def records_dir(tmp_path: Path) -> Path:
    """Two records of one cell, one of another."""
    folder = tmp_path / "here" / "records"
    for record in (_record(), _record(seed=1), _record(kernel_size=5)):
        store.write(folder, record)
    return folder


def _runs(folder: Path) -> list[tuple[str, int]]:
    return [(path.stem.split("-seed")[0], int(path.stem.split("-seed")[1])) for path in folder.glob("*.json")]


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def test_what_was_packed_is_taken_in_byte_by_byte(records_dir: Path, tmp_path: Path) -> None:
    archive.pack(records_dir, _runs(records_dir), tmp_path / "a.zip")
    merged = _merge(tmp_path / "a.zip", tmp_path / "there")
    assert merged == Merged(new={("digits", "cnn4", "dk"): 3}, num_known=0)
    assert _files(tmp_path / "there") == _files(records_dir)


def test_the_same_records_are_the_same_bytes(records_dir: Path, tmp_path: Path) -> None:
    runs = _runs(records_dir)
    archive.pack(records_dir, runs, tmp_path / "a.zip")
    archive.pack(records_dir, reversed(runs), tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_only_the_named_runs_are_packed(records_dir: Path, tmp_path: Path) -> None:
    archive.pack(records_dir, [(_record().run_id, 1)], tmp_path / "a.zip")
    assert list(archive.read((tmp_path / "a.zip").read_bytes(), tmp_path, run_id_of=run_id_of)) == [_record(seed=1)]


def test_a_run_without_a_record_is_not_packed(records_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"run 0000000000000abc of seed 7 has no record in .*records"):
        archive.pack(records_dir, [("0000000000000abc", 7)], tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


def test_merging_again_changes_nothing(records_dir: Path, tmp_path: Path) -> None:
    archive.pack(records_dir, _runs(records_dir), tmp_path / "a.zip")
    before = _files(records_dir)
    assert _merge(tmp_path / "a.zip", records_dir) == Merged(new={}, num_known=3)
    assert _files(records_dir) == before


def test_other_times_on_another_machine_are_the_same_numbers(records_dir: Path, tmp_path: Path) -> None:
    other = _record(measured={"wall_seconds": 9.0}, environment={"device": "gpu"})
    _zip(tmp_path / "a.zip", (_name(other), to_json(other)))
    assert _merge(tmp_path / "a.zip", records_dir).num_known == 1
    assert store.read(records_dir, other.run_id, 0) == _record()


def test_a_record_that_differs_stops_everything(records_dir: Path, tmp_path: Path) -> None:
    extra, other = _record(kernel_size=7), _record(measured={"wall_seconds": 2.5}, num_macs=5)
    _zip(tmp_path / "a.zip", (_name(extra), to_json(extra)), (_name(other), to_json(other)))
    before = _files(records_dir)
    with pytest.raises(ValueError, match=rf"run {other.run_id} of seed 0 differs in num_macs between"):
        _merge(tmp_path / "a.zip", records_dir)
    assert _files(records_dir) == before


def test_a_defective_record_in_the_folder_stops_everything(records_dir: Path, tmp_path: Path) -> None:
    archive.pack(records_dir, [(_record().run_id, 0)], tmp_path / "a.zip")
    store.path_of(records_dir, _record().run_id, 0).write_text("{}")
    with pytest.raises(ValueError, match="is not a record"):
        _merge(tmp_path / "a.zip", records_dir)


def test_a_merge_that_was_cut_short_goes_on(records_dir: Path, tmp_path: Path) -> None:
    archive.pack(records_dir, _runs(records_dir), tmp_path / "a.zip")
    there = tmp_path / "there"
    there.mkdir()
    shutil.copy(store.path_of(records_dir, _record().run_id, 1), there)
    merged = _merge(tmp_path / "a.zip", there)
    assert (sum(merged.new.values()), merged.num_known) == (2, 1)
    assert _files(there) == _files(records_dir)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"conv": {"kernel_size": 7}}},
        {"run_id": "0123456789abcdef"},
        {"seed": 4},
        {"names": {"dataset": "digits", "model": "cnn4"}},
        {"names": {"dataset": "digits", "model": "cnn4", "conv": 3}},
        {"epochs": {"test_accuracy": [99.0, 80.0]}},
    ],
)
def test_a_forged_record_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Its content was changed, its name was not."""
    path = _zip(tmp_path / "a.zip", (_name(_record()), to_json(_record(**changes))))
    _assert_refused(path, tmp_path, r"it holds run|its run id is not|`names`|`selected.best_on_test` must")


def test_a_record_under_a_name_that_was_changed_with_it_is_refused_too(tmp_path: Path) -> None:
    forged = _record(run_id="0123456789abcdef")
    path = _zip(tmp_path / "a.zip", (_name(forged), to_json(forged)))
    _assert_refused(path, tmp_path, "its run id is not that of its configuration")


TEXT = to_json(_record())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: a record begins with"),
        ("<html>not found</html>", "line 1: a record begins with"),
        (TEXT[:-20], "line 18: the text is cut"),
        (TEXT.replace("90.0, 80.0", "NaN"), "line 4: NaN is not a number"),
        (TEXT.replace("80.0", "81.0"), "line 17: `sha256` is not that of the other lines"),
        (TEXT.replace('"seed": 0', '"seed": 1,\n"seed": 0'), "the field 'seed' stands twice"),
        (TEXT.replace("\n}\n", "\n}"), "not spelled as records are"),
        (TEXT.replace('"status": "done"', '"status": "fine"'), "`status` must be one of"),
        (TEXT.replace('"num_macs": 2', '"num_macs": ' + "[" * 100_000), "nested too deeply"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, text: str, message: str) -> None:
    _assert_refused(_zip(tmp_path / "a.zip", (_name(_record()), text)), tmp_path, message)


@pytest.mark.parametrize(
    "name",
    [
        "../records/{}",
        "records/../{}",
        "/records/{}",
        "records/deeper/{}",
        "records\\{}",
        "C:{}",
        "records/",
        "README.md",
        "records/{}.tmp",
        "{}\0.py",
        "\n{}",
        "records/0123456789ABCDEF-seed0.json",
        "records/0123456789abcdef-seed00.json",
        "records/0123456789abcdef-seed-1.json",
        "records/0123456789abcdef-seed٣.json",
    ],
)
def test_a_name_that_is_not_a_records_is_refused(tmp_path: Path, name: str) -> None:
    file_name = _name(_record()).removeprefix("records/")
    member = zipfile.ZipInfo("x")
    member.filename = name.format(file_name)  # past what zipfile would clean
    good = _record(kernel_size=5)
    path = _zip(tmp_path / "a.zip", (_name(good), to_json(good)), (member, TEXT))
    _assert_refused(path, tmp_path, "is not named as a record")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_a_member_that_is_no_regular_file_is_refused(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo(_name(_record()))
    member.external_attr = (kind | 0o777) << 16
    _assert_refused(_zip(tmp_path / "a.zip", (member, "/etc/passwd")), tmp_path, "is a link or no regular file")


def test_a_record_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Once below ``records/``, once not: the same file of the store."""
    name = _name(_record())
    path = _zip(tmp_path / "a.zip", (name, TEXT), (name.removeprefix("records/"), TEXT))
    _assert_refused(path, tmp_path, "is there twice")


def test_a_member_that_unpacks_to_much_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), "0" * (50 * 2**20)))
    with _memory_below(4 * 2**20):
        _assert_refused(path, tmp_path, "has more than 1,048,576 bytes")


def test_an_index_that_claims_less_than_a_member_unpacks_to_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), "0" * (50 * 2**20)))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # APPNOTE 4.3.7, 4.3.12: uncompressed size
        struct.pack_into("<I", content, content.index(signature) + offset, 1000)
    path.write_bytes(content)
    with _memory_below(4 * 2**20):
        _assert_refused(path, tmp_path, "Bad CRC-32")


def test_many_members_that_together_unpack_to_much_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 2 * len(TEXT))
    records = [_record(seed=seed) for seed in range(3)]
    path = _zip(tmp_path / "a.zip", *((_name(record), to_json(record)) for record in records))
    _assert_refused(path, tmp_path, "it unpacks to more than")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), TEXT))
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", path.stat().st_size - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("read"))
    _assert_refused(path, tmp_path, "an archive of records has at most")


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: b"<html>not found</html>",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content.replace(b"dk", b"kd"),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path: Path, compression: int, change: Callable[[bytes], bytes]) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), TEXT), compression=compression)
    if (changed := change(path.read_bytes())) == path.read_bytes():
        return  # nothing to find in compressed bytes
    path.write_bytes(changed)
    _assert_refused(path, tmp_path, "is not an archive of records")


def test_whatever_bits_are_flipped_the_answer_is_the_records_or_one_error(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), TEXT), (_name(_record(seed=1)), to_json(_record(seed=1))))
    content, numbers = path.read_bytes(), random.Random(0)
    for _ in range(500):
        flipped = bytearray(content)
        for _ in range(numbers.randint(1, 4)):
            flipped[numbers.randrange(len(flipped))] ^= 1 << numbers.randrange(8)
        try:
            found = list(archive.read(bytes(flipped), path, run_id_of=run_id_of))
        except ValueError:
            continue
        assert all(record in (_record(), _record(seed=1)) for record in found)


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_compression_that_unpacks_without_bounds_is_refused(tmp_path: Path, compression: int) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), TEXT), compression=compression)
    _assert_refused(path, tmp_path, "must be stored or deflated")


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", (_name(_record()), TEXT))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # APPNOTE 4.4.4, bit 0
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    _assert_refused(path, tmp_path, "encrypted")


def test_what_is_no_file_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"there is no .*a\.zip; name a folder of results, or an archive of records"):
        _merge(tmp_path / "a.zip", tmp_path / "there")
    with pytest.raises(ValueError, match=r"is a folder; name the archive in it, such as .*/records\.zip"):
        _merge(tmp_path, tmp_path / "there")


def test_an_archive_of_no_records_merges_nothing(tmp_path: Path) -> None:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    (tmp_path / "a.zip").write_bytes(content.getvalue())
    assert _merge(tmp_path / "a.zip", tmp_path / "there") == Merged(new={}, num_known=0)


def _assert_refused(path: Path, tmp_path: Path, message: str) -> None:
    """With one error, and nothing written."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=message):
        _merge(path, tmp_path / "there")
    assert sorted(tmp_path.rglob("*")) == before


@contextmanager
def _memory_below(num_bytes: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < num_bytes
    finally:
        tracemalloc.stop()
