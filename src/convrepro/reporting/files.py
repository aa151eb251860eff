"""A table's files: CSV, Markdown, LaTeX, HTML and, where there are differences or curves to see, a picture."""

from collections.abc import Sequence
from pathlib import Path

from convrepro import durable
from convrepro.records import Record
from convrepro.reporting import figure, filters, html, latex, long_form, markdown
from convrepro.tables import BuiltTable

_FORMATS = {"csv": long_form.render, "md": markdown.render, "tex": latex.render, "html": html.render}


def write_all(built: BuiltTable, tables_dir: Path, records: Sequence[Record] = ()) -> dict[str, Path]:
    """Writes ``<name>.csv``, ``.md``, ``.tex``, ``.html``, and ``.png`` if there is something to draw.

    The same rows and records give the same bytes.

    Args:
        built: the table.
        tables_dir: where its files go.
        records: that it was built from; of learned filters the picture shows their iterations.

    Returns:
        Ending -> path.

    Raises:
        ValueError: if the table's name is no file name.
        OSError: if a file cannot be written; it is then what it was.
    """
    if built.name in ("", ".", "..") or Path(built.name).name != built.name:
        raise ValueError(f"a table's name must be a file name, got {built.name!r}.")
    texts = {ending: render(built) for ending, render in _FORMATS.items()}
    paths = {ending: tables_dir / f"{built.name}.{ending}" for ending in texts}
    for ending, path in paths.items():
        durable.write(path, texts[ending])
    if learned := [record for record in records if record.config.get("protocol", {}).get("task") == "filters"]:
        paths["png"] = filters.write(learned, tables_dir / f"{built.name}.png")
    elif figure.is_drawable(built):
        paths["png"] = figure.write(built, tables_dir / f"{built.name}.png")
    return paths
