from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convrepro.reporting import compare, long_form
from convrepro.statistics import Summary
from convrepro.tables import BuiltTable

HEADER = "table,dataset,model,conv,metric"
CELL = "dk_table5,fashion_mnist,cnn4,dk,test_error"  # printed as 5.86 +- 0.13


def write(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_one_line_per_run(tmp_path: Path) -> None:
    lines = [f"{CELL},{value},{seed}" for seed, value in enumerate((5.8, 5.9, 6.0))]
    built = compare(write(tmp_path, f"{HEADER},value,seed", *lines))
    (row,) = built.rows
    assert row.ours is not None
    assert row.ours.n == 3
    assert row.ours.mean == pytest.approx(5.9)
    assert row.ours.std == pytest.approx(0.1)
    assert row.difference is not None
    assert row.difference.estimate == pytest.approx(0.04)


def test_one_line_per_cell(tmp_path: Path) -> None:
    (row,) = compare(write(tmp_path, f"{HEADER},mean,std,n", f"{CELL},5.9,0.1,5")).rows
    assert row.ours == Summary(n=5, mean=5.9, std=0.1)
    assert row.verdict.word == "reproduced"
    assert row.margin == 0.3  # of configs/table/dk_table5.yaml


def test_rows_keep_their_order_and_tables(tmp_path: Path) -> None:
    lines = ["dk_table7,cifar10,cnn4,dk,test_error,11.3,0.2,5", f"{CELL},5.9,0.1,5"]
    built = compare(write(tmp_path, f"{HEADER},mean,std,n", *lines))
    assert [row.table for row in built.rows] == ["dk_table7", "dk_table5"]
    assert built.source == "Liu et al., Neurocomputing 422 (2021) 95-108"


def test_one_run_never_passes(tmp_path: Path) -> None:
    (row,) = compare(write(tmp_path, f"{HEADER},value", f"{CELL},5.86")).rows
    assert row.verdict.word == "incomplete"


def test_counts(tmp_path: Path) -> None:
    lines = [
        "dk_table6,fashion_mnist,cnn4,standard,num_parameters,143050",
        "dk_table9,cifar10,cnn4,standard,num_parameters,153802",
    ]
    counted, misprint = compare(write(tmp_path, f"{HEADER},value", *lines)).rows
    assert counted.verdict.word == "reproduced"
    assert misprint.verdict.word == "misprint"


def test_axes_are_columns_too(tmp_path: Path) -> None:
    header = f"{HEADER},conv.points,conv.pieces,mean,std,n"
    cell = "dk_figure5,cifar100,resnet32,dk_first,test_error"
    printed, other = compare(write(tmp_path, header, f"{cell},3,2,28.2,0.2,5", f"{cell},8,2,28.2,0.2,5")).rows
    assert printed.verdict.word == "reproduced"
    assert other.verdict.word == "no printed value"


@pytest.mark.parametrize(
    ("columns", "values", "reason"),
    [
        ("scaled", "true", "scaled: fewer"),
        ("official_data", "false", "fashion_mnist is not the official"),
        ("selection", "best_on_test", "our epoch is chosen by best_on_test, the paper's by best_on_validation"),
    ],
)
def test_what_a_file_admits_makes_it_not_comparable(tmp_path: Path, columns: str, values: str, reason: str) -> None:
    (row,) = compare(write(tmp_path, f"{HEADER},mean,std,n,{columns}", f"{CELL},5.86,0.1,5,{values}")).rows
    assert row.verdict.word == "not comparable"
    assert row.verdict.reason.startswith(reason)


def test_the_marks_of_a_tables_name_tell_as_much(tmp_path: Path) -> None:
    marked = CELL.replace("dk_table5", "dk_table5.scale0.02")
    (row,) = compare(write(tmp_path, f"{HEADER},mean,std,n", f"{marked},5.86,0.1,5")).rows
    assert row.verdict.word == "not comparable"


def test_our_own_tables_can_be_read_back(built: BuiltTable, tmp_path: Path) -> None:
    path = tmp_path / "dk_table5.csv"
    path.write_text(long_form.render(built), encoding="utf-8")
    again = compare(path)
    assert [row.verdict for row in again.rows] == [row.verdict for row in built.rows]
    assert [row.difference for row in again.rows] == [row.difference for row in built.rows]


def test_a_table_of_ours_that_stands_in_no_paper_can_be_read_back(
    make: Callable[..., BuiltTable], tmp_path: Path
) -> None:
    path = tmp_path / "quickstart.csv"
    path.write_text(long_form.render(make(name="quickstart", config="quickstart", paper="")), encoding="utf-8")
    assert {row.verdict.word for row in compare(path).rows} == {"no printed value", "incomplete"}


def test_a_cell_without_runs_can_be_read_back(make: Callable[..., BuiltTable], tmp_path: Path) -> None:
    path = tmp_path / "dk_table5.csv"
    path.write_text(long_form.render(make({("cnn4", "dk"): ()})), encoding="utf-8")
    (row,) = compare(path).rows
    assert row.verdict.reason == "n=0/5"


SUMMARY, RUN = f"{HEADER},mean,std,n", f"{HEADER},value,seed"


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        (
            SUMMARY,
            CELL.replace("dk_table5", "dk_tabel5") + ",5,0.1,5",
            "unknown table 'dk_tabel5'; did you mean 'dk_table5'",
        ),
        (
            SUMMARY,
            CELL.replace("fashion_mnist", "fashionmnist") + ",5,0.1,5",
            "unknown dataset 'fashionmnist'; did you mean",
        ),
        (SUMMARY, CELL.replace("cnn4", "cnn5") + ",5,0.1,5", "unknown model 'cnn5'; did you mean 'cnn4'"),
        (SUMMARY, CELL.replace(",dk,", ",dk_frist,") + ",5,0.1,5", "unknown conv 'dk_frist'; did you mean 'dk_first'"),
        (
            SUMMARY,
            CELL.replace("error", "eror") + ",5,0.1,5",
            "unknown metric of dk_table5 'test_eror'; did you mean 'test_error'",
        ),
        (SUMMARY, CELL + ",,0.1,5", "`mean` must be a number, got ''"),
        (SUMMARY, CELL + ",five,0.1,5", "`mean` must be a number, got 'five'"),
        (SUMMARY, CELL + ",nan,0.1,5", "`mean` must be a number, got 'nan'"),
        (SUMMARY, CELL + ",5.9,-0.1,5", r"`std` must lie in \[0, 100\], got -0.1"),
        (SUMMARY, CELL + ",5.9,,5", "`std` must be a number, got ''"),
        (SUMMARY, CELL + ",5.9,0.1,1", "`std` must be empty where `n` is 1"),
        (SUMMARY, CELL + ",5.9,,0", "`mean` must be empty where `n` is 0"),
        (SUMMARY, CELL + ",5.9,0.1,2.5", "`n` must be a whole number, got '2.5'"),
        (SUMMARY, CELL + ",105.9,0.1,5", r"`mean` must lie in \[0, 100\], got 105.9"),
        (SUMMARY, CELL + ",5.9,0.1", "8 fields must stand here"),
        (SUMMARY, CELL.replace("cnn4", "") + ",5.9,0.1,5", "`model` must not be empty"),
        (RUN, CELL + ",5.9,x", "`seed` must be a whole number, got 'x'"),
        (f"{SUMMARY},selection", CELL + ",5.9,0.1,5,best", "unknown selection 'best'"),
        (f"{SUMMARY},scaled", CELL + ",5.9,0.1,5,perhaps", "`scaled` must be true or false"),
    ],
)
def test_a_defect_is_one_line_with_file_and_line(tmp_path: Path, header: str, line: str, message: str) -> None:
    path = write(tmp_path, header, line)
    with pytest.raises(ValueError, match=message) as caught:
        compare(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "lines", "message"),
    [
        (RUN, [f"{CELL},5.9,1", f"{CELL},5.8,1"], ":3: seed 1 of this cell stands already in line 2"),
        (SUMMARY, [f"{CELL},5.9,0.1,5"] * 2, ":3: this cell stands already in line 2"),
        (f"{RUN},scaled", [f"{CELL},5.9,1,true", f"{CELL},5.8,2,false"], ":3: `scaled` must be what it is in line 2"),
        (HEADER, [CELL], ":1: the columns must be either `value` or `mean, std, n`"),
        (f"{SUMMARY},value", [f"{CELL},5.9,0.1,5,5.9"], ":1: the columns must be either .* got both"),
    ],
)
def test_lines_that_contradict_each_other(tmp_path: Path, header: str, lines: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compare(write(tmp_path, header, *lines))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(position=st.integers(0, 1000), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_table_of_ours_is_refused_or_has_the_same_means(
    position: int, byte: int, cut: bool, built: BuiltTable, tmp_path: Path
) -> None:
    """One byte changed, or the rest cut off: the runs that stand beside a mean give it away."""
    content = bytearray(long_form.render(built).encode())
    position = min(position, len(content) - 1)
    if cut:
        del content[position:]
    else:
        content[position] = byte
    path = tmp_path / "damaged.csv"
    path.write_bytes(content)
    known = {row.ours for row in built.rows}
    message = ""
    try:
        assert {row.ours for row in compare(path).rows} <= known
    except ValueError as error:
        message = str(error)
    assert not message or (message.startswith(f"{path}:") and "\n" not in message)


def test_a_mean_that_is_not_that_of_its_runs(built: BuiltTable, tmp_path: Path) -> None:
    path = tmp_path / "dk_table5.csv"
    path.write_text(long_form.render(built).replace("0:6.5 ", "0:6.4 "), encoding="utf-8")
    with pytest.raises(ValueError, match=r":3: `mean`, `std` and `n` must be those of `values`"):
        compare(path)


def test_a_table_of_ours_with_compared_cells_reads_back(compared: BuiltTable, tmp_path: Path) -> None:
    """Lines of two cells are passed over."""
    path = tmp_path / "aconv_table2.csv"
    path.write_text(long_form.render(compared))
    again = compare(path)
    assert [row.ours for row in again.rows] == [row.ours for row in compared.rows]
    assert [row.verdict.word for row in again.rows] == [row.verdict.word for row in compared.rows]


def test_a_file_of_compared_cells_only(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mine.csv has no line with a number of one cell"):
        compare(write(tmp_path, f"{HEADER},than,mean,std,n", f"{CELL},standard,2.9,,"))


def test_several_metrics_of_a_table(tmp_path: Path) -> None:
    cell = "acl_table3,flowers102,resnet34_fastai,acl,M96P96"
    lines = [f"{cell},accuracy_loss,-1.5,0.2,3", f"{cell},compact_factor,0.5,0,3"]
    loss, factor = compare(write(tmp_path, "table,dataset,model,conv,conv.arrangement,metric,mean,std,n", *lines)).rows
    assert (loss.verdict.word, factor.verdict.word) == ("differs", "reproduced")


def test_a_data_set_in_the_place_of_one_of_several(tmp_path: Path) -> None:
    """The mark of the table's name says which."""
    cell = "aconv_table2.lfw-lfw_pack,lfw_pack,simple_cnn,aconv,9,test_accuracy"
    (row,) = compare(
        write(tmp_path, "table,dataset,model,conv,model.kernel_size,metric,mean,std,n", f"{cell},85.0,0.5,5")
    ).rows
    assert row.printed is not None
    assert row.printed.printed == "85.79"
    assert row.verdict.reason.startswith("data set lfw_pack in place of lfw")


def test_margin_of_the_data_set(tmp_path: Path) -> None:
    """configs/table/aconv_table2.yaml: twice the larger printed spread of each, 0.02 on MNIST and 0.5 on CIFAR-10."""
    lines = [f"aconv_table2,{dataset},simple_cnn,aconv,test_accuracy,9,90,0.1,5" for dataset in ("mnist", "cifar10")]
    rows = compare(write(tmp_path, f"{HEADER},model.kernel_size,mean,std,n", *lines)).rows
    assert [row.margin for row in rows] == [0.04, 1.0]


def test_margin_of_a_cell_that_no_block_has_is_the_tables(tmp_path: Path) -> None:
    (row,) = compare(
        write(tmp_path, f"{HEADER},mean,std,n", "aconv_table2,mnist,lenet,aconv,test_accuracy,90,0.1,5")
    ).rows
    assert row.margin == 0.3
