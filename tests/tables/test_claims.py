from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from convrepro.papers import Claim, Paper
from convrepro.records import Record, Table
from convrepro.tables import JudgedClaim, build

MakeRecord = Callable[..., Record]
MakeTable = Callable[..., Table]
WHERE = {"dataset": "d", "model": "m"}


@pytest.fixture
def judged(record: MakeRecord, table: MakeTable, paper: Paper) -> Callable[..., Sequence[JudgedClaim]]:
    """Claims judged on a grid of points and pieces in which the error is ``points + offset of pieces``."""

    def judge(*claims: Claim, slope: float = 1.0) -> Sequence[JudgedClaim]:
        labels = [
            {**WHERE, "conv": "new", "conv.points": str(points), "conv.pieces": str(pieces)}
            for points in (2, 3, 8)
            for pieces in (1, 2)
        ]
        errors = {f"new-{p}-{q}": 20.0 + slope * p for p in (2, 3, 8) for q in (1, 2)}
        records = [
            record(run_id, seed, error + noise)
            for run_id, error in errors.items()
            for seed, noise in enumerate((-0.1, 0.0, 0.1))
        ]
        return build(table(labels=labels), records, replace(paper, claims=claims)).claims

    return judge


def trend(kind: str, axis: str) -> Claim:
    return Claim(table="doe_table1", kind=kind, where=WHERE, conv="new", axis=axis, source="Sec. 4")  # type: ignore[arg-type]


def test_a_metric_that_rises_with_an_axis(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    (claim,) = judged(trend("rises", "conv.points"))
    assert claim.finding.word == "holds"
    assert claim.finding.difference is not None
    assert claim.finding.difference.estimate == pytest.approx(6.0)  # slope 1 from 2 to 8
    assert claim.finding.difference.degrees_of_freedom == 18 - 2 - 1  # runs, groups of pieces, slope
    assert claim.text == "d, m: test_error of new falls when conv.points falls"


def test_a_claim_names_the_other_labels_that_it_speaks_of(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    (claim,) = judged(replace(trend("rises", "conv.points"), where={**WHERE, "conv.pieces": "2"}))
    assert claim.text == "d, m, conv.pieces 2: test_error of new falls when conv.points falls"
    assert claim.finding.difference is not None
    assert claim.finding.difference.degrees_of_freedom == 9 - 1 - 1


def test_a_metric_that_falls_contradicts_it(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    (claim,) = judged(trend("rises", "conv.points"), slope=-1.0)
    assert claim.finding.word == "contradicted"


def test_an_axis_without_effect(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    pieces, points = judged(trend("no_effect", "conv.pieces"), trend("no_effect", "conv.points"))
    assert pieces.finding.word == "holds"  # the margin is 0.5
    assert points.finding.word == "contradicted"


def test_a_claim_without_its_cells_is_undecided(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    lower = Claim(table="doe_table1", kind="lower", where=WHERE, conv="standard", than="new", source="")
    (claim,) = judged(lower)
    assert claim.finding.word == "undecided"
    assert claim.finding.reason == "the grid needs one cell of standard and one of new"


def test_a_claim_of_other_cells_takes_no_part(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    assert judged(replace(trend("rises", "conv.points"), where={"dataset": "d", "model": "another"})) == ()


def test_claims_of_other_tables_take_no_part(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    assert judged(replace(trend("rises", "conv.points"), table="doe_table2")) == ()


def test_an_incomplete_grid_decides_nothing_but_shows_what_there_is(
    record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    records = [record("standard", seed, 5.0 + seed / 10) for seed in range(3)]
    records += [record("new", seed, 1.0 + seed / 10) for seed in range(2)]
    (claim,) = build(table(), records, paper).claims
    assert claim.finding.word == "undecided"
    assert claim.finding.reason.startswith("1 of 2 cells incomplete; -4.05, 95 % interval [")


def versus(kind: str, points: str, other: str) -> Claim:
    where, than_where = ({"conv.points": value} for value in (points, other))
    return Claim(
        table="doe_table1",
        kind=kind,  # type: ignore[arg-type]
        where={**WHERE, "conv.pieces": "1", **where},
        conv="new",
        than="new",
        than_where=than_where,
        source="Sec. 4",
    )


def test_both_sides_may_differ_in_an_axis(judged: Callable[..., Sequence[JudgedClaim]]) -> None:
    """The error is 20 plus the points."""
    higher, lower, alike = judged(versus("higher", "8", "2"), versus("lower", "8", "2"), versus("alike", "8", "2"))
    assert [claim.finding.word for claim in (higher, lower, alike)] == ["holds", "contradicted", "contradicted"]
    assert higher.text == (
        "d, m, conv.pieces 1: test_error of new (conv.points 8) is above that of new (conv.points 2)"
    )
    assert alike.text.endswith("test_error of new (conv.points 8) is that of new (conv.points 2)")


def test_an_empty_value_stands_for_the_cell_without_the_label(
    record: MakeRecord, table: MakeTable, paper: Paper
) -> None:
    labels = [{**WHERE, "conv": "new"}, {**WHERE, "conv": "new", "conv.sigma": "1"}]
    records = [
        record(run_id, seed, mean + seed / 10) for run_id, mean in (("new", 4.0), ("new-1", 5.0)) for seed in range(3)
    ]
    claim = Claim(
        table="doe_table1", kind="lower", where={**WHERE, "conv.sigma": ""}, conv="new", than="new",
        than_where={"conv.sigma": "1"}, source="",
    )  # fmt: skip
    (judged,) = build(table(labels=labels), records, replace(paper, claims=(claim,))).claims
    assert judged.finding.word == "holds"
    assert judged.text == "d, m: test_error of new is below that of new (conv.sigma 1)"


def test_a_claim_is_about_its_metric(record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    """Top-1 errors say that new is lower, top-5 errors that it is higher."""
    values = {"standard": (6.0, 1.0), "new": (4.0, 2.0)}
    records = [
        record(run_id, seed, 0.0, selected={"last": {"test_accuracy": accuracy, "test_top5_accuracy": 100 - five}})
        for run_id, (one, five) in values.items()
        for seed, accuracy in enumerate((100 - one, 99.9 - one, 99.8 - one))
    ]
    grid = table()
    metrics = ("test_error", "test_top5_error")
    grid = replace(grid, cells=tuple(replace(cell, metrics=metrics) for cell in grid.cells))
    (claim,) = paper.claims
    claims = build(grid, records, replace(paper, claims=(claim, replace(claim, metric="test_top5_error")))).claims
    assert [one.finding.word for one in claims] == ["holds", "contradicted"]
    assert "test_top5_error of new" in claims[1].text


def test_pairs_of_seeds_are_compared_within_seeds(record: MakeRecord, table: MakeTable, paper: Paper) -> None:
    """Seeds differ by 2, both operators of a seed by 0.1: within the margin of 0.5."""
    records = [
        record(run_id, seed, 5.0 + 2 * seed + offset + seed * noise)
        for run_id, offset, noise in (("standard", 0.0, 0.0), ("new", 0.1, 0.01))
        for seed in range(3)
    ]
    (claim,) = paper.claims
    claims = tuple(
        replace(claim, kind=kind, paired=is_paired) for kind in ("alike", "higher") for is_paired in (False, True)
    )
    judged = build(table(), records, replace(paper, claims=claims)).claims
    assert [one.finding.word for one in judged] == ["undecided", "holds", "undecided", "holds"]


@pytest.mark.parametrize(("bounds", "word"), [((0.7, 0.9), "holds"), ((0.9, 1.1), "contradicted")])
def test_a_ratio_of_two_cells(
    record: MakeRecord, table: MakeTable, paper: Paper, bounds: tuple[float, float], word: str
) -> None:
    records = [
        record(run_id, seed, mean + seed / 100)
        for run_id, mean in (("standard", 5.0), ("new", 4.0))
        for seed in range(3)
    ]
    claims = (replace(paper.claims[0], kind="ratio", ratio=bounds),)
    (judged,) = build(table(), records, replace(paper, claims=claims)).claims
    assert judged.finding.word == word
    assert judged.text == f"d, m: test_error of new is {bounds[0]:g} to {bounds[1]:g} times that of standard"
