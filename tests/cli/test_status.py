"""``convrepro status``."""

from tests.cli.conftest import Command


def test_every_table_has_a_line_even_before_anything_ran(convrepro: Command) -> None:
    code, out, _ = convrepro("status")
    assert code == 0
    assert "tiny        0 of 4 done, 4 missing" in out
    assert "dk_table5   0 of 75 done, 75 missing" in out


def test_written_tables_are_there_under_their_marks(convrepro: Command) -> None:
    convrepro(
        "run", "tiny", "--images", "0.2", "--only", "conv=standard", "--machine", "threads=1", "--launcher", "serial"
    )
    _, out, _ = convrepro("status")
    line = next(line for line in out.splitlines() if line.startswith("tiny.images0.2"))
    assert line.endswith("2 of 4 done, 2 missing")
    _, out, _ = convrepro("status", "tiny.images0.2")
    assert [line.split("  ", 1)[1] for line in out.splitlines()] == [
        "digits cnn4 standard  2 of 2 done",
        "digits cnn4 dk        0 of 2 done, 2 missing",
    ]
