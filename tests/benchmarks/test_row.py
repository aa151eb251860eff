import pytest

from convrepro.benchmarks import Goal, Row


@pytest.mark.parametrize(
    ("goal", "values", "word"),
    [
        (Goal(most=1.0), [0.8, 0.9, 1.1], "met"),
        (Goal(most=1.0), [0.9, 1.1, 1.2], "undecided"),
        (Goal(most=1.0), [1.1, 1.2, 1.3], "MISSED"),
        (Goal(least=1.5), [1.4, 1.5, 1.6], "met"),
        (Goal(least=1.5), [1.3, 1.4, 1.6], "undecided"),
        (Goal(least=1.5), [1.2, 1.3, 1.4], "MISSED"),
        (None, [1.0, 2.0, 3.0], ""),
    ],
)
def test_a_goal_is_met_by_the_median_and_missed_by_the_better_quartile(
    goal: Goal | None, values: list[float], word: str
) -> None:
    """Of three values the quartiles are the outer ones."""
    assert Row(what="", unit="x", values=values, goal=goal).verdict == word


def test_a_row_as_json_has_everything() -> None:
    row = Row(what="speed", unit="x", values=[3.0, 1.0, 2.0], goal=Goal(least=1.5), samples={"ours": [1.0, 3.0, 1.5]})
    assert row.as_dict() == {
        "what": "speed",
        "unit": "x",
        "median": 2.0,
        "low_quartile": 1.0,
        "high_quartile": 3.0,
        "goal": {"least": 1.5, "most": None},
        "verdict": "met",
        "detail": "",
        "values": [3.0, 1.0, 2.0],
        "samples": {"ours": [1.0, 3.0, 1.5]},
    }
