"""Explanations of cells of Table 5, from round numbers; 5.86 is printed with the deviation 0.13, 0.15M in Table 6."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.reporting.test_provenance import record

from convrepro import papers
from convrepro.records import Cell, Record, Table
from convrepro.reporting.explain import explain, printed_counts
from convrepro.reporting.explanation import Explanation, Section
from convrepro.tables import build

LABELS = {"dataset": "fashion_mnist", "model": "cnn4", "conv": "dk"}
COMMAND = "convrepro run dk_table5 --only model=cnn4"


def run(seed: int, error: float, **changes: Any) -> Record:
    accuracy = 100.0 - error
    chosen = {
        "last": {"epoch": 7.0, "test_accuracy": accuracy - 0.5},
        "best_on_validation": {"epoch": 3.0, "test_accuracy": accuracy},
        "best_on_test": {"epoch": 4.0, "test_accuracy": accuracy + 0.25},
    }
    fields = {
        "run_id": "dk",
        "num_parameters": 149_898,
        "num_macs": 230_339_200,
        "selected": chosen,
        "measured": {"wall_seconds": 60.0, "images_per_second": 618.0},
        "epochs": {"train_loss": [0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], "test_accuracy": [accuracy] * 7},
    }
    return record(seed, **{**fields, **changes})


def explained(
    records: Sequence[Record],
    *,
    labels: Mapping[str, str] = LABELS,
    without_record: Mapping[int, str] | None = None,
    metrics: tuple[str, ...] = (),
    **changes: Any,
) -> Explanation:
    cell = Cell(run_id="dk", labels=dict(labels), official_data=True, scaled=False, metrics=metrics)
    fields: dict[str, Any] = {
        "name": "dk_table5",
        "config": "dk_table5",
        "paper": "dk_cnn",
        "title": "DK-CNN, test error on Fashion-MNIST",
        "source": "Table 5",
        "metric": "test_error",
        "selection": "best_on_validation",
        "num_seeds": 2,
        "margin": 0.3,
        "baseline": "standard",
        "assumptions": ("300 epochs; the paper prints none.",),
        "cells": (cell,),
    }
    table = Table(**{**fields, **changes})
    paper = papers.load("dk_cnn") if table.paper else None
    built = build(table, records, paper)
    return explain(built, table, records, paper, run_id="dk", without_record=without_record or {}, command=COMMAND)


def section(explanation: Explanation, title: str) -> Section:
    return next(found for found in explanation.sections if found.title.startswith(title))


def test_the_cell_is_named() -> None:
    found = explained([run(0, 6.9), run(1, 7.1)])
    assert found.cell == "dataset=fashion_mnist model=cnn4 conv=dk  (run dk)"
    assert found.heading == "dk_table5: DK-CNN, test error on Fashion-MNIST"


def test_a_cell_that_differs() -> None:
    """Mean 7 ± 0.14 of two runs, against 5.86 ± 0.13 of five: 1.14 apart."""
    verdict = section(explained([run(0, 6.9), run(1, 7.1)]), "Verdict on test_error (%)")
    facts = dict(verdict.rows)
    assert verdict.rows[0][0] == verdict.word == "differs"
    assert facts["differs"].startswith("95 % interval ")
    assert facts["ours"].startswith("7.00 ± 0.14, 2 of 2 runs")
    assert facts["paper"].startswith("5.86 ± 0.13, 5 runs, standard deviation")
    assert facts["difference [95 %]"].startswith("+1.14 [")
    assert facts["margin"] == "0.3"


def test_a_reproduced_cell_says_so() -> None:
    verdict = section(explained([run(0, 5.85), run(1, 5.87)]), "Verdict")
    assert verdict.rows[0][0] == "reproduced"
    assert "within the margin 0.3" in verdict.rows[0][1]


def test_printed_parameters_of_another_table_stand_beside_ours() -> None:
    network = section(explained([run(0, 6.9)]), "Network")
    assert network.rows[0] == (
        "parameters", "149,898", "0.15 M (dk_table6)", "reproduced: equal at the printed precision"
    )  # fmt: skip
    assert network.rows[1] == ("MACs", "230,339,200", "not printed", "")


def test_other_parameters_than_the_printed_ones_differ() -> None:
    network = section(explained([run(0, 6.9, num_parameters=143_000)]), "Network")
    assert network.rows[0][3] == "differs: 143,000 does not round to the printed 150,000"


def test_a_count_printed_for_another_setting_is_said_to_be_so() -> None:
    """An axis that the printed count lacks may mean another network."""
    network = section(explained([run(0, 6.9)], labels={**LABELS, "conv.points": "5"}), "Network")
    assert network.rows[0][3].startswith("printed for no conv.points=5: ")


def test_no_count_is_taken_from_another_network() -> None:
    built = build(
        Table(
            name="t", config="dk_table5", paper="dk_cnn", title="", source="", metric="test_error",
            selection="last", num_seeds=1, margin=0.3, baseline="", assumptions=(),
            cells=(Cell(run_id="dk", labels={**LABELS, "model": "resnet50"}, official_data=True, scaled=False),),
        ),
        [],
        papers.load("dk_cnn"),
    )  # fmt: skip
    assert printed_counts(built.rows[0], papers.load("dk_cnn")) == []


def test_deviations_and_assumptions() -> None:
    found = section(explained([run(0, 6.9)]), "Where the paper is silent")
    assert ("number of epochs", "paper: " + papers.load("dk_cnn").deviations[0].paper) in found.rows
    assert ("", "here: " + papers.load("dk_cnn").deviations[0].ours) in found.rows
    assert found.sentences == ("This table: 300 epochs; the paper prints none.",)


def test_every_rule_of_every_seed() -> None:
    found = section(explained([run(0, 6.9), run(1, 7.1)]), "Seeds, test_error (%) by each selection rule")
    assert found.columns == ("seed", "last", "best on validation", "best on test", "time", "images/s")
    assert found.rows == (
        ("0", "7.4 (epoch 7)", "6.9 (epoch 3)", "6.65 (epoch 4)", "60.0 s", "618"),
        ("1", "7.6 (epoch 7)", "7.1 (epoch 3)", "6.85 (epoch 4)", "60.0 s", "618"),
    )
    assert found.sentences == ("Epoch chosen by best_on_validation; by the paper: best_on_validation.",)


def test_a_diverged_seed_says_why() -> None:
    diverged = run(1, 7.1, status="diverged", reason="loss is nan in epoch 2", selected={})
    found = section(explained([run(0, 6.9), diverged]), "Seeds")
    assert found.rows[1] == ("1", "", "", "", "60.0 s", "618", "diverged: loss is nan in epoch 2")


def test_last_epochs_and_their_reading() -> None:
    found = section(explained([run(0, 6.9), run(1, 7.1)]), "Curves")
    assert found.columns == ("seed", "epoch", "train loss", "test accuracy")
    assert found.rows[0] == ("0", "3 of 7", "0.5", "93.10")
    assert len(found.rows) == 10
    assert found.sentences[1].startswith("Seed 1: still falling at the end: train_loss 0.1 in the last epoch, 0.2")


def test_an_epoch_that_is_not_finite() -> None:
    diverged = run(0, 6.9, epochs={"train_loss": [0.5, None]}, status="diverged", reason="nan", selected={})
    found = section(explained([diverged]), "Curves")
    assert found.rows[1] == ("0", "2 of 2", "not finite")
    assert found.sentences[0] == "Seed 0: train_loss is not finite from epoch 2 on."


def test_a_count_has_neither_curves_nor_rules() -> None:
    counted = run(0, 0.0, epochs={}, selected={}, measured={"wall_seconds": 0.0})
    found = explained([counted], name="dk_table6", config="dk_table6", metric="num_parameters", num_seeds=1, margin=0.0)
    assert not any(part.title.startswith("Curves") for part in found.sections)
    seeds = section(found, "Seeds, num_parameters")
    assert (seeds.columns, seeds.rows, seeds.sentences) == (("seed", "value"), (("0", "149,898"),), ())


def test_runs_without_a_record_come_with_the_command_that_makes_them() -> None:
    found = explained([], without_record={0: "missing", 1: "missing", 2: "failed: out of memory"})
    waiting = section(found, "Runs without a record")
    assert waiting.rows == (("seeds 0, 1", "missing"), ("seed 2", "failed: out of memory"))
    assert waiting.sentences == (f"`{COMMAND}` makes them.",)
    assert [part.title.split()[0] for part in found.sections] == ["Verdict", "Runs", "Where"]


def test_a_table_of_no_paper() -> None:
    found = explained([run(0, 6.9), run(1, 7.1)], paper="", assumptions=())
    assert section(found, "Verdict").rows[0] == ("no printed value", "the paper prints no number for this cell")
    assert section(found, "Network").rows[0] == ("parameters", "149,898", "not printed", "")
    assert section(found, "Seeds").sentences == ("Epoch chosen by best_on_validation; by the paper: not known.",)
    assert not any(part.title.startswith("Where") for part in found.sections)


def test_a_cell_of_several_metrics_has_a_verdict_on_each() -> None:
    chosen = {"best_on_validation": {"epoch": 3.0, "test_accuracy": 93.0, "test_top5_accuracy": 99.0}}
    found = explained([run(seed, 7.0, selected=chosen) for seed in (0, 1)], metrics=("test_error", "test_top5_error"))
    titles = [part.title for part in found.sections if part.word]
    assert titles == ["Verdict on test_error (%)", "Verdict on test_top5_error (%)"]
    seeds = section(found, "Seeds by each selection rule")
    assert seeds.columns[:3] == ("seed", "metric", "best on validation")
    assert [row[1:3] for row in seeds.rows[:2]] == [
        ("test_error", "7 (epoch 3)"),
        ("test_top5_error", "1 (epoch 3)"),
    ]


def test_records_of_other_cells_are_passed_over() -> None:
    other = dataclasses.replace(run(0, 1.0), run_id="other")
    assert len(section(explained([other, run(0, 6.9)]), "Seeds").rows) == 1


def test_a_run_that_is_in_no_cell() -> None:
    table = Table(
        name="t", config="t", paper="", title="", source="", metric="test_error", selection="last", num_seeds=1,
        margin=0.3, baseline="", assumptions=(), cells=(),
    )  # fmt: skip
    with pytest.raises(ValueError, match="t has no cell of run dk"):
        explain(build(table, [], None), table, [], None, run_id="dk", without_record={}, command="")
