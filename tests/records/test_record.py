"""What one run leaves."""

import dataclasses
import json
import math

import pytest

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
    """Sorted keys, one line per field, a newline at the end."""
    lines = to_json(RECORD).splitlines()
    names = [json.loads("{" + line.rstrip(",") + "}").popitem()[0] for line in lines[1:-1]]
    assert names == sorted(field.name for field in dataclasses.fields(Record))


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[]", "a record is a JSON object"),
        ("{}", "schema version must be 1, got None"),
        (to_json(RECORD).replace('"seed": 3,\n', ""), "missing or unknown fields: seed"),
        (to_json(RECORD).replace('"seed"', '"sead"'), "missing or unknown fields: sead, seed"),
        (to_json(RECORD).replace("1.5", "NaN"), "NaN is not a number that a record may hold"),
        (to_json(RECORD).replace('"seed": 3', '"seed": true'), "`seed` must be int, got True"),
        (to_json(RECORD).replace('"seed": 3', '"seed": null'), "`seed` must be int, got None"),
        (to_json(RECORD).replace('{"wall_seconds": 1.5}', "null"), "`measured` must be dict, got None"),
        (to_json(RECORD).replace("1.5", '"long"'), "`measured` must hold numbers only"),
        (
            to_json(RECORD).replace('"test_accuracy": 94.04', '"test_accuracy": null'),
            "`selected.last` must hold numbers",
        ),
        (to_json(RECORD).replace('"done"', '"fine"'), "status must be one of done, diverged, got 'fine'"),
        (to_json(RECORD)[:-10], "Expecting value: line 18"),
    ],
)
def test_a_defective_record_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_json(text)
