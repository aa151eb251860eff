import pytest

from convrepro import papers
from convrepro.papers import Paper
from convrepro.statistics import Summary
from convrepro.tables.judging import stand_in, subtract, theirs


@pytest.fixture(scope="module")
def dk_cnn() -> Paper:
    return papers.load("dk_cnn")


def test_a_printed_number_as_a_summary(dk_cnn: Paper) -> None:
    assert theirs(dk_cnn.numbers[0]) == Summary(n=5, mean=5.96, std=0.06)
    assert theirs(None) is None


def test_a_number_without_printed_runs_counts_as_one_run(dk_cnn: Paper) -> None:
    count = next(number for number in dk_cnn.numbers if number.num_runs is None)
    assert theirs(count) == Summary(n=1, mean=140_000.0)


def test_a_single_data_set_stands_in_for_a_single_one(dk_cnn: Paper) -> None:
    assert stand_in(["cifar10_jpeg", "cifar10_jpeg"], dk_cnn, "dk_table7") == {"cifar10_jpeg": "cifar10"}
    assert stand_in(["cifar10", "cifar10_jpeg"], dk_cnn, "dk_table7") == {}  # which one?
    assert stand_in(["cifar10_jpeg"], None, "dk_table7") == {}


def test_nothing_to_subtract() -> None:
    five = Summary(n=5, mean=5.0, std=0.1)
    assert subtract("num_parameters", five, five) is None
    assert subtract("test_error", Summary(n=1, mean=5.0), Summary(n=1, mean=5.0)) is None
    assert subtract("test_error", Summary(n=2, mean=float("nan"), std=float("nan")), five) is None
    assert subtract("test_error", five, None) is None
