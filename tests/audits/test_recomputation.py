"""Sizes, factors and operations."""

from pathlib import Path

import pytest
from tests.audits.papers_of_one_table import subject

from convrepro.audits import audit, choose, facts
from convrepro.audits.recomputation import added_macs, factor, size


@pytest.mark.parametrize(
    ("printed", "unit", "word"),
    [("0.14", "M", "consistent"), ("0.15", "M", "inconsistent"), ("143", "K", "consistent")],
)
def test_a_size(printed: str, unit: str, word: str) -> None:
    assert size(printed, unit, [143_050]).word == word


def test_one_of_several_sizes_is_enough() -> None:
    assert size("1.6", "M", [900_000, 1_618_602]).word == "consistent"


def test_a_size_whose_digits_were_cut_off() -> None:
    found = size("1.4", "M", [1_459_482])
    assert found.word == "inconsistent"
    assert "cut off" in found.arithmetic


def test_a_factor() -> None:
    assert factor("0.4726", (0.47257, 0.47257)).word == "consistent"
    assert factor("0.4347", (0.47417, 0.47417)).word == "inconsistent"
    assert factor("0.0274", (0.97258, 0.97258)).arithmetic.endswith("the complement")
    assert factor("1.", (1.0, 1.0)).word == "consistent"


@pytest.mark.parametrize(("printed", "word"), [("0.4726", "cannot tell"), ("0.44", "consistent")])
def test_a_factor_of_layers_whose_sizes_are_assumed(monkeypatch: pytest.MonkeyPatch, printed: str, word: str) -> None:
    """18 and 96 kernels of 5x5 = 25; the ratios give no whole numbers of each kind: two kernels of each layer are open.

    2 G, 1 Lg, 1 Lt, 3 Tf, 9 P are 8 + 1 + 1 + 9 + 225 = 244; 14, 7, 7, 18, 48 are 56 + 7 + 7 + 54 + 1200 = 1324. The
    other two are from Lg and Lt, 1 + 1, to G and P, 4 + 25: 246 + 1326 = 1572 to 273 + 1353 = 1626 parameters of
    114 x 25 = 2850.
    """
    (entry,) = facts.load()["factors_elsewhere"]
    changed = facts.load() | {"factors_elsewhere": [entry | {"printed": printed}]}
    monkeypatch.setattr(facts, "load", lambda: changed)
    (subject_of_table,) = choose("acl_section6_2")
    (found,) = (finding for finding in audit(subject_of_table) if finding.check == "recomputed")
    assert found.word == word
    assert f"Eq. (25) gives 0.42947 to 0.44842, printed {printed}" in found.arithmetic


def test_added_operations() -> None:
    """3.89 - 3.84 GFLOPs are 40 to 60 million."""
    assert added_macs("3.89", "3.84", "GFLOPs", 40_642_560).word == "consistent"
    assert added_macs("3.89", "3.84", "GFLOPs", 70_000_000).word == "inconsistent"


def test_lines_of_a_file(tmp_path: Path) -> None:
    found = audit(
        subject(
            tmp_path,
            "t,fashion_mnist,cnn4,dk,,,num_parameters,0.15,,,,M",
            "t,fashion_mnist,cnn4,standard,,,num_parameters,0.15,,,,M",
            "t,fashion_mnist,my_net,dk,,,num_parameters,0.15,,,,M",
            "t,mnist,simple_cnn,standard,,model.kernel_size=3,num_parameters,1.62,,,,M",
            "t,flowers102,resnet34,acl,,conv.arrangement=G96P96,compact_factor,0.4592",
            "t,flowers102,resnet34,acl,,conv.arrangement=Q96P96,compact_factor,0.4592",
            "t,flowers102,my_net,acl,,conv.arrangement=G96P96,compact_factor,0.4592",
            "t,imagenet,resnet50,standard,,,num_macs,3.84,,,,GFLOPs",
            "t,imagenet,resnet50,disentangled,,conv.envelope_size=9,num_macs,3.99,,,,GFLOPs",
        )
    )
    words = [finding.word for finding in found if finding.check == "recomputed"]
    assert words == [
        *("consistent", "inconsistent", "cannot tell", "consistent"),
        *("consistent", "cannot tell", "cannot tell", "inconsistent"),
    ]
