import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convrepro.papers import Paper
from convrepro.records import Cell, Record, Table
from convrepro.statistics import Summary, Verdict
from convrepro.tables import BuiltTable, Cost, build

MakeRecord = Callable[..., Record]
MakeTable = Callable[..., Table]
STANDARD, NEW = (4.9, 5.0, 5.1), (3.9, 4.0, 4.1)  # means as printed, deviation 0.1


@pytest.fixture
def records(record: MakeRecord) -> list[Record]:
    return [
        record(run_id, seed, error)
        for run_id, errors in (("standard", STANDARD), ("new", NEW))
        for seed, error in enumerate(errors)
    ]


@pytest.fixture
def built(table: MakeTable, records: list[Record], paper: Paper) -> BuiltTable:
    return build(table(), records, paper)


def test_rows_stand_in_the_order_of_the_grid(built: BuiltTable) -> None:
    assert [row.labels["conv"] for row in built.rows] == ["standard", "new"]


def test_mean_deviation_and_runs_of_a_cell(built: BuiltTable) -> None:
    row = built.rows[0]
    assert row.ours is not None
    assert (row.n, row.num_seeds) == (3, 3)
    assert row.ours.mean == pytest.approx(5.0)
    assert row.ours.std == pytest.approx(0.1)
    assert row.values == pytest.approx({0: 4.9, 1: 5.0, 2: 5.1})


def test_cost_is_that_of_the_network_and_the_mean_time(built: BuiltTable) -> None:
    assert built.rows[0].cost == Cost(num_parameters=1000, num_macs=2_000_000, num_operator_layers=3, wall_seconds=11.0)


def test_difference_to_the_paper(built: BuiltTable) -> None:
    """Both deviations 0.1 with n = 3: standard error sqrt(2 * 0.01 / 3) = 0.0816, 4 degrees of freedom."""
    found = built.rows[0].difference
    assert found is not None
    assert found.standard_error == pytest.approx(0.0816, abs=1e-4)
    assert found.interval() == pytest.approx((-0.2267, 0.2267), abs=1e-4)  # 2.776 * 0.0816
    assert built.rows[0].verdict.word == "reproduced"  # 2.132 * 0.0816 = 0.174 < 0.5


def test_difference_to_our_baseline(built: BuiltTable) -> None:
    baseline, new = built.rows
    assert baseline.against_baseline is None
    assert new.against_baseline is not None
    assert new.against_baseline.estimate == pytest.approx(-1.0)


def test_claim_of_the_paper(built: BuiltTable) -> None:
    (claim,) = built.claims
    assert claim.finding.word == "holds"
    assert claim.text == "d, m: test_error of new is below that of standard"


def test_texts_beside_the_rows(built: BuiltTable) -> None:
    assert built.source == "Doe et al., Journal 1 (2021) 1-2, Table 1"
    assert built.assumptions == ("100 epochs.",)
    assert "The note of Table 1." in built.remarks


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(random=st.randoms(use_true_random=False))
def test_order_of_records_does_not_matter(
    random: object, built: BuiltTable, records: list[Record], table: MakeTable, paper: Paper
) -> None:
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert build(table(), shuffled, paper) == built


def test_records_of_other_cells_and_seeds_take_no_part(
    built: BuiltTable, records: list[Record], record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    others = [record("another-configuration", 0, 50.0), record("standard", 3, 50.0)]
    assert build(table(), records + others, paper) == built


def test_two_records_of_one_seed_are_an_error(
    records: list[Record], record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    with pytest.raises(ValueError, match="run new has two records of seed 1; keep one"):
        build(table(), [*records, record("new", 1, 4.0)], paper)


def test_a_missing_seed_leaves_the_statistics_and_makes_it_incomplete(
    records: list[Record], table: MakeTable, paper: Paper
) -> None:
    row = build(table(), records[:-1], paper).rows[1]
    assert row.verdict == Verdict(word="incomplete", reason="n=2/3")
    assert row.difference is not None


def test_a_diverged_seed_is_not_done(records: list[Record], record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    diverged = record("new", 2, 0.0, status="diverged", selected={}, reason="loss is nan")
    built = build(table(), [*records[:-1], diverged], paper)
    row = built.rows[1]
    assert row.verdict == Verdict(word="incomplete", reason="n=2/3; seed 2 diverged: loss is nan")
    assert built.footnotes == {"seed 2 diverged: loss is nan": "a"}
    assert built.claims[0].finding.word == "undecided"


def test_a_value_that_is_not_finite_hides_no_other_cell(
    records: list[Record], record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    built = build(table(), [*records[:-1], record("new", 2, math.inf)], paper)
    assert [row.verdict.word for row in built.rows] == ["reproduced", "incomplete"]
    assert "seed 2: test_error is inf" in built.rows[1].verdict.reason


def test_a_record_without_the_metric_hides_no_other_cell(
    records: list[Record], record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    built = build(table(), [*records[:-1], record("new", 2, 4.0, selected={})], paper)
    assert [row.verdict.word for row in built.rows] == ["reproduced", "incomplete"]
    assert "has no test_accuracy by 'last'" in built.rows[1].verdict.reason


def test_without_records_nothing_is_known(table: MakeTable, paper: Paper) -> None:
    row = build(table(), [], paper).rows[0]
    assert (row.ours, row.cost, row.difference) == (None, None, None)
    assert row.verdict == Verdict(word="incomplete", reason="n=0/3")


def test_scaled_runs_support_a_claim_but_no_number(records: list[Record], table: MakeTable, paper: Paper) -> None:
    built = build(table(), [replace(record, scaled=True) for record in records], paper)
    assert {row.verdict.word for row in built.rows} == {"not comparable"}
    assert built.rows[0].verdict.reason.startswith("scaled")
    assert built.claims[0].finding.word == "holds"
    assert built.claims[0].finding.reason.endswith("scaled runs")


def test_data_that_are_not_official_are_not_comparable(records: list[Record], table: MakeTable, paper: Paper) -> None:
    built = build(table(), [replace(record, official_data=False) for record in records], paper)
    assert built.rows[0].verdict == Verdict(word="not comparable", reason="d is not the official distribution")


def test_another_selection_rule_is_not_comparable(records: list[Record], table: MakeTable, paper: Paper) -> None:
    chosen = {"best_on_test": {"epoch": 1.0, "test_accuracy": 95.0}}
    best = [replace(record, selected=chosen) for record in records]
    built = build(table(selection="best_on_test"), best, paper)
    assert built.rows[0].verdict == Verdict(
        word="not comparable", reason="our epoch is chosen by best_on_test, the paper's by last"
    )


def test_another_data_set_stands_beside_the_printed_numbers_but_is_not_comparable(
    records: list[Record], table: MakeTable, paper: Paper
) -> None:
    labels = [{"dataset": "pack", "model": "m", "conv": conv} for conv in ("standard", "new")]
    built = build(table(labels=labels, name="doe_table1.pack"), records, paper)
    assert built.rows[0].printed is not None
    assert built.rows[0].verdict == Verdict(word="not comparable", reason="data set pack in place of d")
    assert built.claims[0].finding.word == "holds"
    assert built.claims[0].finding.reason.endswith("on pack in place of d")


def test_a_table_that_stands_in_no_paper(records: list[Record], table: MakeTable) -> None:
    built = build(table(paper="", source=""), records, None)
    assert {row.verdict.word for row in built.rows} == {"no printed value"}
    assert built.source == ""
    assert built.claims == ()
    assert built.rows[1].against_baseline is not None


def test_runs_that_were_not_computed_in_float32_are_named(record: MakeRecord, table: MakeTable) -> None:
    made = [
        {"precision": "tf32"},
        {"precision": "float32", "compiled": False},
        {"precision": "tf32"},
        {"compiled": True},
    ]
    records = [replace(record("standard", seed, 5.0), environment=environment) for seed, environment in enumerate(made)]
    row = build(table(num_seeds=4, paper=""), records, None).rows[0]
    assert row.notes == (
        "computed in tf32: seeds 0, 2",
        "computed in float32 and torch.compile: seeds 3",
    )


def test_a_misprint_is_shown_with_its_reason(records: list[Record], table: MakeTable, paper: Paper) -> None:
    numbers = tuple(replace(number, misprint="it is a copy") for number in paper.numbers)
    built = build(table(), records, replace(paper, numbers=numbers))
    assert built.rows[0].verdict == Verdict(word="misprint", reason="it is a copy")
    assert built.rows[0].difference is not None


def test_counts_are_compared_at_the_printed_precision(records: list[Record], table: MakeTable, paper: Paper) -> None:
    numbers = tuple(
        replace(number, metric="num_parameters", printed="0.001", printed_spread="", num_runs=None, unit="M")
        for number in paper.numbers
    )
    built = build(table(metric="num_parameters", num_seeds=1), records, replace(paper, numbers=numbers))
    row = built.rows[0]
    assert row.verdict.word == "reproduced"  # 1000 rounds to 0.001M
    assert row.ours == Summary(n=1, mean=1000.0)
    assert (row.difference, row.against_baseline) == (None, None)


def test_an_exact_value_needs_one_run_and_stands_beside_the_baselines(
    record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    numbers = tuple(
        replace(number, metric="compact_factor", printed="0.25", printed_spread="", num_runs=None, unit="")
        for number in paper.numbers
    )
    factors = {"standard": 0.2512, "new": 0.3}
    records = [record(conv, 0, 0.0, selected={"last": {"compact_factor": value}}) for conv, value in factors.items()]
    built = build(table(metric="compact_factor", num_seeds=1), records, replace(paper, numbers=numbers, claims=()))
    standard, new = built.rows
    assert (standard.verdict.word, new.verdict.word) == ("reproduced", "differs")
    assert (standard.added, new.added) == (None, pytest.approx(0.0488))
    assert (new.difference, new.against_baseline) == (None, None)
    assert "reproduced: the value rounds to the printed one." in built.remarks


def test_nothing_is_added_to_a_baseline_that_is_not_there(record: MakeRecord, table: MakeTable) -> None:
    built = build(table(metric="num_parameters", num_seeds=1), [record("new", 0, 4.0)], None)
    assert [row.added for row in built.rows] == [None, None]


def test_the_baseline_shares_all_labels_but_the_operators_own(
    record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    common = {"dataset": "d", "model": "m"}
    labels = [
        {**common, "conv": "standard", "recipe": "short"},
        {**common, "conv": "standard", "recipe": "long"},
        {**common, "conv": "new", "recipe": "long", "conv.points": "3"},
    ]
    runs = {"standard-short": 9.0, "standard-long": 5.0, "new-long-3": 4.0}
    records = [record(run_id, seed, error + seed / 10) for run_id, error in runs.items() for seed in range(3)]
    new = build(table(labels=labels), records, None).rows[2]
    assert new.against_baseline is not None
    assert new.against_baseline.estimate == pytest.approx(-1.0)


def accuracies(record: MakeRecord, run_id: str, *runs: float) -> list[Record]:
    return [record(run_id, seed, 100.0 - accuracy) for seed, accuracy in enumerate(runs)]


def test_counts_and_trainings_of_one_cell_stand_in_one_table(
    record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    """Two run ids under the same labels, a metric each; the factor is that of ``last``, whatever the table's rule."""
    labels = {"dataset": "d", "model": "m", "conv": "new"}
    trained = Cell(run_id="t", labels=labels, official_data=True, scaled=False, metrics=("test_accuracy",))
    counted = replace(trained, run_id="c", metrics=("compact_factor",))
    selected = {"best_on_test": {"test_accuracy": 90.0}, "last": {"compact_factor": 0.25}}
    records = [record(run_id, seed, 0.0, selected=selected) for run_id in ("t", "c") for seed in range(3)]
    numbers = tuple(
        replace(paper.numbers[1], metric=metric, printed=text, printed_spread="", unit="")
        for metric, text in (("test_accuracy", "90.0"), ("compact_factor", "0.25"))
    )
    grid = table(metric="test_accuracy", selection="best_on_test", cells=(trained, counted))
    tables = {"doe_table1": replace(paper.tables["doe_table1"], selection="best_on_test")}
    rows = build(grid, records, replace(paper, numbers=numbers, tables=tables, claims=())).rows
    assert [(row.run_id, row.metric, row.selection) for row in rows] == [
        ("t", "test_accuracy", "best_on_test"),
        ("c", "compact_factor", "last"),
    ]
    assert [row.printed.printed for row in rows if row.printed] == ["90.0", "0.25"]
    assert rows[1].verdict.word == "reproduced"


def test_one_metric_after_the_other(records: list[Record], table: MakeTable) -> None:
    grid = table()
    grid = replace(grid, cells=tuple(replace(cell, metrics=("test_error", "num_macs")) for cell in grid.cells))
    rows = build(grid, records, None).rows
    assert [(row.metric, row.labels["conv"]) for row in rows] == [
        *(("test_error", conv) for conv in ("standard", "new")),
        *(("num_macs", conv) for conv in ("standard", "new")),
    ]
    assert rows[3].added == 0.0
    assert rows[1].against_baseline is not None


LOSS = {"dataset": "d", "model": "m", "conv": "standard"}


@pytest.fixture
def lossy(record: MakeRecord, table: MakeTable, paper: Paper) -> Callable[..., BuiltTable]:
    """A loss of 1.0 printed for ``new``, of 0 for the reference."""

    def built(**changes: object) -> BuiltTable:
        records = accuracies(record, "standard", 95.0, 94.0, 96.0) + accuracies(record, "new", 94.0, 93.1, 94.9)
        numbers = tuple(
            replace(number, metric="accuracy_loss", printed=text, printed_spread="", num_runs=None)
            for number, text in zip(paper.numbers, ("0.", "1.0"), strict=True)
        )
        grid = table(**{"metric": "accuracy_loss", "reference": LOSS, **changes})
        return build(grid, records, replace(paper, numbers=numbers, claims=()))

    return built


def test_losses_against_the_reference(lossy: Callable[..., BuiltTable]) -> None:
    reference, new = lossy().rows
    assert new.values == pytest.approx({0: 1.0, 1: 0.9, 2: 1.1})
    assert new.verdict.word == "reproduced"
    assert reference.ours == Summary(n=3, mean=0.0, std=0.0)
    assert reference.verdict == Verdict(word="not comparable", reason="the others' losses are counted from here")


def test_the_reference_of_a_table_on_another_data_set(lossy: Callable[..., BuiltTable]) -> None:
    labels = [{"dataset": "pack", "model": "m", "conv": conv} for conv in ("standard", "new")]
    new = lossy(labels=labels, replaced={"pack": "d"}).rows[1]
    assert new.values == pytest.approx({0: 1.0, 1: 0.9, 2: 1.1})
    assert new.verdict.reason == "data set pack in place of d"


def test_a_reference_that_is_no_cell(lossy: Callable[..., BuiltTable]) -> None:
    with pytest.raises(ValueError, match="`reference` of doe_table1 must be one cell with an accuracy_loss, got 0"):
        lossy(reference={**LOSS, "model": "another"})


def test_our_best_run_stands_beside_a_printed_one(records: list[Record], table: MakeTable, paper: Paper) -> None:
    assert [row.best for row in build(table(), records, paper).rows] == [None, None]
    numbers = tuple(replace(number, printed_best="4.80") for number in paper.numbers)
    rows = build(table(), records, replace(paper, numbers=numbers)).rows
    assert [row.best for row in rows] == pytest.approx([4.9, 3.9])  # of an error the lowest


def test_times_are_compared_by_their_ratio(record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    """Printed 6.00 and 5.00 us; ours 130 and 100."""
    metric = "train_step_microseconds"
    numbers = tuple(
        replace(number, metric=metric, printed=text, printed_spread="", unit="us")
        for number, text in zip(paper.numbers, ("5.00", "6.00"), strict=True)
    )
    records = [
        record(run_id, seed, 0.0, selected={"last": {metric: time + seed}})
        for run_id, time in (("standard", 99.0), ("new", 129.0))
        for seed in range(3)
    ]
    standard, new = build(table(metric=metric), records, replace(paper, numbers=numbers, claims=())).rows
    assert new.verdict == Verdict(
        word="not comparable", reason="times of two machines: only their ratios can be compared"
    )
    assert new.difference is None
    assert new.ratio is not None
    assert new.ratio.estimate == pytest.approx(1.3)
    assert new.printed_ratio == pytest.approx(1.2)
    assert (standard.ratio, standard.printed_ratio) == (None, None)


def test_runs_on_different_images_are_a_problem(record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    records = [
        record("new", seed, 4.0 + seed / 10, splits={"content": {"num_images": 3, "sha256": str(min(seed, 1)) * 64}})
        for seed in range(3)
    ]
    row = build(table(), records, paper).rows[1]
    problem = (
        "the runs on d had different images: 000000000000 in 1 run (here seeds 0); "
        "111111111111 in 2 runs (here seeds 1, 2)"
    )
    assert row.verdict == Verdict(word="incomplete", reason=problem)
    assert problem in row.notes


def test_several_data_sets_may_be_replaced(record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    """``replaced`` says which; the others stand for themselves."""
    labels = [{"dataset": dataset, "model": "m", "conv": "standard"} for dataset in ("pack", "d2")]
    rows = build(table(labels=labels, replaced={"pack": "d"}), [], paper).rows
    assert rows[0].printed is not None
    assert rows[1].printed is None


def read(dataset: str) -> dict[str, object]:
    return {"content": {"num_images": 3, "sha256": dataset * 64}}


def test_cells_on_different_images_are_not_compared(record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    records = [
        record(run_id, seed, errors[seed], splits=read(images))
        for run_id, errors, images in (("standard", STANDARD, "0"), ("new", NEW, "1"))
        for seed in range(3)
    ]
    built = build(table(), records, paper)
    assert [row.verdict.word for row in built.rows] == ["incomplete", "incomplete"]
    assert built.rows[1].verdict.reason == (
        "the runs on d had different images: 000000000000 in 3 runs; 111111111111 in 3 runs (here seeds 0, 1, 2)"
    )
    assert built.rows[1].against_baseline is None
    assert not any(row.is_complete for row in built.rows)
    assert built.claims[0].finding.word == "undecided"


def test_each_data_set_has_its_own_images(record: MakeRecord, table: MakeTable) -> None:
    """So do runs that say nothing of theirs stand beside others."""
    labels = [
        {"dataset": dataset, "model": "m", "conv": conv} for dataset in ("d", "e") for conv in ("standard", "new")
    ]
    cells = [Cell(run_id="-".join(cell.values()), labels=cell, official_data=True, scaled=False) for cell in labels]
    records = [
        record(cell.run_id, seed, 5.0 + seed, splits=splits)
        for cell, splits in zip(cells, (read("0"), read("0"), read("1"), {}), strict=True)
        for seed in range(3)
    ]
    rows = build(table(cells=tuple(cells)), records, None).rows
    assert all(row.is_complete for row in rows)
    assert rows[3].against_baseline is not None


@pytest.mark.parametrize(("margin", "word"), [(None, "reproduced"), (0.1, "inconclusive"), (0.0, "inconclusive")])
def test_a_cells_own_margin(
    records: list[Record], table: MakeTable, paper: Paper, margin: float | None, word: str
) -> None:
    """The 90 % interval is 0.174 wide on each side; the table's margin is 0.5."""
    grid = table()
    first, second = grid.cells
    rows = build(replace(grid, cells=(replace(first, margin=margin), second)), records, paper).rows
    assert [row.verdict.word for row in rows] == [word, "reproduced"]
    assert rows[0].margin == (0.5 if margin is None else margin)
