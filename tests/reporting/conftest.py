"""Tables to report, built from round numbers and the printed ones of Table 5."""

from collections.abc import Callable, Sequence
from dataclasses import replace
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


@pytest.fixture
def compared() -> BuiltTable:
    """Part of Table 2 of Tek et al. 2021: MNIST at two kernel sizes, the best run at 9, with both selection rules."""
    runs = {
        ("standard", "7"): (99.50, 99.52, 99.51, 99.53, 99.49),
        ("standard", "9"): (99.58, 99.57, 99.59, 99.60, 99.56),
        ("aconv", "7"): (99.60, 99.60, 99.60, 99.60, 99.60),
        ("aconv", "9"): (99.63, 99.66, 99.62, 99.61, 99.63),
    }
    labels = {"dataset": "mnist", "model": "simple_cnn"}
    cells = tuple(
        Cell(
            run_id=f"{conv}-{size}",
            labels={**labels, "conv": conv, "model.kernel_size": size},
            official_data=True,
            scaled=False,
        )
        for conv, size in runs
    )
    fields: dict[str, Any] = {
        **{"name": "aconv_table2", "config": "aconv_table2", "paper": "adaptive_kernels", "title": "ACONV"},
        **{"source": "Table 2", "metric": "test_accuracy", "selection": "best_on_test", "num_seeds": 5, "margin": 0.3},
        **{"baseline": "standard", "assumptions": (), "cells": cells},
    }
    records = [
        replace(
            _record(f"{conv}-{size}", seed, 0.0),
            selected={
                "best_on_validation": {"test_accuracy": accuracy - 0.02 * (seed % 2)},
                "best_on_test": {"test_accuracy": accuracy},
            },
        )
        for (conv, size), accuracies in runs.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    return build(Table(**fields), records, papers.load("adaptive_kernels"))


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
