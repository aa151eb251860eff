from collections.abc import Callable
from dataclasses import replace

import pytest

from convrepro.reporting.presentation import Presentation, present
from convrepro.statistics import Summary, ratio
from convrepro.tables import BuiltTable


@pytest.fixture
def shown(built: BuiltTable) -> Presentation:
    return present(built)


def column(shown: Presentation, title: str) -> tuple[str, ...]:
    (found,) = (column.texts for column in shown.columns if column.title == title)
    return found


def test_labels_that_never_vary_stand_above_the_table(shown: Presentation) -> None:
    assert shown.facts == "dataset: fashion_mnist, metric: test_error (%)"
    assert [column.title for column in shown.columns if column.is_label] == ["model", "conv"]


def test_our_runs(shown: Presentation) -> None:
    assert column(shown, "n") == ("5", "5", "4/5")
    assert column(shown, "ours") == ("5.96 ± 0.07", "6.60 ± 0.08", "5.08 ± 0.10")


def test_the_paper_as_it_is_printed(shown: Presentation) -> None:
    assert column(shown, "paper") == ("5.96 ± 0.06", "5.66 ± 0.14", "5.08 ± 0.16")


def test_differences_have_their_interval(shown: Presentation) -> None:
    """Second cell: deviations 0.0791 and 0.14, standard error 0.0719, 6.31 degrees of freedom, t = 2.418."""
    assert column(shown, "difference [95 %]")[1] == "+0.94 [+0.77, +1.11]"


def test_words_carry_the_marks_of_their_notes(shown: Presentation) -> None:
    assert column(shown, "verdict") == ("reproduced", "differs", "incomplete")


def test_cost_stands_beside_the_error(shown: Presentation) -> None:
    assert column(shown, "parameters")[0] == "143,050"
    assert column(shown, "MACs")[0] == "12.3M"
    assert column(shown, "operator layers")[0] == "2"
    assert column(shown, "time per run")[0] == "2.0 min"


def test_columns_without_content_are_left_out(make: Callable[..., BuiltTable]) -> None:
    shown = present(make(paper="", source=""))
    titles = [column.title for column in shown.columns]
    assert "paper" not in titles
    assert "difference [95 %]" not in titles


def test_one_seed_has_a_difference_but_no_interval_of_its_own(make: Callable[..., BuiltTable]) -> None:
    shown = present(make({("cnn4", "standard"): (5.0,)}))
    assert column(shown, "ours") == ("5.00",)
    assert column(shown, "verdict") == ("incomplete",)


def test_a_difference_of_nearly_nothing_has_no_negative_zero(make: Callable[..., BuiltTable]) -> None:
    shown = present(make({("cnn4", "standard"): (5.958, 5.959, 5.96, 5.961, 5.959)}))
    assert column(shown, "difference [95 %]")[0].startswith("+0.00 [")


def test_counts_are_shown_in_full(make: Callable[..., BuiltTable]) -> None:
    built = make(
        {("cnn4", "standard"): (5.0,)}, config="dk_table6", name="dk_table6", metric="num_parameters", num_seeds=1
    )
    shown = present(built)
    assert column(shown, "ours") == ("143,050",)
    assert column(shown, "paper") == ("0.14M",)
    assert column(shown, "verdict") == ("reproduced",)


def test_what_a_count_has_more_than_the_baselines_stands_beside_it(make: Callable[..., BuiltTable]) -> None:
    runs = {("cnn4", "standard"): (5.0,), ("cnn4", "dk"): (5.0,)}
    built = make(runs, config="dk_table6", name="dk_table6", metric="num_parameters", num_seeds=1)
    rows = (built.rows[0], replace(built.rows[1], added=6848.0))
    assert column(present(replace(built, rows=rows)), "minus standard") == ("", "+6,848")


def test_a_factor_has_four_decimals_or_as_many_as_are_printed(make: Callable[..., BuiltTable]) -> None:
    (row,) = make({("cnn4", "standard"): (5.0,)}).rows
    assert row.printed is not None
    shown = []
    for printed in ("0.", "0.706", "0.47417"):
        number = replace(row.printed, printed=printed, printed_spread="", unit="")
        factor = replace(row, metric="compact_factor", ours=Summary(n=1, mean=0.4741709), printed=number)
        texts = present(replace(make({}), rows=(factor,)))
        shown.append((column(texts, "ours"), column(texts, "paper")))
    assert shown == [(("0.4742",), ("0.",)), (("0.4742",), ("0.706",)), (("0.47417",), ("0.47417",))]


def test_multiply_accumulates_stand_beside_printed_gflops_once(make: Callable[..., BuiltTable]) -> None:
    (row,) = make({("cnn4", "standard"): (5.0,)}).rows
    assert row.printed is not None
    number = replace(row.printed, printed="3.84", printed_spread="", unit="GFLOPs")
    macs = replace(row, metric="num_macs", ours=Summary(n=1, mean=4_089_184_256.0), printed=number)
    shown = present(replace(make({}), rows=(macs,)))
    assert (column(shown, "ours"), column(shown, "paper")) == (("4.089G",), ("3.84 GFLOPs",))
    assert "MACs" not in [column.title for column in shown.columns]


def test_nothing_hostile_is_left(hostile: BuiltTable) -> None:
    shown = present(hostile)
    texts = [shown.title, shown.source, *shown.assumptions, *(text for c in shown.columns for text in c.texts)]
    assert not any("\x1b" in text or "\u202e" in text for text in texts)
    assert column(shown, "model")[0].startswith("'=")
    assert column(shown, "model")[1] == "'@SUM(A1)"


def test_an_empty_table(make: Callable[..., BuiltTable]) -> None:
    assert present(make({})).columns[0].texts == ()


def test_optimism_and_the_honest_choice_stand_beside_the_best_on_test(compared: BuiltTable) -> None:
    """Two of five seeds gain 0.02: mean 0.008, deviation 0.011, half-width 2.776 * 0.011 / sqrt(5) = 0.0136."""
    shown = present(compared)
    assert column(shown, "best_on_validation")[1] == "99.57 ± 0.02"
    assert column(shown, "optimism [95 %]")[1] == "+0.01 [-0.01, +0.02]"
    assert "epoch chosen by best_on_test" in " ".join(shown.remarks)
    assert any(sentence.startswith("optimism: ") for sentence in shown.remarks)


def test_optimism_of_one_seed_has_no_interval(compared: BuiltTable) -> None:
    row = replace(compared.rows[0], optimism=Summary(n=1, mean=0.25))
    assert column(present(replace(compared, rows=(row,))), "optimism [95 %]") == ("+0.25",)


def test_best_runs(compared: BuiltTable) -> None:
    """Only where the paper prints one."""
    shown = present(compared)
    assert column(shown, "best run") == ("", "99.60", "", "99.66")
    assert column(shown, "paper's best") == ("", "99.61", "", "99.66")


def test_ratios_of_times(compared: BuiltTable) -> None:
    row = compared.rows[1]
    assert row.printed is not None
    time = replace(
        row,
        metric="train_step_microseconds",
        printed=replace(row.printed, printed="238", printed_spread="", unit="us", metric="train_step_microseconds"),
        ours=Summary(n=5, mean=300.04, std=2.0),
        difference=None,
        ratio=ratio(Summary(n=5, mean=300.0, std=2.0), Summary(n=5, mean=250.0, std=2.0)),
        printed_ratio=238 / 180,
    )
    shown = present(replace(compared, rows=(time,)))
    assert (column(shown, "ours"), column(shown, "paper")) == (("300 ± 2",), ("238 us",))
    assert column(shown, "over standard [95 %]")[0].startswith("1.200 [1.1")
    assert column(shown, "paper's ratio") == ("1.32",)
    assert "difference [95 %]" not in [one.title for one in shown.columns]


def test_a_mean_printed_to_one_digit_is_shown_with_two(compared: BuiltTable) -> None:
    """Ours of 95.9, printed so, with a deviation of 0.09."""
    row = compared.rows[1]
    assert row.printed is not None
    shown = present(replace(compared, rows=(replace(row, printed=replace(row.printed, printed="95.9")),)))
    assert column(shown, "ours") == ("99.58 ± 0.02",)
    assert column(shown, "paper") == ("95.9 ± 0.02",)


def test_two_operators_beside_the_papers_t_test(compared: BuiltTable) -> None:
    """By scipy.stats.ttest_ind of the runs at 9x9: t 4.564, p 0.00184; Welch's p 0.00197."""
    shown = {one.title: one.texts for one in present(compared).comparisons}
    assert shown == {
        "dataset": ("mnist",),
        "model": ("simple_cnn",),
        "operators": ("aconv - standard",),
        "size": ("9x9",),
        "paper's size": ("9x9",),
        "t": ("4.56",),
        "paper's t": ("2.88",),
        "p": ("0.0018",),
        "paper's p": ("0.02",),
        "Welch's t": ("4.56",),
        "Welch's p": ("0.002",),
        "best size by mean": ("aconv 9x9, standard 9x9",),
    }


def test_why_operators_are_not_compared_yet(compared: BuiltTable) -> None:
    (one,) = compared.comparisons
    waiting = replace(one, size="", than_size="", student=None, welch=None, best_by_mean={}, reason="1 cell incomplete")
    shown = {column.title: column.texts for column in present(replace(compared, comparisons=(waiting,))).comparisons}
    assert shown["not compared"] == ("1 cell incomplete",)
    assert "t" not in shown
    assert shown["paper's t"] == ("2.88",)


def test_cells_of_two_sizes(compared: BuiltTable) -> None:
    (one,) = compared.comparisons
    found = present(replace(compared, comparisons=(replace(one, size="7", than_size="3"),)))
    assert next(column.texts for column in found.comparisons if column.title == "size") == ("7x7 - 3x3",)


def test_sizes_that_share_the_best_run(compared: BuiltTable) -> None:
    (one,) = compared.comparisons
    tied = replace(compared, comparisons=(replace(one, size="3", than_size="3", tied=("3", "9")),))
    assert next(column.texts for column in present(tied).comparisons if column.title == "size") == ("3x3 or 9x9",)
