"""Table 1f of Kobayashi 2023."""

import pytest

from convrepro import papers
from convrepro.papers import Paper

TABLE = "disentangled_table1f"
# Where ResNet-50 downsizes at 224 x 224 pixels: channels and side of what is smoothed, of the stem, then of the 3x3
# convolution and the shortcut of each stage (Fig. 5a and b).
SMOOTHED = [(3, 224), (128, 56), (256, 56), (256, 28), (512, 28), (512, 14), (1024, 14)]


@pytest.fixture(scope="module")
def paper() -> Paper:
    return papers.load("disentangled_conv")


def test_every_printed_number_of_table_1f(paper: Paper) -> None:
    """GFLOPs 3.84, 3.89, 3.86 for ResNet-50, Ours (9 x 9), Ours (3 x 3)."""
    found = [(n.labels["conv"], n.labels.get("conv.envelope_size"), n.printed, n.unit) for n in paper.numbers]
    assert found == [
        ("standard", None, "3.84", "GFLOPs"),
        ("disentangled", "9", "3.89", "GFLOPs"),
        ("disentangled", "3", "3.86", "GFLOPs"),
    ]
    assert {(n.table, n.labels["dataset"], n.labels["model"]) for n in paper.numbers} == {
        (TABLE, "imagenet", "resnet50")
    }


@pytest.mark.parametrize(("taps", "added", "printed"), [(9, 40_642_560, 0.05), (3, 13_547_520, 0.02)])
def test_the_papers_formula_agrees_with_its_table(paper: Paper, taps: int, added: int, printed: float) -> None:
    """Sec. 3.1: 2 k C H W; a difference of two numbers with two decimals is known to within 0.01."""
    assert sum(2 * taps * channels * side**2 for channels, side in SMOOTHED) == added
    assert added / 1e9 == pytest.approx(printed, abs=0.01)
    assert f"{added:,} for {taps}" in " ".join(paper.tables[TABLE].note.split()).replace(" taps", "")


def test_bibliography(paper: Paper) -> None:
    assert paper.citation == "Kobayashi, Pattern Recognition Letters (2023)"
    assert paper.deviations
