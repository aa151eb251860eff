"""R9: every single flipped bit of a record is found."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.records.invented import record

from convrepro.records import store
from convrepro.records.record import from_json, to_json

RECORDS_DIR = Path(__file__).parents[2] / "results" / "records"
Figure = Callable[[int, int], int]


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_flipped_bits_of_real_records_are_found_with_file_and_line(tmp_path: Path, figure: Figure) -> None:
    numbers = random.Random(0)
    paths = sorted(RECORDS_DIR.glob("*.json"))
    for _ in range(figure(300, 1000)):
        original = numbers.choice(paths)
        content = original.read_bytes()
        (tmp_path / original.name).write_bytes(_flipped(content, numbers.randrange(8 * len(content))))
        run_id, _, seed = original.stem.partition("-seed")
        with pytest.raises(ValueError, match=r"^.*\.json is not a record: line \d+: .*; delete it to run it again\.$"):
            store.read(tmp_path, run_id, int(seed))


def test_no_bit_of_a_record_can_be_flipped() -> None:
    """All of them, those of the checksum, of blanks and of line ends included."""
    content = to_json(record()).encode()
    found = 0
    for bit in range(8 * len(content)):
        with pytest.raises(ValueError, match=r"^line \d+: "):
            from_json(_flipped(content, bit))
        found += 1
    assert found == 8 * len(content) > 8000


@pytest.mark.parametrize("change", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.replace(b"\n", b"\r\n")])
def test_what_git_or_an_editor_may_add_changes_nothing(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    path = store.write(tmp_path, record())
    path.write_bytes(change(path.read_bytes()))
    assert store.read(tmp_path, record().run_id, 0) == record()
