"""R17: what the clock says of files decides nothing."""

import dataclasses
import datetime
import os
import time
from pathlib import Path

import pytest
from tests import commands
from tests.commands import RUN, SERIAL, All, At
from tests.faults.test_r13_failed_runs import Broken

from convrepro.records import attempts, store, workspace
from convrepro.records.attempts import Claimed

TABLE = "tiny.images0.1"
YEARS = [1970, 2100]


def _set_times(folder: Path, year: int) -> None:
    seconds = max(datetime.datetime(year, 1, 2, tzinfo=datetime.UTC).timestamp(), 0.0)
    for below, _, names in os.walk(folder, topdown=False):
        for path in (*(Path(below, name) for name in names), Path(below)):
            os.utime(path, (seconds, seconds), follow_symlinks=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "sweep"
    commands.tiny_table(folder, num_cells=1, num_seeds=4, epochs=2)
    assert commands.run([*RUN, *SERIAL], folder)[0] == 0
    return folder


@pytest.mark.parametrize("year", [YEARS[0], pytest.param(YEARS[1], marks=pytest.mark.large)])
def test_states_and_results_stay(tmp_path: Path, whole: Path, year: int) -> None:
    sweep = tmp_path / "sweep"
    commands.tiny_table(sweep, num_cells=1, num_seeds=4, epochs=2)
    first, second, *_ = (name.removesuffix(".json") for name in commands.records_of(whole))
    killed = At("replace", rf"{second[:-1]}2/train/epoch1\.ckpt\.json$", after=True)
    assert commands.run([*RUN, *SERIAL], sweep, fault=All((Broken({first: "raise"}), killed)))[0] == -9
    status = commands.run(["status", TABLE], sweep)
    assert "1 of 4 done, 1 interrupted, 1 failed, 1 missing" in status[1]
    _set_times(sweep / "results", year)
    for _ in range(2):  # found, and kept
        assert commands.run(["status", TABLE], sweep) == status
    _set_times(sweep / "results", year)
    assert commands.run([*RUN, *SERIAL], sweep)[0] == 0
    assert commands.records_of(sweep) == commands.records_of(whole)
    assert commands.tables_of(sweep) == commands.tables_of(whole)
    assert commands.left_over(sweep) == []
    _set_times(sweep / "results", year)
    files = {path: path.read_bytes() for path in (sweep / "results" / "tables").iterdir()}
    assert commands.run([*RUN, *SERIAL], sweep)[0] == 0
    assert {path: path.read_bytes() for path in files} == files


@pytest.mark.parametrize("year", YEARS)
def test_a_worker_that_lives_keeps_its_run(tmp_path: Path, year: int) -> None:
    claim = attempts.claim(tmp_path / "run", lease_seconds=0.4)
    try:
        _set_times(tmp_path, year)
        watch, end = attempts.Watch(), time.monotonic() + 1.0
        while time.monotonic() < end:
            assert not watch.is_free(tmp_path / "run", 0.4)
            time.sleep(0.02)
        with pytest.raises(Claimed):
            attempts.claim(tmp_path / "run", lease_seconds=0.4)
        claim.check()
    finally:
        claim.end(None)


@pytest.mark.parametrize("is_replaced", [True, False], ids=["replaced", "written over"])
def test_a_record_of_the_same_size_and_time_is_read_again(tmp_path: Path, whole: Path, is_replaced: bool) -> None:
    (name, *_) = commands.records_of(whole)
    run_id, seed = name.removesuffix(".json").split("-seed")
    record = store.read(whole / "results" / "records", run_id, int(seed))
    assert record is not None
    path = store.write(workspace.records_dir(tmp_path), dataclasses.replace(record, seed=0))
    _set_times(tmp_path, 1970)
    assert workspace.states(tmp_path, [(run_id, 0)]) == {(run_id, 0): "done"}
    content = path.read_bytes()
    if is_replaced:
        path.unlink()
    path.write_bytes(b"?" + content[1:])
    _set_times(tmp_path, 1970)
    assert workspace.states(tmp_path, [(run_id, 0)]) == {(run_id, 0): "unreadable"}
