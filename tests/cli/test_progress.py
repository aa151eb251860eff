"""Progress lines and times."""

import time

import pytest

from convrepro.cli.progress import TableProgress, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "?"), (0.2, "0 s"), (99.4, "99 s"), (100, "2 min"), (5999, "100 min"), (6000, "1.7 h"), (86_400, "24.0 h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_the_time_left_follows_from_the_share_of_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After 10 s a run of a quarter of the work is done, and half of the rest: 62.5 %, so 6 s are left.

    The 5 s before the first run began do not count.
    """
    clock = iter([0.0, 5.0] + [15.0] * 20)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with TableProgress("t", {("a", 0): 1.0, ("b", 0): 3.0}) as progress:
        progress.advance(("b", 0), "b", 0.0)
        progress.advance(("b", 0), "b", 0.5)
        progress.end(("a", 0), "a is done")
        progress.end(("b", 0), "b is done")
    assert capsys.readouterr().err.splitlines() == ["[1/2] a is done, about 6 s left", "[2/2] b is done"]


def test_word_of_a_run_that_has_ended_is_late_and_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    with TableProgress("t", {("a", 0): 1.0, ("b", 0): 1.0}) as progress:
        progress.end(("a", 0), "a is done")
        progress.advance(("a", 0), "a", 0.1)
        progress.end(("b", 0), "b is done")
    assert capsys.readouterr().err.endswith("[2/2] b is done\n")


def test_square_brackets_in_a_line_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    with TableProgress("t", {("a", 0): 1.0}) as progress:
        progress.end(("a", 0), "failed, ValueError: [bold]x[/bold]")
    assert "[bold]x[/bold]" in capsys.readouterr().err
