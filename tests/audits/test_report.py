"""The lines of a report."""

from convrepro.audits.finding import CHECKS, Finding
from convrepro.audits.report import any_inconsistent, lines

FINDINGS = [
    Finding(table="t1", check="best", cell="a", word="consistent", arithmetic="1 + 1 is 2"),
    Finding(table="t1", check="best", cell="b", word="inconsistent", arithmetic="1 + 1 is 3"),
    Finding(table="t2", check="attainable", cell="c", word="cannot tell", arithmetic="nothing"),
]


def test_one_line_per_finding_by_table_and_the_counts_at_the_end() -> None:
    found = list(lines(FINDINGS))
    assert found[1:6] == [
        "t1",
        "  consistent    best        a: 1 + 1 is 2",
        "  inconsistent  best        b: 1 + 1 is 3",
        "",
        "t2",
    ]
    assert found[-1] == "3 findings: 1 consistent, 1 inconsistent, 1 cannot tell"


def test_each_kind_of_check_that_was_made_states_its_false_alarms() -> None:
    text = "\n".join(lines(FINDINGS))
    assert CHECKS["best"].false_alarms in text
    assert CHECKS["attainable"].power in text
    assert CHECKS["t"].question not in text


def test_inconsistent_or_not() -> None:
    assert any_inconsistent(FINDINGS)
    assert not any_inconsistent(FINDINGS[:1])
    assert list(lines([]))[-1] == "0 findings: 0 consistent, 0 inconsistent, 0 cannot tell"
