import pytest

from convrepro import papers
from convrepro.papers import Paper
from convrepro.statistics import Summary
from convrepro.tables.judging import against_paper, stand_in, subtract, theirs


@pytest.fixture(scope="module")
def dk_cnn() -> Paper:
    return papers.load("dk_cnn")


def test_a_printed_number_as_a_summary(dk_cnn: Paper) -> None:
    assert theirs(dk_cnn.numbers[0]) == Summary(n=5, mean=5.96, std=0.06)
    assert theirs(None) is None


def test_a_deviation_of_the_population_becomes_that_of_a_sample() -> None:
    """Table 2, MNIST: 0.02 with n = 5 in the denominator is 0.02 * sqrt(5 / 4) = 0.02236."""
    number = papers.load("adaptive_kernels").numbers[0]
    summary = theirs(number)
    assert summary is not None
    assert (summary.n, summary.mean) == (5, 99.58)
    assert summary.std == pytest.approx(0.02236, abs=1e-5)


def test_times_are_not_subtracted_from_those_of_another_machine() -> None:
    printed = next(n for n in papers.load("adaptive_kernels").numbers if n.unit == "us")
    ours = Summary(n=5, mean=200.0, std=3.0)
    assert against_paper("train_step_microseconds", ours, printed) is None
    assert against_paper("test_accuracy", ours, printed) is not None


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
