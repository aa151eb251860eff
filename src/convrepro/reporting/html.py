"""One HTML file that needs nothing else: table, forest plot of the differences, claims, notes."""

from pathlib import Path

from convrepro.reporting import comparison_columns, forest
from convrepro.reporting.presentation import TONES, present
from convrepro.tables import BuiltTable

_TEMPLATE = Path(__file__).with_name("table.html.jinja")


def render(built: BuiltTable) -> str:
    """The table as an HTML page; every text is escaped."""
    import jinja2  # here, because no other format needs it

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["pixels"] = lambda place: f"{WIDTH * place:.2f}"
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    shown = present(built)
    marks = forest.marks(built.rows)
    rows = zip(*(column.texts for column in shown.columns), strict=True)
    return (
        template.render(
            shown=shown,
            tones=TONES,
            width=WIDTH,
            has_forest=any(marks),
            forest_title=_forest_title(built),
            comparison_title=comparison_columns.TITLE,
            comparisons=list(zip(*(column.texts for column in shown.comparisons), strict=True)),
            rows=list(zip(rows, shown.words, shown.reasons, marks, strict=True)),
        )
        + "\n"
    )


def _forest_title(built: BuiltTable) -> str:
    """Says how far the axis reaches, if all rows have the same."""
    reaches = {forest.reach(built.rows, row.metric) for row in built.rows if row.difference}
    ends = f", -{max(reaches):.2g} to +{max(reaches):.2g}" if len(reaches) == 1 else ", each metric on its own axis"
    return f"ours minus paper{ends}"


WIDTH = 220  # of the forest plot, in pixels
