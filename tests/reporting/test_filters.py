"""The picture of learned filters, from records with round numbers."""

from pathlib import Path
from typing import Any

import pytest

from convrepro.protocols.filter_targets import FILTERS
from convrepro.records import Record
from convrepro.reporting import filters


def _record(conv: str, seed: int, epochs: dict[str, list[float | None]], **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "run_id": conv, "seed": seed, "status": "done", "config": {}, "names": {"conv": conv}, "official_data": True,
        "scaled": False, "num_parameters": 1, "num_macs": 1, "num_operator_layers": 0, "splits": {}, "epochs": epochs,
        "selected": {}, "measured": {}, "environment": {},
    }  # fmt: skip
    return Record(**{**fields, **changes})


PLAIN = [_record("standard", seed, {"train_loss": [4.0, 2.0 + seed]}) for seed in (0, 1)]
ADAPTIVE = [
    _record("aconv", seed, {"train_loss": [3.0, 1.0], **{f"sigma_{number}": [0.25, 0.5 + seed] for number in range(9)}})
    for seed in (1, 0)
]


def test_losses_of_all_records_and_apertures_of_the_lowest_seed() -> None:
    losses, apertures = filters.draw([*PLAIN, *ADAPTIVE]).axes
    assert [line.get_ydata().tolist() for line in losses.lines] == [[4.0, 2.0], [4.0, 3.0], [3.0, 1.0], [3.0, 1.0]]
    assert [text.get_text() for text in losses.get_legend().get_texts()] == ["standard", "aconv"]
    assert [line.get_xdata().tolist() for line in apertures.lines] == [[1, 2]] * 9
    assert [line.get_ydata().tolist() for line in apertures.lines] == [[0.25, 0.5]] * 9
    assert "seed 0" in apertures.get_ylabel()


def test_without_apertures_there_is_one_picture() -> None:
    assert len(filters.draw(PLAIN).axes) == 1


def test_a_line_ends_where_its_run_diverged() -> None:
    diverged = _record("standard", 0, {"train_loss": [4.0, 9.0, None]}, status="diverged", reason="the loss was inf")
    (losses,) = filters.draw([diverged]).axes
    assert losses.lines[0].get_xdata().tolist() == [1, 2]


def test_names_follow_the_order_of_the_targets() -> None:
    """gauss_0.25 is Gauss 0.25, sobel_horizontal_of_gauss_2 is Sobel, horizontal, of Gauss 2."""
    plain = [name.replace(",", "").replace(" ", "_").lower() for name in filters.FILTER_NAMES]
    assert tuple(plain) == FILTERS


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (filters.write(ADAPTIVE, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no record with a training loss to draw"):
        filters.draw([_record("standard", 0, {})])
    with pytest.raises(ValueError, match=r"must end in .png, got 'a.gif'"):
        filters.write(PLAIN, tmp_path / "a.gif")
