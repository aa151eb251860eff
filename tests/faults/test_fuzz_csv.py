"""Whatever stands in a CSV file, it is read or one line says why not."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convrepro import papers
from convrepro.cli.errors import one_line
from convrepro.papers.reader import COLUMNS, FOLDER, read_numbers
from convrepro.reporting import user_csv
from convrepro.reporting.compare import compare

FAST = settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PER_RUN = "table,dataset,model,conv,metric,seed,value\n" + "".join(
    f"dk_table5,fashion_mnist,cnn4,dk,test_error,{seed},{5 + seed / 8}\n" for seed in range(5)
)
PER_CELL = "table,dataset,model,conv,metric,n,mean,std,values\n" + "".join(
    f"dk_table5,fashion_mnist,{model},dk,test_error,2,5.5,0.7071067811865476,0:5.0 1:6.0\n"
    for model in ("cnn4", "resnet20")
)
PRINTED = "".join((FOLDER / "dk_cnn.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:12])
FIELDS = st.sampled_from(
    [
        "",
        "nan",
        "inf",
        "1e999",
        "-0",
        "9" * 400,
        "1" * 5000,
        "5,96",
        '"',
        '""',
        "'",
        "=1",
        "\x1b[2J",
        "\ud7ff",
        "\u202e",
    ]
) | st.text(max_size=6)


@st.composite
def texts(draw: st.DrawFn, original: str) -> bytes:
    """A file with other bytes in some places, or other fields."""
    if draw(st.booleans()):
        rows = [line.split(",") for line in original.split("\n")]
        for _ in range(draw(st.integers(1, 3))):
            row = draw(st.sampled_from(rows))
            row[draw(st.integers(0, len(row) - 1))] = draw(FIELDS)
        return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")
    content = original.encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        content = content[:start] + draw(st.binary(max_size=8)) + content[end:]
    return content


@FAST
@given(texts(PER_RUN) | texts(PER_CELL))
def test_a_users_results(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.csv"
    path.write_bytes(content)
    for read in (lambda: user_csv.read(path, ("table",)), lambda: compare(path)):
        try:
            read()
        except ValueError as error:
            _assert_is_one_line(error)


@FAST
@given(texts(PRINTED))
def test_printed_numbers(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "printed.csv"
    path.write_bytes(content)
    try:
        for entry in read_numbers(path, papers.load("dk_cnn").tables):
            assert entry.value == entry.value
    except ValueError as error:
        _assert_is_one_line(error)


def test_the_files_are_whole_before(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    for content, num_rows in ((PER_RUN, 1), (PER_CELL, 2)):
        path.write_text(content)
        assert len(compare(path).rows) == num_rows
    path.write_text(PRINTED)
    assert PRINTED.startswith(",".join(COLUMNS))
    assert len(list(read_numbers(path, papers.load("dk_cnn").tables))) == 11


def _assert_is_one_line(error: ValueError) -> None:
    line = one_line(error)
    assert 0 < len(line) <= 200
    assert line.isprintable()
