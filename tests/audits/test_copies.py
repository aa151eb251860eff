"""Columns and cells that stand twice."""

from pathlib import Path

from tests.audits.papers_of_one_table import subject

from convrepro.audits.copies import copies, repeated_cells

MODELS = [f"net{number}" for number in range(8)]


def _column(dataset: str, values: list[str]) -> list[str]:
    return [
        f"t,{dataset},{model},standard,,,test_error,{value},0.20,,5,%"
        for model, value in zip(MODELS, values, strict=True)
    ]


VALUES = ["5.96", "5.66", "4.78", "4.66", "5.11", "4.79", "5.02", "4.83"]
OTHERS = ["11.43", "11.01", "6.85", "6.76", "6.92", "6.61", "5.92", "5.90"]


def test_two_data_sets_with_the_same_column(tmp_path: Path) -> None:
    (found,) = copies(subject(tmp_path, *_column("cifar10", VALUES), *_column("my_set", VALUES)))
    assert found.word == "inconsistent"
    assert "8 of 8 cells alike" in found.arithmetic


def test_two_data_sets_with_columns_of_their_own(tmp_path: Path) -> None:
    (found,) = copies(subject(tmp_path, *_column("cifar10", VALUES), *_column("my_set", OTHERS)))
    assert found.word == "consistent"


def test_two_cells_are_too_few(tmp_path: Path) -> None:
    lines = [*_column("cifar10", VALUES)[:2], *_column("my_set", VALUES)[:2]]
    assert list(copies(subject(tmp_path, *lines))) == []


def test_sizes_of_known_networks(tmp_path: Path) -> None:
    """CNN4 has 153,802 parameters for 10 classes and 522,532 for 100."""
    lines = [
        f"t,{dataset},cnn4,{conv},,,num_parameters,{printed},,,,M"
        for dataset in ("cifar10", "cifar100")
        for conv, printed in (("standard", "0.52"), ("dk", "0.53"), ("dk_first", "0.54"))
    ]
    (found,) = copies(subject(tmp_path, *lines))
    assert found.word == "inconsistent"
    assert "3 of these more than a unit apart" in found.arithmetic


def test_sizes_that_round_alike(tmp_path: Path) -> None:
    lines = [
        f"t,{dataset},resnet32,{conv},,,num_parameters,{printed},,,,M"
        for dataset in ("cifar10", "fashion_mnist")
        for conv, printed in (("standard", "0.47"), ("dk", "0.46"), ("dk_first", "0.47"))
    ]
    (found,) = copies(subject(tmp_path, *lines))
    assert found.word == "consistent"


def test_a_cell_of_two_tables(tmp_path: Path) -> None:
    printed = subject(
        tmp_path,
        "a,cifar10,net,x,,,test_error,5.96",
        "b,cifar10,net,x,,,test_error,5.96",
        "a,cifar10,net,y,,,test_error,5.96",
        "b,cifar10,net,y,,,test_error,6.96",
    )
    apart, alike = repeated_cells(printed)
    assert (alike.word, apart.word) == ("consistent", "cannot tell")
    assert "6.96 here and 5.96 there" in apart.arithmetic
