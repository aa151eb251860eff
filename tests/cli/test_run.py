"""``convrepro run``: from nothing to a table, on real digits."""

import csv
import dataclasses
import re
from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import SERIAL, TINY_TABLE, Command

from convrepro.cli import run as cli_run
from convrepro.records import Record


def test_a_table_from_nothing_and_again(convrepro: Command) -> None:
    code, out, err = convrepro("run", "tiny", "--images", "0.2", *SERIAL)
    assert code == 0, err
    assert "[4/4] digits cnn4 dk seed 1: test_error" in err
    assert "records: 4 of 4" in out
    written = sorted(path.name for path in Path("results/tables").iterdir())
    assert written == [f"tiny.images0.2.{ending}" for ending in ("csv", "html", "md", "tex")]
    files = _files_but_the_cache()

    code, again, err = convrepro("run", "tiny", "--images", "0.2", *SERIAL)
    assert (code, err) == (0, "")
    assert again == out
    assert _files_but_the_cache() == files


def _files_but_the_cache() -> dict[Path, bytes]:
    paths = [path for path in Path("results").rglob("*") if path.is_file() and "cache" not in path.parts]
    return {path: path.read_bytes() for path in paths}


def test_rows_are_the_means_of_their_records(convrepro: Command) -> None:
    from convrepro.records import store

    convrepro("run", "tiny", "--images", "0.2", *SERIAL)
    rows = list(csv.DictReader(Path("results/tables/tiny.images0.2.csv").read_text().splitlines()))
    records = store.read_everything(Path("results/records"))
    for row in (row for row in rows if row["metric"] == "test_error"):
        values = [r.metric("test_error", "best_on_validation") for r in records if r.names["conv"] == row["conv"]]
        assert float(row["mean"]) == pytest.approx(sum(values) / 2)
        assert row["n"] == "2"


def test_a_count_says_what_it_found_and_what_it_did_not(convrepro: Command) -> None:
    """A factor of compactness is no percentage, and an operator without one stops no other run."""
    changes = {"metric": "compact_factor", "selection": "last", "num_seeds": 1, "overrides": ["protocol=count"]}
    grid = [{"dataset": ["digits"], "model": ["cnn4"], "conv": ["standard", "acl"]}]
    table = {**TINY_TABLE, **changes, "name": "factors", "grid": grid}
    Path("configs/table/factors.yaml").write_text(yaml.safe_dump(table))
    code, out, err = convrepro("run", "factors", *SERIAL)
    assert code == 1
    # ratios of 64 kernels: 10 G, 5 Lg, 5 Lt, 12 Tf, 32 P; of 4,096: 640, 320, 320, 768, 2,048
    left, plain = (64 + 3 * 4096) * 0.5 * 9, (64 + 3 * 4096) * 9
    left += 10 * 4 + 5 + 5 + 12 * 3 + 3 * (640 * 4 + 320 + 320 + 768 * 3)
    assert f"digits cnn4 acl seed 0: compact_factor {1 - left / plain:.4g} in " in err
    assert "digits cnn4 standard seed 0: record " in err
    assert "has no compact_factor by 'last'" in err
    assert "records: 2 of 2" in out


def test_a_count_in_a_table_of_accuracies_is_shown_by_its_own_metric(convrepro: Command) -> None:
    """18 of 192 kernels are analytic; the factor has no epoch, whatever rule the table's metric goes by."""
    grid = [
        {
            "dataset": ["digits"],
            "model": ["cnn4"],
            "conv": ["acl"],
            "metrics": ["compact_factor", "num_parameters"],
            "overrides": ["protocol=count"],
        }
    ]
    changes = {"name": "mixed", "metric": "test_accuracy", "selection": "best_on_test", "num_seeds": 1, "grid": grid}
    Path("configs/table/mixed.yaml").write_text(yaml.safe_dump({**TINY_TABLE, **changes}))
    code, _, err = convrepro("run", "mixed", *SERIAL)
    assert code == 0, err
    assert re.search(r"acl seed 0: compact_factor 0\.\d+, num_parameters \d[\d,]* in ", err)


def test_a_loss_of_accuracy_is_shown_by_the_accuracy_and_long_times_without_exponent() -> None:
    record = Record(
        **{entry.name: None for entry in dataclasses.fields(Record)}
        | {"selected": {"last": {"train_step_microseconds": 366310.0}, "best_on_test": {"test_accuracy": 91.25}}}
    )
    assert cli_run._shown(record, "accuracy_loss", "best_on_test") == "test_accuracy 91.25 %"
    assert cli_run._shown(record, "train_step_microseconds", "best_on_test") == "train_step_microseconds 366,310"


@pytest.mark.parametrize(
    ("pretrained", "message"),
    [
        ("run/0123456789abcdef", "needs the weights of run 0123456789abcdef, "),
        ("torchvision/ResNet18_Weights.IMAGENET1K_V2", "unknown weights of torchvision"),
    ],
)
def test_weights_that_cannot_be_had_are_one_line_before_any_run(
    convrepro: Command, pretrained: str, message: str
) -> None:
    changes = {"name": "transferred", "overrides": [*TINY_TABLE["overrides"], f"recipe.pretrained={pretrained}"]}
    Path("configs/table/transferred.yaml").write_text(yaml.safe_dump({**TINY_TABLE, **changes}))
    code, _, err = convrepro("run", "transferred", *SERIAL)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not list(Path("results").glob("runs/*"))


def test_only_some_cells_leave_the_others_open(convrepro: Command) -> None:
    code, out, _ = convrepro("run", "tiny", "--images", "0.2", "--only", "conv=dk", *SERIAL)
    assert code == 0
    assert "records: 2 of 4" in out
    assert "0/2" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "tinny"], "unknown table 'tinny'; did you mean 'tiny'?"),
        (["run", "tiny", "--only", "cov=dk"], "unknown label 'cov'; did you mean 'conv'?"),
        (["run", "tiny", "--only", "conv=dkk"], "unknown conv 'dkk'; did you mean 'dk'?"),
        (["run", "tiny", "--scale", "2"], "argument --scale: must lie in (0, 1], got '2'"),
        (["run", "tiny", "--scale", "nan"], "argument --scale: must lie in (0, 1], got 'nan'"),
        (["run", "tiny", "--seeds", "0"], "argument --seeds: must be a whole number from 1 on, got '0'"),
        (
            ["run", "tiny", "--launcher", "rocket"],
            "unknown --launcher 'rocket'; known: joblib, ray, serial, submitit",
        ),
        (["run", "tiny", "recipe.epochs=3"], "unrecognized arguments: recipe.epochs=3"),
        (["run", "tiny", "--machine", "thread=3"], "unknown key of machine 'thread'; did you mean 'threads'?"),
        (
            ["run", "dk_table5", "--machine", "download=false", "--machine", "data_dir=nowhere"],
            "convrepro data fetch fashion_mnist",
        ),
        (["run", "dk_table6", "--scale", "0.5"], "there is nothing to scale"),
        (["run"], "the following arguments are required: TABLE"),
    ],
)
def test_bad_input_is_one_line_code_2_and_no_folder(convrepro: Command, arguments: list[str], message: str) -> None:
    code, out, err = convrepro(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert out == ""
    assert not Path("results").exists()


def test_a_dry_run_shows_the_plan_and_makes_nothing_but_the_cache(
    convrepro: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convrepro.protocols.calibration.SECONDS_PER_CELL", 0.0)
    code, out, _ = convrepro("run", "tiny", "--dry-run", *SERIAL)
    assert code == 0
    assert out.count("missing") == 4
    assert "4 runs to do, about " in out
    assert [path.name for path in Path("results").iterdir()] == ["cache"]


def test_progress_counts_in_seconds_once_they_are_known(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from convrepro.cli import progress

    monkeypatch.setattr("convrepro.protocols.calibration.SECONDS_PER_CELL", 0.0)
    weights: list[dict[object, float]] = []
    whole = progress.TableProgress.__init__

    def noted(self: object, title: str, work: dict[object, float], **keywords: object) -> None:
        weights.append(work)
        whole(self, title, work, **keywords)

    monkeypatch.setattr(progress.TableProgress, "__init__", noted)
    convrepro("run", "tiny", "--images", "0.2", "--seeds", "1", *SERIAL)
    convrepro("plan", "tiny", "--images", "0.3", *SERIAL)
    convrepro("run", "tiny", "--images", "0.3", "--seeds", "1", *SERIAL)
    operations, calibration, seconds = weights
    assert min(operations.values()) > 1e6
    assert set(calibration.values()) == {1.0}
    assert max(seconds.values()) < 100.0
    assert operations.keys().isdisjoint(seconds.keys())


def test_a_failing_run_is_listed_and_the_others_are_done(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from convrepro.protocols import run as run_module

    whole = run_module.train_phase

    def broken(learners: object, config: object, phase: object) -> str:
        if config.conv["name"] == "dk" and config.seed == 0:
            raise RuntimeError("out of luck")
        return whole(learners, config, phase)

    monkeypatch.setattr(run_module, "train_phase", broken)
    code, out, err = convrepro("run", "tiny", "--images", "0.2", *SERIAL)
    assert code == 1
    assert "records: 3 of 4" in out
    assert "convrepro: digits cnn4 dk seed 0: failed, RuntimeError: out of luck" in err
    _, status, _ = convrepro("status", "tiny", "--images", "0.2")
    assert "seed 0 failed: RuntimeError: out of luck (attempt 1)" in status


def test_a_count_table_needs_no_data_and_no_training(convrepro: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVREPRO_DATA", "/nowhere")
    code, out, _ = convrepro("run", "dk_table6", *SERIAL)
    assert code == 0
    assert out.count("reproduced") >= 15
    assert "143,050" in out


def test_a_back_end_that_this_machine_cannot_have_is_one_line_and_no_failed_run(
    convrepro: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    code, _, err = convrepro("run", "tiny", "--images", "0.2", "--machine", "backend=streams")
    assert code == 2
    assert err == "convrepro: `machine.backend` streams needs a CUDA device; use loop or auto.\n"
    assert not list(Path("results").glob("runs/*"))
