import re
import shutil
import subprocess
from pathlib import Path

import pytest

from convrepro.reporting import latex
from convrepro.tables import BuiltTable

GOLDEN = Path(__file__).parent / "golden" / "small.tex"


def test_golden(built: BuiltTable) -> None:
    assert latex.render(built) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("dk_first", r"dk\_first"),
        ("5 % of $10 & #1", r"5 \% of \$10 \& \#1"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a~b^c", r"a\textasciitilde{}b\textasciicircum{}c"),
        ("[a]", "{[}a{]}"),  # after a line break, [ would begin its length
        ("*", "{*}"),  # and so would *
        ("-0.12", "$-$0.12"),
        ("95-108", "95-108"),
        ("5 ± 1", r"5 $\pm$ 1"),
        ("Müller", "Müller"),
        ("日", r"\texttt{U+65E5}"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    assert latex.escape(text) == escaped


@pytest.mark.parametrize("fixture", ["built", "hostile"])
def test_structure(fixture: str, request: pytest.FixtureRequest) -> None:
    built: BuiltTable = request.getfixturevalue(fixture)
    text = latex.render(built)
    blocks = re.findall(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}(.*?)\\end\{tabular\}", text, flags=re.DOTALL)
    assert blocks
    for alignment, body in blocks:
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) == len(built.rows) + 1
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(alignment) - 1}
    unescaped = re.sub(r"\\[{}]", "", text)
    assert unescaped.count("{") == unescaped.count("}")
    assert text.count("$") % 2 == text.count(r"\$") % 2
    assert text.isprintable() or set(filter(lambda c: not c.isprintable(), text)) == {"\n"}


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("fixture", ["built", "hostile"])
def test_compiles(fixture: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    table = latex.render(request.getfixturevalue(fixture))
    document = f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{table}\\end{{document}}\n"
    (tmp_path / "table.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_compared_operators_are_a_block_of_their_own(compared: BuiltTable) -> None:
    text = latex.render(compared)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 3
    assert "aconv - standard & 9x9 & 9x9 & 4.56 & 2.88" in text
