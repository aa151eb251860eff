"""R5: a worker that is stopped for three leases, and goes on when another one has taken its run over."""

import signal
import time
from pathlib import Path

import pytest
from tests.commands import (
    RUN,
    SERIAL,
    All,
    At,
    Command,
    Fault,
    Logged,
    Slow,
    left_over,
    records_of,
    run,
    start,
    tables_of,
    tiny_table,
)

LEASE_SECONDS = 0.5
LEASE = ("--machine", f"lease_seconds={LEASE_SECONDS}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a sweep went its way."""
    folder = _folder(tmp_path_factory.mktemp("undisturbed"))
    assert run([*RUN, *SERIAL], folder)[0] == 0
    return folder


def test_it_discards_what_it_did(tmp_path: Path, undisturbed: Path) -> None:
    """Stopped within an epoch: it finds out before it writes anything of it."""
    folder = _folder(tmp_path)
    log = Logged(folder / "log")
    stopped = _start(folder, All((log, Slow(0.5))))
    log.wait_for("epoch1")
    stopped.send(signal.SIGSTOP)
    other = _start(folder, log)
    log.wait_for("begun", pid=other.pid)
    _check_end(folder, log, stopped, other, undisturbed)
    assert [event.pid for event in log.events() if event.what == "committed"] == [other.pid]
    mine = [event.what for event in log.events() if event.pid == stopped.pid]
    assert mine in (["begun", "epoch1"], ["begun", "epoch1", "epoch2"])  # the one it was in; no more after that


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(At("link", r"/records/", what="stop"), id="before its record is there"),
        pytest.param(At("replace", r"attempt1\.json$", what="stop"), id="in a sign of life"),
        pytest.param(
            At("link", r"/records/", what="stop", after=True), id="after its record is there", marks=pytest.mark.large
        ),
        pytest.param(
            At("replace", r"epoch2\.ckpt$", what="stop"), id="before a checkpoint is there", marks=pytest.mark.large
        ),
    ],
)
def test_the_record_is_made_once_wherever_it_is_stopped(place: At, tmp_path: Path, undisturbed: Path) -> None:
    """Between looking whether it was robbed and writing there is always a moment."""
    folder = _folder(tmp_path)
    log = Logged(folder / "log")
    stopped = _start(folder, All((log, Slow(0.1), place)))
    _wait_until_stopped(stopped)
    other = _start(folder, log)
    _check_end(folder, log, stopped, other, undisturbed)


def _folder(above: Path) -> Path:
    tiny_table(above / "sweep", num_cells=1, num_seeds=1, epochs=3)
    return above / "sweep"


def _start(folder: Path, fault: Fault) -> Command:
    return start([*RUN, *SERIAL, *LEASE], folder, fault=fault)


def _check_end(folder: Path, log: Logged, stopped: Command, other: Command, undisturbed: Path) -> None:
    """The other one ends well while the first is stopped, and so does that one when it goes on."""
    began = time.monotonic()
    assert other.wait() == 0, other.err()
    time.sleep(max(0.0, began + 3 * LEASE_SECONDS - time.monotonic()))
    records = {path: path.read_bytes() for path in (folder / "results" / "records").glob("[!.]*")}
    assert len(records) == 1
    stopped.send(signal.SIGCONT)
    assert stopped.wait() == 0, stopped.err()
    assert "records: 1 of 1 " in stopped.out()
    assert {path: path.read_bytes() for path in (folder / "results" / "records").glob("[!.]*")} == records
    assert [event.what for event in log.events()].count("committed") == 1
    assert left_over(folder) == []
    assert records_of(folder) == records_of(undisturbed)
    assert tables_of(folder) == tables_of(undisturbed)


def _wait_until_stopped(command: Command) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{command.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline
        assert command.is_running(), command.err()
        time.sleep(0.01)
