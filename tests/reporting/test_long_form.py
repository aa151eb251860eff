import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from convrepro.reporting import long_form
from convrepro.tables import BuiltTable

GOLDEN = Path(__file__).parent / "golden" / "small.csv"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_golden(built: BuiltTable) -> None:
    assert long_form.render(built) == GOLDEN.read_text(encoding="utf-8")


def test_numbers_are_written_in_full(built: BuiltTable) -> None:
    for row, line in zip(built.rows, rows(long_form.render(built)), strict=True):
        assert row.ours is not None
        assert row.difference is not None
        assert float(line["mean"]) == row.ours.mean
        assert float(line["difference"]) == row.difference.estimate
        assert (float(line["difference_low"]), float(line["difference_high"])) == row.difference.interval()


def test_what_a_count_has_more_than_the_baselines_has_no_interval(make: Callable[..., BuiltTable]) -> None:
    runs = {("cnn4", "standard"): (5.0,), ("cnn4", "dk"): (5.0,)}
    built = make(runs, config="dk_table6", name="dk_table6", metric="num_parameters", num_seeds=1)
    baseline, dk = rows(long_form.render(built))
    assert baseline["against_baseline"] == ""
    assert float(dk["against_baseline"]) == 0.0
    assert dk["against_baseline_low"] == dk["against_baseline_p"] == ""


def test_every_seed_can_be_read_back(built: BuiltTable) -> None:
    values = dict(pair.split(":") for pair in rows(long_form.render(built))[2]["values"].split())
    assert {int(seed): float(value) for seed, value in values.items()} == built.rows[2].values


def test_the_printed_number_is_a_text(built: BuiltTable) -> None:
    line = rows(long_form.render(built))[0]
    assert (line["printed"], line["printed_spread"], line["printed_runs"]) == ("5.96", "0.06", "5")


def test_texts_are_no_formulas_but_numbers_keep_their_sign(hostile: BuiltTable, built: BuiltTable) -> None:
    for line in rows(long_form.render(hostile)):
        assert not line["model"].startswith(("=", "@"))
    assert rows(long_form.render(built))[2]["difference"].startswith("-0.00")
    assert "\x1b" not in long_form.render(hostile)


def test_rare_columns_are_there_where_they_are_needed(built: BuiltTable, compared: BuiltTable) -> None:
    rare = {"best", "printed_best", "best_on_validation", "optimism", "optimism_low", "than"}
    assert not rare & rows(long_form.render(built))[0].keys()
    line = rows(long_form.render(compared))[1]
    assert rare <= line.keys()
    assert "ratio" not in line
    assert (line["best"], line["printed_best"], line["than"]) == ("99.6", "99.61", "")
    assert float(line["optimism"]) == pytest.approx(0.008)


def test_compared_cells_have_a_line_for_each_number(compared: BuiltTable) -> None:
    lines = {line["metric"]: line for line in rows(long_form.render(compared)) if line["than"]}
    assert {metric: line["printed"] for metric, line in lines.items()} == {
        **{"best_kernel_size": "9x9", "t_statistic": "2.88", "p_value": "0.02"},
        **{"best_kernel_size_by_mean.aconv": "", "best_kernel_size_by_mean.standard": ""},
        **{"welch_t_statistic": "", "welch_p_value": ""},
    }
    assert lines["best_kernel_size"]["mean"] == "9"
    assert lines["t_statistic"]["conv"] == "aconv"
    assert {line["than"] for line in lines.values()} == {"standard model.kernel_size=9"}


def test_sizes_that_share_the_best_run(compared: BuiltTable) -> None:
    tied = replace(compared, comparisons=(replace(compared.comparisons[0], tied=("3", "9")),))
    lines = {line["metric"]: line for line in rows(long_form.render(tied)) if line["than"]}
    assert lines["best_kernel_size"]["mean"] == "3 or 9"
