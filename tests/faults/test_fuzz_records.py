"""Whatever stands in a record's file, it is a record or one line that says why not."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.faults.invented_tables import table
from tests.records.invented import record, sealed

from convrepro.cli.errors import one_line
from convrepro.records import merging, store
from convrepro.records.record import Record, to_json
from convrepro.tables import build

TEXT = to_json(record())
NAME = store.path_of(Path(), record().run_id, 0).name
FAST = settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([1e308, -1e308, 5e-324, 10**18, 10**400, "a" * 3000, "\x1b[2J", "\ud800", 0, -1, 2, "done"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A record's text, some stretches of which were replaced."""
    content = TEXT.encode()
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        content = content[:start] + draw(st.binary(max_size=12)) + content[end:]
    return content


@st.composite
def structures(draw: st.DrawFn) -> str:
    """A record's text with other values in it, spelled as records are and with a checksum that fits."""
    content = json.loads(TEXT)
    for _ in range(draw(st.integers(1, 3))):
        node, key = content, draw(st.sampled_from(sorted(content)))
        while isinstance(node[key], dict) and node[key] and draw(st.booleans()):
            node, key = node[key], draw(st.sampled_from(sorted(node[key])))
        node[key] = draw(VALUES)
    lines = (f'"{key}": {json.dumps(value, sort_keys=True)}' for key, value in sorted(content.items()))
    return sealed("{\n" + ",\n".join(lines) + "\n}\n")


@FAST
@given(texts())
def test_bytes(tmp_path: Path, content: bytes) -> None:
    found = _read(tmp_path, content)
    assert found in (None, record())


@FAST
@given(structures())
def test_structure(tmp_path: Path, text: str) -> None:
    """A record of odd values, too, must not stop a table."""
    found = _read(tmp_path, text.encode())
    if found is not None:
        whole = table((str(int(record().run_id, 16)),), 2)
        build(whole, [found, record(seed=1)], None)


def _read(folder: Path, content: bytes) -> Record | None:
    """The record, from the store; None if it was refused, there and on its way into the store."""
    (folder / NAME).write_bytes(content)
    try:
        merging.checked(content, NAME, run_id_of=lambda config: record().run_id)  # whatever it was changed to
    except ValueError as error:
        _assert_is_one_line(error)
    try:
        return store.read(folder, record().run_id, 0)
    except ValueError as error:
        _assert_is_one_line(error)
        return None


def _assert_is_one_line(error: ValueError) -> None:
    assert str(error).isprintable()
    line = one_line(error)
    assert 0 < len(line) <= 200
    assert "\n" not in line
