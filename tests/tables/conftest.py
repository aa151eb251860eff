"""Records, tables and a paper, made up: "Doe and Roe 2021" is no real paper."""

from collections.abc import Callable
from typing import Any

import pytest

from convrepro.papers import Claim, Paper, PrintedNumber, PrintedTable
from convrepro.records import Cell, Record, Table


@pytest.fixture
def record() -> Callable[..., Record]:
    """A done record, given run id, seed and test error."""

    def make(run_id: str, seed: int, test_error: float, **changes: Any) -> Record:
        fields: dict[str, Any] = {
            "run_id": run_id,
            "seed": seed,
            "status": "done",
            "config": {},
            "names": {},
            "official_data": True,
            "scaled": False,
            "num_parameters": 1000,
            "num_macs": 2_000_000,
            "num_operator_layers": 3,
            "splits": {},
            "epochs": {},
            "selected": {"last": {"epoch": 9.0, "test_accuracy": 100.0 - test_error}},
            "measured": {"wall_seconds": 10.0 + seed},
            "environment": {},
        }
        return Record(**{**fields, **changes})

    return make


@pytest.fixture
def table() -> Callable[..., Table]:
    """A table of two operators on one data set; the run ids are the operators' names."""

    def make(*, labels: list[dict[str, str]] | None = None, **changes: Any) -> Table:
        labels = labels or [{"dataset": "d", "model": "m", "conv": conv} for conv in ("standard", "new")]
        fields: dict[str, Any] = {
            "name": "doe_table1",
            "config": "doe_table1",
            "paper": "doe",
            "title": "Doe and Roe, test error",
            "source": "Table 1",
            "metric": "test_error",
            "selection": "last",
            "num_seeds": 3,
            "margin": 0.5,
            "baseline": "standard",
            "assumptions": ("100 epochs.",),
            "cells": tuple(
                Cell(run_id="-".join(list(cell.values())[2:]), labels=cell, official_data=True, scaled=False)
                for cell in labels
            ),
        }
        return Table(**{**fields, **changes})

    return make


@pytest.fixture
def paper() -> Paper:
    """Prints 5.0 for standard, 4.0 for new, and claims that new is lower."""

    def number(conv: str, printed: str) -> PrintedNumber:
        return PrintedNumber(
            table="doe_table1",
            labels={"dataset": "d", "model": "m", "conv": conv},
            metric="test_error",
            printed=printed,
            printed_spread="0.10",
            spread_kind="std",
            num_runs=3,
            unit="%",
            misprint="",
        )

    return Paper(
        name="doe",
        title="Zero-mean convolution",
        authors=("Jane Doe", "Richard Roe"),
        journal="Journal",
        volume=1,
        pages="1-2",
        year=2021,
        doi="",
        tables={
            "doe_table1": PrintedTable(
                name="doe_table1",
                source="Table 1",
                metrics=("test_error",),
                spread="std",
                selection="last",
                note="The note of Table 1.",
            )
        },
        numbers=(number("standard", "5.00"), number("new", "4.00")),
        claims=(
            Claim(
                table="doe_table1",
                kind="lower",
                where={"dataset": "d", "model": "m"},
                conv="new",
                than="standard",
                source="Table 1",
            ),
        ),
        deviations=(),
    )
