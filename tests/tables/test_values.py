from collections.abc import Callable
from dataclasses import replace

import pytest

from convrepro.records import Record
from convrepro.statistics import Summary
from convrepro.tables.values import best, content_problems, optimism, rule_of, values_of

MakeRecord = Callable[..., Record]


def test_only_what_is_trained_goes_by_the_tables_rule() -> None:
    assert rule_of("test_accuracy", "best_on_test") == rule_of("accuracy_loss", "best_on_test") == "best_on_test"
    for metric in ("num_macs", "compact_factor", "train_step_microseconds"):
        assert rule_of(metric, "best_on_test") == "last"


def test_accuracy_losses_are_seed_by_seed(record: MakeRecord) -> None:
    """What is common to a seed cancels: 0.5 in each of them."""
    reference = {seed: record("a", seed, 5.0 + seed) for seed in range(3)}
    cell = {seed: record("b", seed, 5.5 + seed) for seed in range(3)}
    assert values_of("accuracy_loss", "last", cell, reference) == ({0: 0.5, 1: 0.5, 2: 0.5}, [])


def test_a_value_whose_square_is_no_number_is_named(record: MakeRecord) -> None:
    cell = {0: record("a", 0, 5.0), 1: record("a", 1, -1e200)}
    values, (problem,) = values_of("test_error", "last", cell)
    assert values == {0: 5.0}
    assert problem == "seed 1: test_error is -1e+200"


def test_a_loss_needs_the_seed_in_the_reference_too(record: MakeRecord) -> None:
    reference = {0: record("a", 0, 5.0), 2: record("a", 2, 5.0, status="diverged", selected={}, reason="nan")}
    cell = {seed: record("b", seed, 5.5) for seed in range(3)}
    values, problems = values_of("accuracy_loss", "last", cell, reference)
    assert values == {0: 0.5}
    assert problems == [
        "record a of seed 2 has no test_accuracy by 'last'",
        "the reference has no seed 1",
    ]
    assert values_of("accuracy_loss", "last", cell, None) == (
        {},
        ["accuracy_loss needs a reference in the table's file"],
    )


def test_runs_of_one_cell_must_have_had_the_same_images(record: MakeRecord) -> None:
    def of(*contents: str | None) -> dict[int, Record]:
        splits = [{"content": {"num_images": 3, "sha256": content * 32}} if content else {} for content in contents]
        return {seed: record("a", seed, 5.0, splits=one) for seed, one in enumerate(splits)}

    same, mixed = of("ab", "ab", None), of("ab", "cd", "ab")
    assert content_problems(same, "d", {"ab" * 32: 2}) == []
    assert content_problems(mixed, "d", {"ab" * 32: 2, "cd" * 32: 1}) == [
        "the runs on d had different images: abababababab in 2 runs (here seeds 0, 2); "
        "cdcdcdcdcdcd in 1 run (here seeds 1)"
    ]


def test_a_cell_that_says_nothing_of_its_images_has_no_part_in_the_others(record: MakeRecord) -> None:
    assert content_problems({0: record("a", 0, 5.0)}, "d", {"ab" * 32: 2, "cd" * 32: 1}) == []


def chosen(record: MakeRecord, gains: tuple[float, ...], **changes: object) -> dict[int, Record]:
    """Accuracies of 90 by best_on_validation and ``gains`` more by best_on_test."""
    return {
        seed: record("a", seed, 0.0, selected={
            "last": {"test_accuracy": 80.0},
            "best_on_validation": {"test_accuracy": 90.0 + seed},
            "best_on_test": {"test_accuracy": 90.0 + seed + gain},
        }, **changes)
        for seed, gain in enumerate(gains)
    }  # fmt: skip


def test_optimism_is_positive_where_it_flatters(record: MakeRecord) -> None:
    """0.1, 0.3 and 0.2: mean 0.2, deviation 0.1, whichever way the metric runs."""
    records = chosen(record, (0.1, 0.3, 0.2))
    for metric, mean in (("test_accuracy", 91.0), ("test_error", 9.0)):
        honest, gain = optimism(metric, "best_on_test", records)
        assert honest == Summary(n=3, mean=mean, std=1.0)
        assert gain is not None
        assert (gain.n, gain.mean, gain.std) == (3, pytest.approx(0.2), pytest.approx(0.1))


def test_no_optimism_without_both_rules(record: MakeRecord) -> None:
    records = chosen(record, (0.1, 0.3))
    nothing = (None, None)
    assert optimism("test_accuracy", "last", records) == nothing
    assert optimism("num_macs", "best_on_test", records) == nothing
    assert optimism("test_accuracy", "best_on_test", {}) == nothing
    lacking = {**records, 2: record("a", 2, 5.0)}
    assert optimism("test_accuracy", "best_on_test", lacking) == nothing
    assert optimism("test_top5_accuracy", "best_on_test", records) == nothing


def test_a_diverged_run_takes_no_part_in_optimism(record: MakeRecord) -> None:
    records = chosen(record, (0.1, 0.3))
    records[2] = replace(records[0], seed=2, status="diverged", selected={})
    _, gain = optimism("test_accuracy", "best_on_test", records)
    assert gain is not None
    assert gain.n == 2


def test_the_best_run() -> None:
    assert best("test_accuracy", [1.0, 3.0, 2.0]) == 3.0
    assert best("test_error", [1.0, 3.0, 2.0]) == 1.0
    assert best("test_error", []) is None
