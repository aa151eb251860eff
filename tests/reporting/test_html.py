import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

from convrepro.reporting import html
from convrepro.tables import BuiltTable


class Outline(HTMLParser):
    """Tags and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_every_row_has_a_forest_plot(built: BuiltTable) -> None:
    outline = Outline(html.render(built))
    assert outline.tags.count("svg") == 3
    assert outline.tags.count("tr") == 4


def test_the_page_needs_nothing_else(built: BuiltTable) -> None:
    outline = Outline(html.render(built))
    assert not {"script", "link", "img", "iframe"} & set(outline.tags)
    assert not [value for name, value in outline.attributes if name in ("src", "href")]


def test_words_have_their_colours_and_reasons(built: BuiltTable) -> None:
    page = html.render(built)
    assert 'class="word good" title="90 % interval [-0.0737, +0.0737] within the margin 0.3">reproduced<' in page
    assert 'class="word bad"' in page
    assert 'class="word open" title="n=4/5">incomplete<' in page


def test_forest_plots_are_well_formed(built: BuiltTable) -> None:
    page = html.render(built)
    svg = page[page.index("<svg") : page.index("</svg>") + len("</svg>")]
    marks = ElementTree.fromstring(svg)
    assert [mark.tag for mark in marks] == ["rect", "line", "line", "line", "circle"]
    assert marks[1].attrib["x1"] == "110.00"  # zero is in the middle


def test_a_table_without_printed_numbers_has_no_forest_plot(hostile: BuiltTable) -> None:
    assert "svg" not in Outline(html.render(hostile)).tags


def test_hostile_texts_are_texts(hostile: BuiltTable) -> None:
    page = html.render(hostile)
    assert "script" not in Outline(page).tags
    assert "&lt;script&gt;" in page
    assert "\x1b" not in page


def test_claims_and_notes_stand_below(built: BuiltTable) -> None:
    texts = Outline(html.render(built)).texts
    assert "contradicted" in texts
    assert "300 epochs; the paper prints none." in texts


def test_compared_operators_have_a_table_of_their_own(compared: BuiltTable) -> None:
    page = html.render(compared)
    assert "<h2>Two operators, compared as in the paper</h2>" in page
    assert '<td class="label">aconv - standard</td>' in page
    assert page.count("<table>") == page.count("</table>") == 2


def test_the_reach_of_an_axis_is_said_if_all_rows_share_it(built: BuiltTable) -> None:
    assert "ours minus paper, -1.2 to +1.2" in html.render(built)
    rows = (replace(built.rows[0], metric="test_top5_error"), *built.rows[1:])
    assert "ours minus paper, each metric on its own axis" in html.render(replace(built, rows=rows))
