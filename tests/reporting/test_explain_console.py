import io

import pytest
from rich.console import Console

from convrepro.reporting.explain_console import show_explanation
from convrepro.reporting.explanation import Explanation, Section


def printed(*sections: Section, width: int = 80, colour: bool = False, **changes: str) -> str:
    """What a page of that width shows."""
    fields = {"heading": "a table", "source": "a paper", "cell": "model=cnn4", **changes}
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=colour, color_system="standard" if colour else None)
    show_explanation(Explanation(**fields, sections=sections), console)
    return file.getvalue()


WIDE = Section(
    title="Seeds",
    columns=("seed", "best on validation", "best on test", "images/s"),
    rows=(("0", "13.58 (epoch 200)", "13.58 (epoch 180)", "1,618"),),
)
LONG = Section(
    title="Images",
    rows=(("file", "FashionMNIST/raw/train-images-idx3-ubyte " * 4), ("order of the latent positions", "short")),
    sentences=("a sentence that is long " * 10,),
)


@pytest.mark.parametrize("width", [40, 60, 80, 140])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    assert max(map(len, printed(WIDE, LONG, width=width).splitlines())) <= width


def test_a_wide_page_shows_every_column() -> None:
    text = printed(WIDE, width=100)
    assert "1,618" in text
    assert "not shown" not in text


def test_a_narrow_page_says_what_it_leaves_out() -> None:
    text = printed(WIDE, width=56)
    assert "1,618" not in text
    assert "not shown at this width: images/s" in text


def test_numbers_are_never_broken() -> None:
    for width in range(56, 100):
        assert "13.58 (epoch 200)" in printed(WIDE, width=width)


def test_a_verdict_is_coloured() -> None:
    verdict = Section(title="Verdict", rows=(("differs", "because"),), word="differs")
    assert "\x1b[1;31mdiffers" in printed(verdict, colour=True)


def test_hostile_texts_do_not_drive_the_terminal() -> None:
    hostile = "\x1b[31m[bold]x[/bold]"
    text = printed(
        Section(title=hostile, rows=((hostile, hostile),), sentences=(hostile,)),
        Section(title="", columns=(hostile,), rows=((hostile,),)),
        heading=hostile,
        source=hostile,
        cell=hostile,
        width=140,
    )
    assert "\x1b" not in text
    assert text.count(r"\x1b[31m[bold]x[/bold]") == 9
