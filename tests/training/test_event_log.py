"""Files of events, as TensorBoard reads them."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from convrepro.durable import DiskFull
from convrepro.training.event_log import EventLog


def _read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    accumulated = EventAccumulator(str(folder))
    accumulated.Reload()
    return {
        tag: [(event.step, event.value) for event in accumulated.Scalars(tag)] for tag in accumulated.Tags()["scalars"]
    }


def test_curves_are_what_was_written(tmp_path: Path) -> None:
    log = EventLog(tmp_path)
    assert list(tmp_path.iterdir()) == []
    log.write({"train_loss": 0.5, "test_accuracy": 25.0}, 1)
    log.write({"train_loss": 0.25, "test_accuracy": 75.0}, 2)
    assert _read(tmp_path) == {"train_loss": [(1, 0.5), (2, 0.25)], "test_accuracy": [(1, 25.0), (2, 75.0)]}


def test_each_start_has_a_file_of_its_own(tmp_path: Path) -> None:
    for step in (1, 2):
        EventLog(tmp_path).write({"train_loss": 0.5}, step)
    assert len(list(tmp_path.iterdir())) == 2
    assert _read(tmp_path) == {"train_loss": [(1, 0.5), (2, 0.5)]}


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, mode: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(DiskFull, match=r"no space left for .*events"):
        EventLog(tmp_path).write({"train_loss": 0.5}, 1)
