import pytest

from convrepro.benchmarks import epochs
from convrepro.benchmarks.settings import Settings


@pytest.mark.parametrize("num_steps", [1, 3, 7])
def test_an_epoch_is_finished_with_its_last_step(num_steps: int) -> None:
    finished: list[int] = []
    step = 0
    report = epochs.at_each_epoch(lambda: finished.append(step), num_epochs=6)
    for step in range(1, 6 * num_steps + 1):
        report((step / num_steps) / 6)
    assert finished == [num_steps * epoch for epoch in range(1, 7)]


def test_rows_are_about_the_faster_loader_and_the_whole_data_set() -> None:
    """2,560 of 50,000 images in 2 s are 50,000 in 39.0625 s."""
    samples = {
        "plain loop, 0 workers": [3.0, 3.0, 3.0],
        "plain loop, 2 workers": [2.5, 4.0, 6.0],
        "Lightning, 0 workers": [8.0, 8.0, 8.0],
        "Lightning, 2 workers": [4.0, 4.0, 4.0],
        "tensors": [1.8, 1.8, 1.8],
        "ours": [2.0, 2.0, 2.0],
    }
    whole, plain, lightning, limit = epochs.rows_of("cnn4", samples, 2560)
    assert whole.values == pytest.approx([39.0625] * 3)
    assert "0.0256 epochs/s, 1,280 images/s; from 2,560 images" in whole.detail
    assert whole.samples == samples
    assert (plain.values, plain.verdict) == ([1.5, 1.5, 1.5], "MISSED")
    assert "0 workers" in plain.detail
    assert (lightning.values, lightning.verdict) == ([2.0, 2.0, 2.0], "met")
    assert "2 workers" in lightning.detail
    assert limit.values == pytest.approx([0.9, 0.9, 0.9])
    assert limit.verdict == "MISSED"


def test_goals_are_those_that_were_set() -> None:
    assert epochs.GOALS == {"resnet20": 1.5, "cnn4": 1.7}
    assert epochs.OF_THE_LIMIT == 0.95


def test_every_side_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "GOALS", {"cnn4": 1.7})
    told: list[float] = []
    rows = epochs.rows(settings, told.append)
    assert len(rows) == 4
    assert all(len(times) == 2 and min(times) > 0 for times in rows[0].samples.values())
    assert told[-1] == 1.0
    assert len(told) == 6 * 3
