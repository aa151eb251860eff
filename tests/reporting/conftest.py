"""Tables to report, built from round numbers and the printed ones of Table 5."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from convrepro import papers
from convrepro.records import Cell, Record, Table
from convrepro.tables import BuiltTable, build

# 5.96 and 5.08 are printed with the deviations 0.06 and 0.16, 5.66 with 0.14.
RUNS: dict[tuple[str, str], Sequence[float]] = {
    ("cnn4", "standard"): (5.90, 5.95, 6.00, 6.05, 5.90),
    ("cnn4", "dk_first"): (6.50, 6.60, 6.70, 6.55, 6.65),
    ("resnet20", "standard"): (5.00, 5.20, 5.10, 5.00),
}


@pytest.fixture
def make() -> Callable[..., BuiltTable]:
    """Builds part of Table 5, one error per seed; ``changes`` are fields of the table."""

    def build_part(runs: dict[tuple[str, str], Sequence[float]] | None = None, **changes: Any) -> BuiltTable:
        runs = RUNS if runs is None else runs
        fields: dict[str, Any] = {
            "name": "dk_table5",
            "config": "dk_table5",
            "paper": "dk_cnn",
            "title": "DK-CNN, test error on Fashion-MNIST",
            "source": "Table 5",
            "metric": "test_error",
            "selection": "best_on_validation",
            "num_seeds": 5,
            "margin": 0.3,
            "baseline": "standard",
            "assumptions": ("300 epochs; the paper prints none.",),
            "cells": tuple(
                Cell(
                    run_id=f"{model}-{conv}",
                    labels={"dataset": "fashion_mnist", "model": model, "conv": conv},
                    official_data=True,
                    scaled=False,
                )
                for model, conv in runs
            ),
        }
        table = Table(**{**fields, **changes})
        records = [
            _record(f"{model}-{conv}", *run) for (model, conv), errors in runs.items() for run in enumerate(errors)
        ]
        return build(table, records, papers.load("dk_cnn") if table.paper else None)

    return build_part


@pytest.fixture
def built(make: Callable[..., BuiltTable]) -> BuiltTable:
    """One reproduced, one different and one incomplete cell."""
    return make()


HOSTILE = "=HYPERLINK(1)|<script>alert(1)</script>\x1b[31m\u202e$x_1$"


@pytest.fixture
def hostile(make: Callable[..., BuiltTable]) -> BuiltTable:
    """Every text that can come from elsewhere is an attack: labels, title, source, assumptions."""
    runs = {(HOSTILE, "standard"): (5.0, 5.1), ("@SUM(A1)", "\\input{x}"): (5.0, 5.1)}
    return make(runs, paper="", title=HOSTILE, source=HOSTILE, assumptions=(HOSTILE,))


def _record(run_id: str, seed: int, error: float) -> Record:
    return Record(
        run_id=run_id,
        seed=seed,
        status="done",
        config={},
        names={},
        official_data=True,
        scaled=False,
        num_parameters=143_050,
        num_macs=12_345_678,
        num_operator_layers=2,
        splits={},
        epochs={},
        selected={"best_on_validation": {"epoch": 3.0, "test_accuracy": 100.0 - error}},
        measured={"wall_seconds": 60.0 + 30.0 * seed},
        environment={},
    )
