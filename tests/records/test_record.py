"""What one run leaves."""

import dataclasses
import hashlib
import json
import math

import pytest
from tests.records.invented import sealed

from convrepro.records.record import Record, from_json, to_json

RECORD = Record(
    run_id="0123456789abcdef",
    seed=3,
    status="done",
    config={"conv": {"_target_": "torch.nn.Conv2d"}},
    names={"conv": "standard"},
    official_data=True,
    scaled=False,
    num_parameters=143_050,
    num_macs=38_000_000,
    num_operator_layers=0,
    splits={"train": {"num_images": 55_000, "sha256": "ab"}},
    epochs={"test_accuracy": [90.0, None, 94.04]},
    selected={"last": {"epoch": 3, "test_accuracy": 94.04}},
    measured={"wall_seconds": 1.5},
    environment={"device": "cpu"},
)


def test_a_record_survives_its_file() -> None:
    assert from_json(to_json(RECORD)) == RECORD


def test_the_text_is_canonical() -> None:
    """Sorted keys, one line per field, one more with a checksum, a newline at the end."""
    lines = to_json(RECORD).splitlines()
    names = [json.loads("{" + line.rstrip(",") + "}").popitem()[0] for line in lines[1:-1]]
    assert names == sorted([*(field.name for field in dataclasses.fields(Record)), "sha256"])


def test_the_checksum_is_that_of_the_other_lines() -> None:
    lines = to_json(RECORD).splitlines(keepends=True)
    (line,) = (line for line in lines if line.startswith('"sha256"'))
    others = "".join(other for other in lines if other is not line)
    assert line == f'"sha256": "{hashlib.sha256(others.encode()).hexdigest()}",\n'


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + to_json(RECORD),
        to_json(RECORD).replace("\n", "\r\n"),
        ("\ufeff" + to_json(RECORD)).replace("\n", "\r\n").encode(),
        to_json(RECORD).encode(),
    ],
)
def test_what_a_checkout_may_add_is_no_part_of_a_record(text: str | bytes) -> None:
    assert from_json(text) == RECORD


def test_error_is_a_hundred_minus_accuracy() -> None:
    assert RECORD.metric("test_accuracy", "last") == 94.04
    assert RECORD.metric("test_error", "last") == pytest.approx(5.96)


def test_counts_do_not_depend_on_the_rule() -> None:
    assert RECORD.metric("num_parameters", "best_on_test") == 143_050.0


@pytest.mark.parametrize(("metric", "rule"), [("top5_error", "last"), ("test_error", "best_on_validation")])
def test_an_unknown_metric_is_an_error(metric: str, rule: str) -> None:
    with pytest.raises(ValueError, match="record 0123456789abcdef of seed 3 has no"):
        RECORD.metric(metric, rule)


def test_nan_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(dataclasses.replace(RECORD, measured={"wall_seconds": math.nan}))


TEXT = to_json(RECORD)


def test_a_text_with_a_checksum_that_fits_is_a_record() -> None:
    assert sealed(TEXT) == TEXT
    assert from_json(sealed(TEXT.replace('"seed": 3', '"seed": 4'))) == dataclasses.replace(RECORD, seed=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: a record begins with a line `{`"),
        ("[]", "line 1: a record begins with a line `{`"),
        ("{}", "line 1: a record begins with a line `{`"),
        ("{\n}\n", "line 1: schema version must be 2, got None"),
        (TEXT.replace('"schema_version": 2', '"schema_version": 1'), "line 14: schema version must be 2, got 1"),
        (TEXT.replace('"seed": 3,\n', ""), "line 19: missing fields: seed"),
        (TEXT.replace('"seed"', '"sead"'), "line 15: unknown field 'sead'"),
        (TEXT.replace('"seed"', '"\\u001b"'), r"line 15: unknown field '\\x1b'"),
        (TEXT.replace("1.5", "NaN"), "line 5: NaN is not a number that a record may hold"),
        (TEXT.replace("1.5", "1e999"), "line 5: 1e999 is not a number that a record may hold"),
        (TEXT.replace("1.5", "9" * 5000), "line 5: a whole number must have at most 19 digits"),
        (TEXT.replace("1.5", "[" * 100_000), "line 5: it is nested too deeply"),
        (sealed(TEXT.replace('"seed": 3', '"seed": true')), "line 15: `seed` must be int, got True"),
        (sealed(TEXT.replace('"seed": 3', '"seed": null')), "line 15: `seed` must be int, got None"),
        (sealed(TEXT.replace('{"wall_seconds": 1.5}', "null")), "line 5: `measured` must be dict, got None"),
        (sealed(TEXT.replace("1.5", '"long"')), "line 5: `measured` must hold numbers only"),
        (sealed(TEXT.replace('"last": {', '"last": 3, "x": {')), "line 16: `selected` must hold numbers only"),
        (sealed(TEXT.replace('racy": 94.04', 'racy": null')), "line 16: `selected` must hold numbers only"),
        (sealed(TEXT.replace("null, 94.04", "null, true")), "line 4: `epochs` must hold lists of numbers"),
        (sealed(TEXT.replace("[90.0, null, 94.04]", "90.0")), "line 4: `epochs` must hold lists of numbers"),
        (sealed(TEXT.replace('{"num_images": 55000, "sha256": "ab"}', "3")), "line 18: `splits` must hold dicts"),
        (sealed(TEXT.replace('{"conv": "standard"}', '{"conv": 3}')), "line 6: `names` must hold texts only"),
        (sealed(TEXT.replace('"done"', '"fine"')), "line 19: `status` must be one of done, diverged, got 'fine'"),
        (TEXT.replace("94.04", "94.05"), "line 17: `sha256` is not that of the other lines"),
        (TEXT.replace('"sha256": "', '"sha256": "0'), "line 17: `sha256` is not that of the other lines"),
        (TEXT.replace('"seed": 3', '"seed":  3'), "line 15: it is not spelled as records are written"),
        (TEXT.replace("1.5", "1.50"), "line 5: it is not spelled as records are written"),
        (TEXT.replace('"seed": 3', '"seed": 3, "seed": 3'), "line 15: it is not spelled as records are written"),
        (TEXT.replace('"seed": 3,', ""), "line 15: it is not spelled as records are written"),
        (TEXT.replace('"seed": 3,', '"seed": 3'), "line 15: it is not spelled as records are written"),
        (TEXT.replace('"seed": 3,', '"seed": 3,\n"seed": 3,'), "line 16: the field 'seed' stands twice"),
        (TEXT.removesuffix("\n"), "line 21: it is not spelled as records are written"),
        (TEXT + "\n", "line 22: it is not spelled as records are written"),
        (TEXT.replace("\n", "\r"), "line 1: a record begins with a line `{`"),
        (TEXT[:-10], "line 19: Expecting value"),
        (TEXT.removesuffix("}\n"), "line 20: the text is cut: a line"),
        (TEXT.encode().replace(b"cpu", b"c\xffu"), "line 3: the file must be UTF-8, got the byte 0xff"),
    ],
)
def test_a_defective_record_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        from_json(text)
    assert len(str(caught.value)) < 150
    assert str(caught.value).isprintable()
