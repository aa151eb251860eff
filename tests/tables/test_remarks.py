from collections.abc import Callable
from dataclasses import replace

from convrepro.papers import Paper
from convrepro.records import Record, Table
from convrepro.tables import build
from convrepro.tables.remarks import remarks


def test_a_table_says_what_stands_behind_its_plus_minus_and_its_words(
    record: Callable[..., Record], table: Callable[..., Table], paper: Paper
) -> None:
    records = [record(conv, seed, 4.0 + seed) for conv in ("standard", "new") for seed in range(3)]
    text = " ".join(build(table(), records, paper).remarks)
    assert "sample standard deviation over n runs; epoch chosen by last" in text
    assert "Paper: mean and standard deviation (n or n - 1 not printed; read as n - 1) over 3 runs." in text
    assert "Welch's 95 % interval" in text
    assert "lies within the margin, 0.5" in text


def test_an_untrained_network_has_no_epoch_to_choose(
    record: Callable[..., Record], table: Callable[..., Table], paper: Paper
) -> None:
    rows = build(table(), [record("new", seed, 4.0 + seed) for seed in range(3)], paper).rows
    text = " ".join(remarks([replace(row, metric="kernel_variance_ratio") for row in rows], None))
    assert "over n untrained networks" in text
    assert "epoch" not in text


def test_a_paper_without_spread_is_said_to_have_none(
    record: Callable[..., Record], table: Callable[..., Table], paper: Paper
) -> None:
    numbers = tuple(replace(number, printed_spread="", spread_kind="") for number in paper.numbers)
    records = [record("new", seed, 4.0 + seed) for seed in range(3)]
    text = " ".join(build(table(), records, replace(paper, numbers=numbers)).remarks)
    assert "95 % prediction interval" in text
    assert "Welch" not in text


def test_no_rows_need_no_words() -> None:
    assert remarks([], None) == ()


def test_margins_of_several_data_sets_are_told_apart(
    record: Callable[..., Record], table: Callable[..., Table], paper: Paper
) -> None:
    row, other = build(table(), [record("new", seed, 4.0 + seed) for seed in range(3)], paper).rows
    first, second = replace(row, labels={**row.labels, "dataset": "b"}, margin=0.04), other
    assert "the margin, 0.04 (b) or 0.5 (d). differs" in " ".join(remarks([first, second], paper))
    assert "the margin, 0.04 or 0.5. differs" in " ".join(remarks([replace(row, margin=0.04), other], paper))
