"""Checks of cells and pairs of cells, on invented numbers."""

from pathlib import Path

import pytest
from tests.audits.papers_of_one_table import subject

from convrepro.audits import Finding, audit


def _words(findings: list[Finding], check: str) -> list[str]:
    return [finding.word for finding in findings if finding.check == check]


def test_a_consistent_comparison(tmp_path: Path) -> None:
    """t = 1 / sqrt((0.04 + 0.09) / 5) = 6.202, pooled p 2.59e-4."""
    found = audit(
        subject(
            tmp_path,
            "t,cifar10,net,mine,,,test_accuracy,91.00,0.20,91.20,5,%",
            "t,cifar10,net,standard,,,test_accuracy,90.00,0.30,90.40,5,%",
            "t,cifar10,net,mine,standard,,t_statistic,6.20",
            "t,cifar10,net,mine,standard,,p_value,2.6e-4",
        )
    )
    assert {check: _words(found, check) for check in ("difference", "t", "p", "p from t")} == {
        check: ["consistent"] for check in ("difference", "t", "p", "p from t")
    }
    assert _words(found, "best") == ["consistent"] * 2
    assert not any(finding.word == "inconsistent" for finding in found)


def test_an_inconsistent_comparison(tmp_path: Path) -> None:
    found = audit(
        subject(
            tmp_path,
            "t,cifar10,net,mine,,,test_accuracy,90.10,0.50,95.00,5,%",
            "t,cifar10,net,standard,,,test_accuracy,90.00,0.50,89.00,5,%",
            "t,cifar10,net,mine,standard,,t_statistic,6.20",
            "t,cifar10,net,mine,standard,,p_value,0.01",
        )
    )
    for check in ("difference", "t", "p", "p from t"):
        assert _words(found, check) == ["inconsistent"], check
    assert _words(found, "best") == ["inconsistent"] * 2


def test_attainable_and_unattainable_values(tmp_path: Path) -> None:
    """647 of 756 are 85.58 %, 648 are 85.71; 3,170 of 5 x 756 are 83.86, 3,171 are 83.89."""
    found = audit(
        subject(
            tmp_path,
            "t,lfw,net,a,,,test_accuracy,83.86,,85.71,5,%",
            "t,lfw,net,b,,,test_accuracy,83.87,,85.66,5,%",
            "t,lfw,net,c,,,test_accuracy,85.66,,,1,%",
            "t,lfw,net,d,,,test_accuracy,85.66,,,,%",
        )
    )
    assert _words(found, "attainable") == [*["consistent"] * 2, *["inconsistent"] * 3, "cannot tell"]


def test_what_attainability_cannot_judge(tmp_path: Path) -> None:
    found = audit(
        subject(
            tmp_path,
            "t,cifar10,net,a,,,test_accuracy,83.86,,,1,%",
            "t,my_set,net,a,,,test_accuracy,83.86,,,1,%",
            "t,oxford_pets,net,a,,,test_pixel_accuracy,83.86,,,1,%",
        )
    )
    assert [(finding.word, finding.arithmetic) for finding in found] == [
        ("cannot tell", "10,000 images: every printable value is attainable"),
        ("cannot tell", "the number of test images of my_set is not known"),
        ("cannot tell", "test_pixel_accuracy is no share of images"),
    ]


def test_a_t_test_of_cells_that_are_not_there(tmp_path: Path) -> None:
    (found,) = audit(subject(tmp_path, "t,cifar10,net,mine,standard,,p_value,0.01"))
    assert (found.word, found.check) == ("cannot tell", "p")


def test_findings_of_a_table_stand_together(tmp_path: Path) -> None:
    found = audit(
        subject(
            tmp_path,
            "b,cifar10,net,a,,,test_accuracy,83.86,,84.00,2,%",
            "a,cifar10,net,a,,,test_accuracy,83.86,,84.00,2,%",
            "b,cifar100,net,a,,,test_accuracy,83.86,,84.00,2,%",
        )
    )
    tables = [finding.table for finding in found]
    assert tables == sorted(tables, reverse=True)


# What the four papers contradict themselves in, by table and check: number of findings.
KNOWN = {
    ("aconv_table2", "p from t"): 1,
    ("aconv_table2", "attainable"): 3,
    ("aconv_table2", "best"): 1,
    ("aconv_table3", "p from t"): 2,
    ("aconv_table3", "attainable"): 5,
    ("aconv_table3", "best"): 1,
    ("Table 1, left", "recomputed"): 4,
    ("Table 1, right", "recomputed"): 1,
    ("Table 1, right", "arithmetic"): 1,
    ("acl_table3", "recomputed"): 3,
    ("acl_table3", "arithmetic"): 2,
    ("acl_table4", "recomputed"): 6,
    ("acl_table4", "arithmetic"): 1,
    ("dk_table9", "recomputed"): 10,
    ("dk_table10", "recomputed"): 1,
    ("dk_table10", "repeated"): 1,
}


def test_the_contradictions_of_the_four_papers() -> None:
    from convrepro.audits import choose

    found: dict[tuple[str, str], int] = {}
    for chosen in choose(None):
        for finding in audit(chosen):
            if finding.word == "inconsistent":
                key = (finding.table, finding.check)
                found[key] = found.get(key, 0) + 1
    assert found == KNOWN


@pytest.mark.parametrize("metric", ["num_parameters", "compact_factor", "accuracy_loss"])
def test_every_wrong_misprint_is_found(metric: str) -> None:
    """The papers' files mark misprints by hand; Table 9 counts as one as a whole, right sizes too."""
    from convrepro.audits import choose

    for chosen in choose(None):
        found = [finding for finding in audit(chosen) if finding.word == "inconsistent"]
        for number in chosen.numbers:
            if number.misprint and number.metric == metric and number.table not in ("acl_compactness", "dk_table9"):
                labels = number.labels
                assert any(
                    finding.table == number.table and labels["model"] in finding.cell and labels["conv"] in finding.cell
                    for finding in found
                ), number
