from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from convrepro import papers
from convrepro.papers import Paper, PrintedComparison, PrintedNumber, PrintedTable
from convrepro.papers.reader import COLUMNS, read_numbers

# Transcribed a second time, for this test alone; by model: baseline, DK-CNN, DK-CNN(OF).
MODELS = ("cnn4", "resnet20", "resnet32", "densenet40", "densenet52")
SECOND_TRANSCRIPTION = {
    "dk_table5": """
        5.96±0.06 5.86±0.13 5.66±0.14
        5.08±0.16 4.78±0.23 4.66±0.15
        4.79±0.24 4.78±0.13 4.77±0.12
        5.11±0.16 4.95±0.22 4.79±0.07
        4.83±0.16 5.02±0.20 4.78±0.23""",
    "dk_table6": """
        0.14M 0.15M 0.16M
        0.27M 0.27M 0.28M
        0.47M 0.46M 0.47M
        0.18M 0.18M 0.18M
        0.26M 0.26M 0.27M""",
    "dk_table7": """
        11.43±0.22 11.36±0.20 11.01±0.31
        7.12±0.09 6.85±0.16 6.76±0.27
        6.16±0.17 6.21±0.15 6.12±0.33
        6.92±0.26 6.66±0.18 6.61±0.21
        5.92±0.20 5.97±0.17 5.90±0.20""",
    "dk_table8": """
        38.14±0.30 37.26±0.26 37.20±0.36
        30.52±0.25 29.85±0.58 29.79±0.26
        29.02±0.50 28.16±0.50 28.18±0.17
        28.64±0.41 28.70±0.48 28.21±0.44
        26.71±0.28 26.86±0.32 26.52±0.37""",
    "dk_table9": """
        0.52M 0.53M 0.54M
        0.28M 0.27M 0.28M
        0.47M 0.46M 0.48M
        0.19M 0.19M 0.19M
        0.28M 0.28M 0.27M""",
    "dk_table10": """
        0.52M 0.53M 0.54M
        0.28M 0.27M 0.28M
        0.47M 0.46M 0.48M
        0.19M 0.19M 0.19M
        0.28M 0.28M 0.27M""",
}
DATASETS = {
    **dict.fromkeys(("dk_table5", "dk_table6"), "fashion_mnist"),
    **dict.fromkeys(("dk_table7", "dk_table9"), "cifar10"),
    **dict.fromkeys(("dk_table8", "dk_table10"), "cifar100"),
}


@pytest.fixture(scope="module")
def dk_cnn() -> Paper:
    return papers.load("dk_cnn")


def of_table(paper: Paper, table: str) -> list[PrintedNumber]:
    return [number for number in paper.numbers if number.table == table]


@pytest.mark.parametrize("table", SECOND_TRANSCRIPTION)
def test_every_printed_number_of_dk_cnn(dk_cnn: Paper, table: str) -> None:
    cells = iter(SECOND_TRANSCRIPTION[table].split())
    for model in MODELS:
        for conv in ("standard", "dk", "dk_first"):
            found = dk_cnn.printed(
                table, {"dataset": DATASETS[table], "model": model, "conv": conv}, dk_cnn.tables[table].metrics[0]
            )
            assert found is not None
            spread = f"±{found.printed_spread}" if found.printed_spread else ""
            assert f"{found.printed}{spread}{found.unit.strip('%')}" == next(cells)
            assert found.num_runs == (5 if spread else None)


@pytest.mark.parametrize(
    ("table", "total"),  # sums of the rows CNN4, ResNet20, ResNet32, DenseNet40, DenseNet52
    [
        ("dk_table5", "75.82"),  # 17.48 + 14.52 + 14.34 + 14.85 + 14.63
        ("dk_table6", "4.00"),  # 0.45 + 0.82 + 1.40 + 0.54 + 0.79
        ("dk_table7", "111.00"),  # 33.80 + 20.73 + 18.49 + 20.19 + 17.79
        ("dk_table8", "453.76"),  # 112.60 + 90.16 + 85.36 + 85.55 + 80.09
        ("dk_table9", "5.23"),  # 1.59 + 0.83 + 1.41 + 0.57 + 0.83
        ("dk_table10", "5.23"),
    ],
)
def test_sum_of_each_table(dk_cnn: Paper, table: str, total: str) -> None:
    numbers = of_table(dk_cnn, table)
    assert len(numbers) == 15
    assert sum(Decimal(number.printed) for number in numbers) == Decimal(total)


def test_figure5_has_the_one_cell_that_table8_prints(dk_cnn: Paper) -> None:
    (anchor,) = of_table(dk_cnn, "dk_figure5")
    assert anchor.labels == {
        **{"dataset": "cifar100", "model": "resnet32", "conv": "dk_first"},
        **{"conv.points": "3", "conv.pieces": "2"},
    }
    of_table8 = dk_cnn.printed("dk_table8", {k: v for k, v in anchor.labels.items() if "." not in k}, "test_error")
    assert of_table8 is not None
    assert (anchor.printed, anchor.printed_spread) == (of_table8.printed, of_table8.printed_spread)
    assert len(dk_cnn.numbers) == 91


def test_misprints_are_table_9_and_one_cell_of_table_10(dk_cnn: Paper) -> None:
    misprints = [number for number in dk_cnn.numbers if number.misprint]
    assert Counter(number.table for number in misprints) == {"dk_table9": 15, "dk_table10": 1}
    (cell,) = (number for number in misprints if number.table == "dk_table10")
    assert (cell.labels["model"], cell.labels["conv"], cell.printed) == ("densenet52", "dk_first", "0.27")


def test_table_9_is_a_copy_of_table_10(dk_cnn: Paper) -> None:
    """The ground for calling it a misprint: 10 classes cannot need as many weights as 100."""
    ninth, tenth = ([number.printed for number in of_table(dk_cnn, table)] for table in ("dk_table9", "dk_table10"))
    assert ninth == tenth


@pytest.mark.parametrize(
    (
        "model",
        "features",
        "text",
    ),  # of the last layer; 90 classes fewer, each with a weight per feature and a bias
    [
        ("cnn4", 64 * 8 * 8, "368,730"),
        ("resnet20", 64, "5,850"),
        ("resnet32", 64, "5,850"),
        ("densenet40", 132, "11,970"),
        ("densenet52", 174, "15,750"),
    ],
)
def test_arithmetic_of_the_misprints_of_table_9(dk_cnn: Paper, model: str, features: int, text: str) -> None:
    assert f"{90 * (features + 1):,}" == text
    reasons = {number.misprint for number in of_table(dk_cnn, "dk_table9") if number.labels["model"] == model}
    assert all(text in reason for reason in reasons)


def test_arithmetic_of_the_misprint_of_table_10(dk_cnn: Paper) -> None:
    """First layer, 3 to 24 channels: w_hat 24 x 3 x 4, then 3 factors x 2 pieces x 24 x 4 x 9; plain 24 x 3 x 9."""
    dk, plain = 24 * 3 * 4 + 3 * 2 * 24 * 4 * 9, 24 * 3 * 9
    (cell,) = (number for number in of_table(dk_cnn, "dk_table10") if number.misprint)
    assert f"{dk:,} - {plain:,} = {dk - plain:,}" in cell.misprint


def test_claims_are_the_cells_printed_below_their_baseline(dk_cnn: Paper) -> None:
    """Captions of Tables 5, 7 and 8: highlighted are the DK results better than the regular ones."""
    below = set()
    for number in dk_cnn.numbers:
        if number.metric == "test_error" and number.table != "dk_figure5" and number.labels["conv"] != "standard":
            base = dk_cnn.printed(number.table, {**number.labels, "conv": "standard"}, "test_error")
            assert base is not None
            if number.value < base.value:
                below.add((number.table, number.labels["dataset"], number.labels["model"], number.labels["conv"]))
    claims = [claim for claim in dk_cnn.claims if claim.kind == "lower"]
    assert {(c.table, c.where["dataset"], c.where["model"], c.conv) for c in claims} == below
    assert len(claims) == len(below) == 25
    assert {claim.than for claim in claims} == {"standard"}


def test_claims_of_figure_5(dk_cnn: Paper) -> None:
    found = {(claim.kind, claim.axis) for claim in dk_cnn.claims if claim.table == "dk_figure5"}
    assert found == {("rises", "conv.points"), ("no_effect", "conv.pieces")}


def test_bibliography(dk_cnn: Paper) -> None:
    assert (dk_cnn.volume, dk_cnn.year, dk_cnn.pages) == (422, 2021, "95-108")
    assert dk_cnn.doi == "10.1016/j.neucom.2020.09.005"
    assert len(dk_cnn.deviations) >= 10


def test_unknown_paper() -> None:
    with pytest.raises(ValueError, match="unknown paper 'dk_cn'; did you mean 'dk_cnn'"):
        papers.load("dk_cn")


TABLES = {
    "t": PrintedTable(name="t", source="", metrics=("test_error",), spread="std", selection="", note=""),
    "u": PrintedTable(name="u", source="", metrics=("test_error",), spread="", selection="", note=""),
}
GOOD = "t,d,m,c,,,test_error,5.96,0.06,5.87,5,%,"
COMPARED = "t,d,m,c,e,,t_statistic,-2.19,,,,,"


def read(tmp_path: Path, *lines: str) -> list[PrintedNumber | PrintedComparison]:
    path = tmp_path / "numbers.csv"
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    return list(read_numbers(path, TABLES))


def test_a_good_line_and_axes(tmp_path: Path) -> None:
    plain, with_axes = read(tmp_path, GOOD, GOOD.replace("c,,,", "c,,conv.points=3 conv.pieces=2,"))
    assert isinstance(plain, PrintedNumber)
    assert (plain.value, plain.best) == (5.96, 5.87)
    assert with_axes.labels == {**plain.labels, "conv.points": "3", "conv.pieces": "2"}


def test_a_line_with_than_compares_two_cells(tmp_path: Path) -> None:
    plain, with_axes = read(tmp_path, COMPARED, COMPARED.replace("e,,", "e k=3,k=7 l=1,"))
    for comparison in (plain, with_axes):
        assert isinstance(comparison, PrintedComparison)
        assert comparison.value == -2.19
    labels = {"dataset": "d", "model": "m", "conv": "c"}
    assert isinstance(with_axes, PrintedComparison)
    assert (plain.labels, with_axes.labels) == (labels, {**labels, "k": "7", "l": "1"})
    assert with_axes.than == {**labels, "conv": "e", "k": "3"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (COMPARED.replace("-2.19", "x"), "`printed` must be a decimal number, got 'x'"),
        (COMPARED.replace("t_statistic", "f_statistic"), "unknown metric of a comparison 'f_statistic'"),
        (COMPARED.replace("t_statistic,-2.19", "best_kernel_size,9"), "`printed` must be a kernel size such as 9x9"),
        (COMPARED.replace("-2.19,,", "-2.19,0.1,"), "`spread` of a comparison must be empty, got '0.1'"),
        (COMPARED.replace(",e,", ",e k,"), "`axes` must read like `conv.points=3 conv.pieces=2`, got 'k'"),
        (GOOD.replace("5.87", "x"), "`best` must be empty or a decimal number, got 'x'"),
        (GOOD, "stands already in line 2"),
        (GOOD.replace("t,", "v,", 1), "unknown table 'v'"),
        (GOOD.replace("5.96", "5,96"), "13 fields must stand here, got 14"),
        (GOOD.replace("5.96", "nan"), "`printed` must be a decimal number, got 'nan'"),
        (GOOD.replace("5.96", ""), "`printed` must be a decimal number, got ''"),
        (GOOD.replace("0.06", "x"), "`spread` must be a decimal number of a known kind, got 'x'"),
        (GOOD.replace("t,", "u,", 1), "`spread` must be a decimal number of a known kind, got '0.06'"),
        (GOOD.replace(",5,", ",0,"), "`num_runs` must be empty or a positive integer, got '0'"),
        (GOOD.replace("%", "k"), "unknown unit 'k'"),
        (GOOD.replace("test_error", "accuracy"), "the metric of t must be test_error"),
        (GOOD.replace("c,,,", "c,,conv.points,"), "`axes` must read like"),
        (GOOD.replace("t,d,", "t,,"), "`dataset` must not be empty"),
        ("t", "13 fields must stand here, got 1"),
        ("", "13 fields must stand here, got 0"),
        (GOOD.replace("5.96", '"5.9"6'), "expected after"),
        (GOOD.replace("5.96", '"5,960"'), "`printed` must be a decimal number, got '5,960'"),
        (GOOD.replace(",m,", ", m,"), "`model` must have no blanks around it, got ' m'"),
        (GOOD.replace(",c,", ",c\u202f,"), "`conv` must have no blanks around it"),
        (GOOD.replace("c,,,", "c,,k=3 k=7,"), "`axes` must name each axis once, got 'k=3 k=7'"),
        (GOOD.replace(",5,", ",\u0665,"), "`num_runs` must be empty or a positive integer"),
    ],
)
def test_a_defect_is_named_with_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, GOOD, line)
    assert str(caught.value).startswith(f"{tmp_path / 'numbers.csv'}:3: ")
    assert "\n" not in str(caught.value)


def test_what_editors_and_spreadsheets_add_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("\n".join([",".join(COLUMNS), GOOD, ""]))
    plain = list(read_numbers(path, TABLES))
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read_numbers(path, TABLES)) == plain


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.removesuffix("%,") + "%,it is a copy of", r"numbers\.csv:2: the last line has no end"),
        (GOOD.replace("5.96", "5\0.96") + "\n", r"numbers\.csv:2: a CSV file must not hold a NUL byte"),
        (GOOD.encode().replace(b"m", b"\xe9") + b"\n", r"numbers\.csv:2: the file must be UTF-8, got the byte 0xe9"),
    ],
)
def test_what_is_no_whole_text_is_named_with_file_and_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "numbers.csv"
    path.write_bytes(
        (",".join(COLUMNS) + "\n").encode() + (content if isinstance(content, bytes) else content.encode())
    )
    with pytest.raises(ValueError, match=message):
        list(read_numbers(path, TABLES))


def test_wrong_header(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("table,dataset\n")
    with pytest.raises(ValueError, match=r"numbers.csv:1: the columns must be table,dataset,model"):
        list(read_numbers(path, TABLES))


@pytest.mark.parametrize("defect", ["claims: [{table: t}]", "claims: [{wrong: 1}]", "unknown: 1\nclaims: []"])
def test_a_defect_of_the_yaml_file_is_named(tmp_path: Path, defect: str) -> None:
    (tmp_path / "bad.yaml").write_text(f"tables: {{}}\nauthors: [A]\ndeviations: []\n{defect}\n")
    (tmp_path / "bad.csv").write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(ValueError, match=r"bad.yaml lacks or adds a field"):
        papers.load("bad", tmp_path)


@pytest.mark.parametrize("content", [b"tables: {\nclaims: [\n", b"title: \xff\n", b"title: !!python/name:os.system\n"])
def test_what_is_no_plain_yaml_is_named_with_its_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.yaml:\d: the file must be YAML"):
        papers.load("broken", tmp_path)


YAML = """
name: p
title: T
authors: [A]
journal: J
volume: null
pages: ""
year: 2021
doi: ""
tables:
  t: {source: "", metrics: [a, b], spread: "", selection: "", note: ""}
deviations: []
claims:
"""


def write_paper(tmp_path: Path, claims: str) -> None:
    (tmp_path / "p.yaml").write_text(YAML + claims)
    (tmp_path / "p.csv").write_text(",".join(COLUMNS) + "\n")


def test_a_list_of_values_is_a_claim_for_each(tmp_path: Path) -> None:
    claim = (
        "{table: t, kind: higher, where: {dataset: [d, e], k: x}, conv: c, than: f, than_where: {k: [y, z]}, source: S}"
    )
    write_paper(tmp_path, f"  - {claim}\n")
    found = [(dict(claim.where), dict(claim.than_where)) for claim in papers.load("p", tmp_path).claims]
    assert found == [({"dataset": dataset, "k": "x"}, {"k": k}) for dataset in ("d", "e") for k in ("y", "z")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("kind: lower", "kind: smaller"), "unknown kind of claim 'smaller'"),
        (("table: t", "table: u"), "unknown table 'u'"),
        (("source: S", "source: S, metric: d"), "unknown metric of t 'd'"),
        (
            ("kind: lower", "kind: ratio"),
            r"two rising positive numbers for the kind ratio .* got \[\] for the kind ratio",
        ),
        (("kind: lower", "kind: ratio, ratio: [1.3, 1.2]"), r"got \[1\.3, 1\.2\] for the kind ratio"),
        (("kind: lower", "kind: ratio, ratio: [1.2]"), r"got \[1\.2\] for the kind ratio"),
        (("kind: lower", "kind: lower, ratio: [1.2, 1.3]"), r"got \[1\.2, 1\.3\] for the kind lower"),
        (("kind: lower", "kind: lower, ratio: [1.2]"), r"got \[1\.2\] for the kind lower"),
        (("kind: lower", "kind: rises, paired: true"), "a claim of the kind rises cannot be `paired`"),
    ],
)
def test_a_claim_of_something_unknown(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    claim = "{table: t, kind: lower, where: {dataset: d}, conv: c, than: f, source: S}"
    write_paper(tmp_path, f"  - {claim.replace(*change)}\n")
    with pytest.raises(ValueError, match=message):
        papers.load("p", tmp_path)
