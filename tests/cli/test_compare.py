"""``convrepro compare``."""

from pathlib import Path

from tests.cli.conftest import SERIAL, Command


def test_a_users_numbers_beside_the_printed_ones(convrepro: Command) -> None:
    Path("mine.csv").write_text(
        "table,dataset,model,conv,metric,mean,std,n\n"
        "dk_table5,fashion_mnist,cnn4,dk,test_error,5.86,0.10,5\n"
        "dk_table5,fashion_mnist,cnn4,standard,test_error,9.00,0.10,5\n"
    )
    code, out, _ = convrepro("compare", "mine.csv")
    assert code == 0
    assert "reproduced" in out
    assert "differs" in out


def test_a_projects_own_table_comes_back(convrepro: Command) -> None:
    convrepro("run", "dk_table6", *SERIAL)
    code, out, _ = convrepro("compare", "results/tables/dk_table6.csv")
    assert code == 0
    assert out.count("reproduced") >= 15


def test_a_defect_is_named_with_its_line(convrepro: Command) -> None:
    Path("mine.csv").write_text(
        "table,dataset,model,conv,metric,value\ndk_table5,fashion_mnist,cnn4,dk,test_error,NaN\n"
    )
    code, out, err = convrepro("compare", "mine.csv")
    assert (code, out) == (2, "")
    assert "mine.csv" in err
    assert "2" in err
