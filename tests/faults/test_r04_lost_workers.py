"""R4: a worker that is killed is replaced within two leases; one that lives is never robbed."""

import signal
import time
from pathlib import Path

from tests.commands import (
    SERIAL,
    All,
    At,
    Command,
    Logged,
    OnMachine,
    Slow,
    left_over,
    records_of,
    start,
    tiny_table,
)

LEASE_SECONDS = 1.5
NUM_EPOCHS = 3


def test_a_live_worker_is_waited_for_and_a_dead_one_replaced(tmp_path: Path) -> None:
    """On three machines, of which none can see the processes of the others."""
    folder = tmp_path / "sweep"
    tiny_table(folder, num_cells=1, num_seeds=1, epochs=NUM_EPOCHS)
    log = Logged(folder / "log")
    # Its first epoch takes two leases; after it, it dies.
    death = At("replace", r"/epoch1\.ckpt\.json$", after=True)
    worker = _start(folder, All((log, OnMachine("a"), Slow(2 * LEASE_SECONDS), death)), lease_seconds=LEASE_SECONDS)
    log.wait_for("begun")
    others = [_start(folder, All((log, OnMachine(name))), lease_seconds=LEASE_SECONDS) for name in "bc"]
    assert worker.wait() == -signal.SIGKILL, worker.err()
    killed = time.monotonic()
    assert {event.pid for event in log.events()} == {worker.pid}
    for other in others:
        assert other.wait() == 0, other.err()
        assert "another process works on it; waiting for it" in other.err()
    _, taken_over = [event for event in log.events() if event.what == "begun"]
    assert taken_over.pid in [other.pid for other in others]
    assert taken_over.seconds - killed < 2 * LEASE_SECONDS
    _check_done_once(folder, log)


def test_on_one_machine_a_dead_worker_is_replaced_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    tiny_table(folder, num_cells=1, num_seeds=2, epochs=NUM_EPOCHS)
    log = Logged(folder / "log")
    # It dies with a temporary file.
    place = At("open", r"/weights/\.", what="stop", after=True)
    worker = _start(folder, All((log, place)), lease_seconds=30.0)
    log.wait_for("epoch1")
    other = _start(folder, log, lease_seconds=30.0)
    log.wait_for("committed", pid=other.pid)  # of the run that is free; it is about to watch the other one
    worker.kill_group()
    killed = time.monotonic()
    assert other.wait() == 0, other.err()
    assert log.events()[-1].seconds - killed < 15.0  # half a lease
    assert [event.pid for event in log.events() if event.what == "begun"] == [worker.pid, other.pid, other.pid]
    assert len(records_of(folder)) == 2
    assert left_over(folder) == []


def _start(folder: Path, fault: Logged | All, *, lease_seconds: float) -> Command:
    return start(["run", "tiny", *SERIAL, "--machine", f"lease_seconds={lease_seconds}"], folder, fault=fault)


def _check_done_once(folder: Path, log: Logged) -> None:
    assert len(records_of(folder)) == 1
    assert [event.what for event in log.events()].count("committed") == 1
    assert left_over(folder) == []
