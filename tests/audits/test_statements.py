"""Losses and sentences."""

from pathlib import Path

from tests.audits.papers_of_one_table import subject

from convrepro.audits.statements import accuracy_losses, sentences
from convrepro.audits.subject import choose


def _lines(*losses: str) -> list[str]:
    accuracies = ["90.68", "85.09", "89.38"]
    return [
        line
        for conv, accuracy, loss in zip("abc", accuracies, losses, strict=True)
        for line in (f"t,s,net,{conv},,,test_accuracy,{accuracy},,,,%", f"t,s,net,{conv},,,accuracy_loss,{loss},,,,%")
    ]


def test_losses_against_the_accuracies(tmp_path: Path) -> None:
    found = list(accuracy_losses(subject(tmp_path, *_lines("0.", "5.59", "1.3"))))
    assert [finding.word for finding in found] == ["consistent", "consistent"]


def test_a_wrong_loss(tmp_path: Path) -> None:
    found = list(accuracy_losses(subject(tmp_path, *_lines("0.", "5.09", "1.3"))))
    assert [finding.word for finding in found] == ["inconsistent", "consistent"]
    assert "90.68 - 85.09 is 5.58 to 5.6, printed 5.09" in found[0].arithmetic


def test_nothing_to_count_from(tmp_path: Path) -> None:
    found = list(accuracy_losses(subject(tmp_path, *_lines("0.5", "5.59", "1.3"))))
    assert [finding.word for finding in found] == ["cannot tell"] * 3


def test_sentences_belong_to_a_paper_or_a_table() -> None:
    (paper,), (table,) = choose("analytic_conv_layer"), choose("acl_table4")
    assert len(list(sentences(paper))) > len(list(sentences(table))) > 0
    assert all(finding.table == "acl_table4" for finding in sentences(table))
