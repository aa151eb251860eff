"""Two operators at sizes 3 and 5; "Doe and Roe 2021" is no real paper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest
import scipy.stats

from convrepro.papers import Paper, PrintedComparison
from convrepro.papers.paper import ComparisonMetric
from convrepro.records import Record, Table
from convrepro.tables import Comparison, build
from convrepro.tables.remarks import remarks

MakeRecord = Callable[..., Record]
MakeTable = Callable[..., Table]
WHERE = {"dataset": "d", "model": "m"}
# Size 3 has the best mean of both, size 5 the best single run: an error of 1.0.
ERRORS = {
    "standard-3": (4.0, 4.1, 4.2),
    "standard-5": (5.0, 5.5, 6.0),
    "new-3": (3.0, 3.1, 3.2),
    "new-5": (1.0, 4.0, 5.0),
}


def printed(metric: ComparisonMetric, text: str, *sizes: str) -> PrintedComparison:
    labels, than = ({"model.kernel_size": size} for size in sizes or ("", ""))
    return PrintedComparison(
        table="doe_table1",
        labels={**WHERE, "conv": "new", **(labels if sizes else {})},
        than={**WHERE, "conv": "standard", **(than if sizes else {})},
        metric=metric,
        printed=text,
        misprint="",
    )


CHOSEN = (
    printed("t_statistic", "2.88", "9", "9"),
    printed("p_value", "0.02", "9", "9"),
    printed("best_kernel_size", "9x9"),
)


@pytest.fixture
def compared(record: MakeRecord, table: MakeTable, paper: Paper) -> Callable[..., Sequence[Comparison]]:
    def compare(
        *comparisons: PrintedComparison,
        num_runs: int = 3,
        dataset: str = "d",
        errors_of: Mapping[str, Sequence[float]] = ERRORS,
    ) -> Sequence[Comparison]:
        labels = [
            {"dataset": dataset, "model": "m", "conv": conv, "model.kernel_size": size}
            for conv in ("standard", "new")
            for size in ("3", "5")
        ]
        records = [
            record(run_id, seed, error) for run_id, errors in errors_of.items() for seed, error in enumerate(errors)
        ]
        records = [one for one in records if one.run_id != "new-3" or one.seed < num_runs]
        replaced = {dataset: "d"} if dataset != "d" else {}
        grid = table(labels=labels, replaced=replaced)
        return build(grid, records, replace(paper, claims=(), comparisons=comparisons)).comparisons

    return compare


def test_the_size_is_that_of_the_best_single_run(compared: Callable[..., Sequence[Comparison]]) -> None:
    (found,) = compared(*CHOSEN)
    assert (found.size, found.than_size, found.printed_size) == ("5", "5", "9x9")
    assert found.best_by_mean == {"new": "3", "standard": "3"}
    assert (found.printed_t, found.printed_p, found.reason) == ("2.88", "0.02", "")
    assert found.labels == {**WHERE, "conv": "new"}


def test_both_tests_agree_with_scipys(compared: Callable[..., Sequence[Comparison]]) -> None:
    (found,) = compared(*CHOSEN)
    for ours, equal_variances in ((found.student, True), (found.welch, False)):
        scipys = scipy.stats.ttest_ind(ERRORS["new-5"], ERRORS["standard-5"], equal_var=equal_variances)
        assert ours is not None
        assert ours.t_statistic == pytest.approx(scipys.statistic)
        assert ours.p_value == pytest.approx(scipys.pvalue)


def test_nothing_is_chosen_or_compared_before_all_runs_are_there(
    compared: Callable[..., Sequence[Comparison]],
) -> None:
    (found,) = compared(*CHOSEN, num_runs=2)
    assert (found.size, found.best_by_mean, found.student, found.welch) == ("", {}, None, None)
    assert found.reason == "1 of 4 cells incomplete"


def test_sizes_that_the_paper_fixed(compared: Callable[..., Sequence[Comparison]]) -> None:
    """Only the two cells that are compared need to be complete."""
    (found,) = compared(printed("p_value", "0.12", "5", "3"), num_runs=2)
    assert (found.size, found.than_size, found.best_by_mean) == ("5", "3", {})
    scipys = scipy.stats.ttest_ind(ERRORS["new-5"], ERRORS["standard-3"])
    assert found.student is not None
    assert found.student.p_value == pytest.approx(scipys.pvalue)


def test_a_data_set_in_the_place_of_the_papers(compared: Callable[..., Sequence[Comparison]]) -> None:
    (found,) = compared(*CHOSEN, dataset="pack")
    assert found.labels["dataset"] == "pack"
    assert found.student is not None


def test_cells_that_are_not_there_are_not_compared(compared: Callable[..., Sequence[Comparison]]) -> None:
    assert compared(printed("p_value", "0.12", "7", "3")) == ()
    assert compared() == ()


def test_the_best_single_run_may_be_that_of_the_operator_that_is_compared_with(
    compared: Callable[..., Sequence[Comparison]],
) -> None:
    """As on the faces of Tek et al.'s Table 3."""
    (found,) = compared(*CHOSEN, errors_of={**ERRORS, "standard-3": (0.5, 4.1, 4.2)})
    assert (found.size, found.than_size, found.tied) == ("3", "3", ())


@pytest.mark.parametrize("operator", ["standard", "new"])
def test_of_equal_best_runs_the_first_size_of_the_grid_counts(
    compared: Callable[..., Sequence[Comparison]], operator: str
) -> None:
    """Whichever operator reaches it there."""
    (found,) = compared(*CHOSEN, errors_of={**ERRORS, f"{operator}-3": (1.0, 4.1, 4.2)})
    assert (found.size, found.than_size, found.tied) == ("3", "3", ("3", "5"))


def test_equal_best_runs_at_one_size_are_no_tie(compared: Callable[..., Sequence[Comparison]]) -> None:
    (found,) = compared(*CHOSEN, errors_of={**ERRORS, "standard-5": (1.0, 5.5, 6.0)})
    assert (found.size, found.tied) == ("5", ())


def test_a_tie_is_explained(compared: Callable[..., Sequence[Comparison]]) -> None:
    found = compared(*CHOSEN, errors_of={**ERRORS, "standard-3": (1.0, 4.1, 4.2)})
    assert "Where several sizes share the best run" in remarks([], None, found)[-1]
    assert "several sizes" not in " ".join(remarks([], None, compared(*CHOSEN)))
