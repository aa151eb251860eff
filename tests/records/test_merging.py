"""Records of several results folders. What an archive may hold: test_archive.py."""

import os
from collections.abc import Callable, Iterable, Sequence
from itertools import permutations
from pathlib import Path

import pytest
from tests.records.invented import record, run_id_of

from convrepro.records import Record, archive, merging, store
from convrepro.records.merging import Merged, Refused, Source
from convrepro.records.record import to_json


def _results(folder: Path, records: Iterable[Record]) -> Path:
    for each in records:
        store.write(folder / "records", each)
    return folder


def _source(path: Path) -> Source:
    return (merging.of_results if path.is_dir() else archive.source)(path, run_id_of=run_id_of)


def _merge(paths: Sequence[Path], into: Path) -> list[Merged]:
    return merging.merge([_source(path) for path in paths], into / "records")


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "records").glob("*")}


def _refusals(paths: Sequence[Path], into: Path) -> list[str]:
    """The reasons; nothing was written."""
    before = sorted(into.parent.rglob("*"))
    with pytest.raises(Refused) as caught:
        _merge(paths, into)
    assert sorted(into.parent.rglob("*")) == before
    return list(caught.value.reasons)


LABEL = ("digits", "cnn4", "dk")


def test_all_that_is_new_is_taken_byte_by_byte(tmp_path: Path) -> None:
    here = _results(tmp_path / "here", [record()])
    one = _results(tmp_path / "one", [record(), record(seed=1)])
    other = _results(tmp_path / "other", [record(seed=1), record(seed=2), record(kernel_size=5)])
    assert _merge([one, other], here) == [Merged(new={LABEL: 1}, num_known=1), Merged(new={LABEL: 2}, num_known=1)]
    assert _files(here) == _files(one) | _files(other)


def test_a_folder_and_an_archive_together(tmp_path: Path) -> None:
    one = _results(tmp_path / "one", [record(), record(seed=1)])
    archive.pack(one / "records", [(record().run_id, 1)], tmp_path / "a.zip")
    other = _results(tmp_path / "other", [record(seed=2)])
    _merge([tmp_path / "a.zip", other], tmp_path / "here")
    assert sorted(_files(tmp_path / "here")) == [f"{record().run_id}-seed{seed}.json" for seed in (1, 2)]


def test_the_order_of_the_sources_does_not_matter(tmp_path: Path) -> None:
    """Also where the same run took another time on each machine."""
    machines = [
        _results(tmp_path / name, [record(seed=seed), record(kernel_size=5, environment={"device": name})])
        for seed, name in enumerate("abc")
    ]
    found = []
    for number, paths in enumerate(permutations(machines)):
        _merge(paths, tmp_path / f"here{number}")
        found.append(_files(tmp_path / f"here{number}"))
    assert len(found[0]) == 4
    assert all(files == found[0] for files in found)


def test_a_source_that_is_the_target_changes_nothing(tmp_path: Path) -> None:
    here = _results(tmp_path / "here", [record(), record(seed=1)])
    before = _files(here)
    assert _merge([here, here], here) == [Merged(new={}, num_known=2)] * 2
    assert _files(here) == before


def test_every_conflict_is_named(tmp_path: Path) -> None:
    here = _results(tmp_path / "here", [record(num_macs=seed, seed=seed) for seed in range(3)])
    there = _results(tmp_path / "there", [record(num_macs=7, num_parameters=7, seed=seed) for seed in range(4)])
    assert _refusals([there], here) == [
        f"run {record().run_id} of seed {seed} differs in num_parameters, num_macs between {there} and "
        f"{here / 'records'}; remove the wrong one."
        for seed in range(3)
    ]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_sources_that_differ_from_each_other(tmp_path: Path, order: Sequence[int]) -> None:
    both = [_results(tmp_path / str(number), [record(num_macs=number), record(seed=1)]) for number in range(2)]
    first, second = (both[number] for number in order)
    (reason,) = _refusals([first, second], tmp_path / "here")
    assert reason.startswith(f"run {record().run_id} of seed 0 differs in num_macs between {second} and {first};")


def test_every_defective_record_of_a_folder_is_named_with_its_line(tmp_path: Path) -> None:
    there = _results(tmp_path / "there", [record(seed=seed) for seed in range(4)])
    paths = sorted((there / "records").iterdir())
    paths[0].write_text(paths[0].read_text().replace("90.0", "91.0"))
    paths[1].write_text("")
    paths[2].rename(paths[2].with_name(f"{record().run_id}-seed9.json"))
    reasons = _refusals([there], tmp_path / "here")
    assert [reason.partition(" is not a record: ")[0] for reason in reasons] == [
        *(str(path) for path in paths[:2]),
        str(paths[2].with_name(f"{record().run_id}-seed9.json")),
    ]
    assert "line 17: `sha256` is not that of the other lines" in reasons[0]
    assert "line 1: a record begins" in reasons[1]
    assert "it holds run" in reasons[2]
    assert all(reason.endswith("; repair it or remove it.") for reason in reasons)


def test_a_record_that_does_not_fit_its_configuration_is_refused(tmp_path: Path) -> None:
    forged = _results(tmp_path / "forged", [record(epochs={"test_accuracy": [99.0, 80.0]}), record(seed=-1)])
    (forged / "records" / f"{record().run_id}-seed-1.json").rename(forged / "records" / "0123456789abcdef-seed0.json")
    reasons = _refusals([forged], tmp_path / "here")
    assert "`selected.best_on_test` must have the metrics of epoch 1" in reasons[0]
    assert "it holds run" in reasons[1]


def test_a_defective_record_that_is_there_stops_everything(tmp_path: Path) -> None:
    here = _results(tmp_path / "here", [record()])
    there = _results(tmp_path / "there", [record(), record(seed=1)])
    store.path_of(here / "records", record().run_id, 0).write_text("{}")
    (reason,) = _refusals([there], here)
    assert reason.startswith(f"{here / 'records' / record().run_id}-seed0.json is not a record")


def _link(path: Path) -> None:
    real = path.with_name("real")
    path.rename(real)
    path.symlink_to(real)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _large(path: Path) -> None:
    path.write_bytes(b" " * (store.MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_link, "it is a link"),
        (_folder, "it is no regular file"),
        (_pipe, "it is no regular file"),
        (_large, "it has more than 1,048,576 bytes"),
    ],
)
def test_what_is_no_file_of_a_record_is_refused(tmp_path: Path, make: Callable[[Path], None], message: str) -> None:
    there = _results(tmp_path / "there", [record(), record(seed=1)])
    path = store.path_of(there / "records", record().run_id, 0)
    make(path)
    (reason,) = _refusals([there], tmp_path / "here")
    assert reason.startswith(f"{path} is not a record: {message}")


def test_what_is_not_named_as_a_record_is_passed_over(tmp_path: Path) -> None:
    there = _results(tmp_path / "there", [record()])
    names = (".0123456789abcdef-seed0.json.x.tmp", "README.md", "0123456789abcdef-seed00.json", "aa-seed0.json")
    for name in names:
        (there / "records" / name).write_text("x")
    assert _source(there).passed_over == tuple(sorted(names))
    assert _merge([there], tmp_path / "here") == [Merged(new={LABEL: 1}, num_known=0)]
    assert len(_files(tmp_path / "here")) == 1


def test_a_results_folder_may_be_a_link(tmp_path: Path) -> None:
    there = _results(tmp_path / "there", [record()])
    (tmp_path / "link").symlink_to(there)
    assert _merge([tmp_path / "link"], tmp_path / "here") == [Merged(new={LABEL: 1}, num_known=0)]


def test_a_folder_without_records(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no folder `records`; name a results folder, or an archive such as"):
        _source(tmp_path)


def test_a_merge_that_was_cut_short_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = _results(tmp_path / "there", [record(seed=seed) for seed in range(3)])
    write, num = store.write, iter(range(3))

    def cut_short(records_dir: Path, each: Record) -> Path:
        if next(num) == 1:
            raise OSError(28, "No space left on device")
        return write(records_dir, each)

    monkeypatch.setattr(store, "write", cut_short)
    with pytest.raises(OSError, match="No space left"):
        _merge([there], tmp_path / "here")
    assert len(_files(tmp_path / "here")) == 1
    monkeypatch.undo()
    assert _merge([there], tmp_path / "here") == [Merged(new={LABEL: 2}, num_known=1)]
    assert _files(tmp_path / "here") == _files(there)


@pytest.mark.parametrize("num_macs", [2, 3])
def test_what_somebody_else_recorded_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_macs: int
) -> None:
    """Without a word if it is the same, else as an error."""
    there = _results(tmp_path / "there", [record()])
    meanwhile = to_json(record(num_macs=num_macs, environment={"device": "gpu"}))

    def second(records_dir: Path, each: Record) -> Path:
        path = store.path_of(records_dir, each.run_id, each.seed)
        path.parent.mkdir(parents=True)
        path.write_text(meanwhile)
        raise FileExistsError

    monkeypatch.setattr(store, "write", second)
    if num_macs == record().num_macs:
        _merge([there], tmp_path / "here")
    else:
        with pytest.raises(ValueError, match="differs in num_macs between"):
            _merge([there], tmp_path / "here")
    assert list(_files(tmp_path / "here").values()) == [meanwhile.encode()]
