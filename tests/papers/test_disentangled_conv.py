"""Tables 1 and 2 of Kobayashi 2023."""

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
    """GFLOPs 3.84, 3.89, 3.86 and ms/img 0.167, 0.184, 0.177 for ResNet-50, Ours (9 x 9), Ours (3 x 3)."""
    numbers = [n for n in paper.numbers if n.table == TABLE]
    found = [(n.labels["conv"], n.labels.get("conv.envelope_size"), n.metric, n.printed, n.unit) for n in numbers]
    time = "inference_milliseconds_per_image"
    assert found == [
        ("standard", None, "num_macs", "3.84", "GFLOPs"),
        ("standard", None, time, "0.167", "ms/img"),
        ("disentangled", "9", "num_macs", "3.89", "GFLOPs"),
        ("disentangled", "9", time, "0.184", "ms/img"),
        ("disentangled", "3", "num_macs", "3.86", "GFLOPs"),
        ("disentangled", "3", time, "0.177", "ms/img"),
    ]
    assert {(n.labels["dataset"], n.labels["model"]) for n in numbers} == {("imagenet", "resnet50")}


# Transcribed a second time, for this test alone: top-1 and top-5 errors in printed order.
SECOND_TRANSCRIPTION = {
    "a": "23.81 6.91 23.46 6.95 23.03 6.72",
    "b": "23.03 6.72 23.08 6.67 23.44 6.81 23.57 7.01",
    "c": "23.03 6.72 22.93 6.69",
    "d": "23.40 7.04 23.03 6.72",
    "e": "23.03 6.72 22.98 6.70",
    "g": "24.65 7.50 23.60 7.01 23.85 7.13 23.42 6.94 23.59 6.80 23.91 7.18 23.74 7.06 23.44 7.05 23.03 6.72",
    "h": "23.81 6.91 23.67 6.97 23.23 6.84 23.21 6.79 23.77 7.22 26.79 8.86 23.03 6.72",
    "i": "25.90 8.27 25.36 7.97 23.81 6.91 22.58 6.29 22.04 6.17 21.56 5.94 22.32 6.54 21.93 6.25",
}


@pytest.mark.parametrize("letter", SECOND_TRANSCRIPTION)
def test_every_printed_error_of_table_1(paper: Paper, letter: str) -> None:
    numbers = [number for number in paper.numbers if number.table == f"disentangled_table1{letter}"]
    assert [number.printed for number in numbers] == SECOND_TRANSCRIPTION[letter].split()
    assert [number.metric for number in numbers] == ["test_error", "test_top5_error"] * (len(numbers) // 2)


def test_every_printed_error_of_table_2(paper: Paper) -> None:
    found: dict[tuple[str, str], list[str]] = {}
    for number in paper.numbers:
        if number.table == "disentangled_table2":
            found.setdefault((number.labels["model"], number.labels["conv"]), []).append(number.printed)
    assert found == {
        ("resnet34", "standard"): ["17.24", "34.48", "46.37", "20.87", "33.80"],
        ("resnet34_no_maxpool", "disentangled"): ["16.80", "32.91", "45.95", "20.00", "33.37"],
        ("resnet50", "standard"): ["15.27", "30.00", "43.32", "19.73", "30.62"],
        ("resnet50_no_maxpool", "disentangled"): ["15.05", "28.51", "42.36", "17.27", "29.72"],
        ("resnet50", "cbs"): ["15.27", "28.73", "42.81", "19.67", "30.22"],
    }


def test_the_network_of_all_tables_is_printed_with_the_same_errors(paper: Paper) -> None:
    """23.03 is the full model of Tables 1a to 1e, 1g and 1h; 23.81 the ordinary network of 1a, 1h and 1i."""
    for error, tables in (("23.03", "abcdegh"), ("23.81", "ahi")):
        assert [n.table for n in paper.numbers if n.printed == error] == [f"disentangled_table1{t}" for t in tables]


@pytest.mark.parametrize(("taps", "added", "printed"), [(9, 40_642_560, 0.05), (3, 13_547_520, 0.02)])
def test_the_papers_formula_agrees_with_its_table(paper: Paper, taps: int, added: int, printed: float) -> None:
    """Sec. 3.1: 2 k C H W; a difference of two numbers with two decimals is known to within 0.01."""
    assert sum(2 * taps * channels * side**2 for channels, side in SMOOTHED) == added
    assert added / 1e9 == pytest.approx(printed, abs=0.01)
    assert f"{added:,} for {taps}" in " ".join(paper.tables[TABLE].note.split()).replace(" taps", "")


def test_bibliography(paper: Paper) -> None:
    assert paper.citation == "Kobayashi, Pattern Recognition Letters (2023)"
    assert paper.deviations


def test_sizes_of_inference_share_their_weights(paper: Paper) -> None:
    """Table 1e: the only claim of pairs."""
    assert [(claim.table, claim.kind) for claim in paper.claims if claim.paired] == [("disentangled_table1e", "alike")]
