"""``convrepro campaign``, on a list of tiny cells."""

import functools
import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.conftest import SERIAL, TINY_TABLE, Command

from convrepro.records import store

MACHINE = SERIAL[2:]
OPTIONS = ("--list", "tiny", "--images", "0.2", *MACHINE)

LIST = {
    "about": "a list for tests",
    "name": "tiny",
    "cells": [
        {"table": "tiny", "only": {"conv": ["dk"]}},
        {"table": "of_a_later_day", "optional": True},
        {"table": "tiny", "dataset": "digits"},
        {"table": "tiny"},
    ],
}


@pytest.fixture
def campaign(convrepro: Command) -> Command:
    Path("configs/campaign").unlink()
    Path("configs/campaign").mkdir()
    Path("configs/campaign/tiny.yaml").write_text(yaml.safe_dump(LIST))
    return functools.partial(convrepro, "campaign")


@pytest.fixture
def stopped_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the deadline's clock stand still, and be past every deadline after so many looks at it."""
    from convrepro.protocols import campaign as campaign_module

    whole = campaign_module.Deadline

    def install(num_looks: int) -> None:
        looks = itertools.count()
        deadline = functools.partial(whole, clock=lambda: 0.0 if next(looks) < num_looks else 1e12)
        monkeypatch.setattr(campaign_module, "Deadline", deadline)

    return install


def _numbers(records_dir: str) -> dict[tuple[str, int], Any]:
    records = store.read_everything(Path(records_dir))
    return {(record.run_id, record.seed): (record.epochs, record.selected) for record in records}


def test_all_cells_once_in_the_order_of_the_list(campaign: Command, convrepro: Command) -> None:
    code, out, err = campaign("--deadline", "1000", "--out", "out", *OPTIONS)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "of_a_later_day: there is no such table yet, it is left out"
    begun = [line.split(":")[0] for line in lines if " to the deadline" in line]
    assert begun == ["tiny.images0.2 digits cnn4 dk", "tiny.images0.2 digits cnn4 standard"]
    assert any(line.startswith("2 of 2 cells and 4 of 4 runs are done, 4 runs of them in these ") for line in lines)
    assert not any(line.startswith("left:") for line in lines)
    assert sorted(path.name for path in Path("out").iterdir()) == ["records.zip", "state.json"]

    assert convrepro("merge", "out/records.zip")[0] == 0
    convrepro("run", "tiny", "--images", "0.2", "--results", "plain", *SERIAL)
    assert _numbers("results/records") == _numbers("plain/records")
    assert len(_numbers("plain/records")) == 4


def test_a_stopped_campaign_goes_on_from_its_files(
    campaign: Command, convrepro: Command, stopped_after: Callable[[int], None]
) -> None:
    """Three epochs of 8 looks (4 batches, 2 seeds) for each of two cells."""
    table = TINY_TABLE | {"overrides": [*TINY_TABLE["overrides"], "recipe.epochs=3"]}
    Path("configs/table/tiny.yaml").write_text(yaml.safe_dump(table))
    seen = []
    for _ in range(10):
        stopped_after(18)
        code, out, err = campaign("--deadline", "1000", "--state", "out", "--out", "out", *OPTIONS)
        assert (code, err) == (0, "")
        seen.append(out)
        if "2 of 2 cells" in out:
            break
    assert len(seen) >= 3
    assert "stopped at the deadline" in seen[0]
    assert "left: " in seen[0]
    convrepro("merge", "out/records.zip")
    convrepro("run", "tiny", "--images", "0.2", "--results", "plain", *SERIAL)
    assert _numbers("results/records") == _numbers("plain/records")


def test_nothing_but_the_output_is_left_and_the_results_if_asked_for(campaign: Command) -> None:
    before = {path.name for path in Path().iterdir()}
    campaign("--deadline", "1000", "--out", "out", "--seeds", "1", *OPTIONS)
    assert {path.name for path in Path().iterdir()} - before == {"out"}
    campaign("--deadline", "1000", "--out", "other", "--results", "kept", "--seeds", "1", *OPTIONS)
    assert len(list(Path("kept/records").iterdir())) == 2


def test_records_that_were_there_are_neither_made_nor_packed_again(campaign: Command, convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--only", "conv=dk", *SERIAL)
    code, out, _ = campaign("--deadline", "1000", "--out", "out", "--results", "results", *OPTIONS)
    assert code == 0
    assert "2 of 2 cells and 4 of 4 runs are done, 2 runs of them in these" in out
    code, out, _ = convrepro("merge", "out/records.zip", "--results", "fresh")
    assert "2 new records" in out


def test_an_interrupted_campaign_has_its_state(campaign: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from convrepro.protocols import campaign as campaign_module

    whole = campaign_module.run_seeds

    def interrupted(configs: Any, report: Any) -> Any:
        if configs[0].conv["name"] == "standard":
            raise KeyboardInterrupt
        return whole(configs, report=report)

    monkeypatch.setattr(campaign_module, "run_seeds", interrupted)
    code, out, err = campaign("--deadline", "1000", "--out", "out", *OPTIONS)
    assert (code, err) == (130, "convrepro: interrupted\n")
    assert "written: out/records.zip" in out
    monkeypatch.undo()


@pytest.mark.parametrize("num_steps", [1, 8])
def test_a_terminated_campaign_stops_as_at_its_deadline_and_goes_on(
    campaign: Command, convrepro: Command, monkeypatch: pytest.MonkeyPatch, num_steps: int
) -> None:
    """SIGTERM before a step of the first of two epochs of 4 batches and 2 seeds, and after its last."""
    from convrepro.protocols import campaign as campaign_module

    table = TINY_TABLE | {"overrides": [*TINY_TABLE["overrides"], "recipe.epochs=2"]}
    Path("configs/table/tiny.yaml").write_text(yaml.safe_dump(table))
    whole, before = campaign_module.run_seeds, signal.getsignal(signal.SIGTERM)

    def terminated(configs: Any, report: Any) -> Any:
        reports = itertools.count(1)

        def reported(seed: int, fraction: float) -> None:
            report(seed, fraction)
            if next(reports) == num_steps:
                os.kill(os.getpid(), signal.SIGTERM)

        return whole(configs, report=reported)

    with monkeypatch.context() as patch:
        patch.setattr(campaign_module, "run_seeds", terminated)
        code, out, err = campaign("--deadline", "1000", "--out", "out", *OPTIONS)
    assert (code, err) == (0, "")
    assert "stopped at the deadline" in out
    assert "0 of 1 cells and 0 of 2 runs are done" in out
    assert out.endswith("and 2 entries of the list that were not reached\n  tiny digits\n  tiny\n")
    assert signal.getsignal(signal.SIGTERM) == before

    campaign("--deadline", "1000", "--state", "out", "--out", "out", *OPTIONS)
    convrepro("merge", "out/records.zip")
    convrepro("run", "tiny", "--images", "0.2", "--results", "plain", *SERIAL)
    assert _numbers("results/records") == _numbers("plain/records")


def test_a_record_that_cannot_be_read_is_listed_and_makes_the_code_1(campaign: Command, convrepro: Command) -> None:
    convrepro("run", "tiny", "--images", "0.2", "--only", "conv=dk", *SERIAL)
    path = sorted(Path("results/records").iterdir())[0]
    path.write_text("{}")
    code, out, _ = campaign("--deadline", "1000", "--out", "out", "--results", "results", *OPTIONS)
    assert code == 1
    assert out.count(f"{path} is not a record: ") == 2  # when its turn comes, and in the summary
    assert "1 of 2 cells and 3 of 4 runs are done, 2 runs of them in these" in out


def test_a_table_that_is_not_there_is_an_error_unless_it_is_optional(campaign: Command) -> None:
    content = LIST | {"cells": [{"table": "tiny"}, {"table": "tinny"}]}
    Path("configs/campaign/tiny.yaml").write_text(yaml.safe_dump(content))
    code, out, err = campaign("--deadline", "1000", "--out", "out", *OPTIONS)
    assert (code, out, err) == (2, "", "convrepro: unknown table 'tinny'; did you mean 'tiny'?\n")


def test_what_does_not_travel_is_said(campaign: Command) -> None:
    _, out, _ = campaign("--help")
    assert "weights of finished runs do not travel" in " ".join(out.split())


def test_a_cell_that_fails_is_listed_and_makes_the_code_1(campaign: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from convrepro.protocols import campaign as campaign_module

    def broken(configs: Any, report: Any) -> Any:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(campaign_module, "run_seeds", broken)
    code, out, _ = campaign("--deadline", "1000", "--out", "out", *OPTIONS)
    assert code == 1
    assert out.count("; failed, RuntimeError: out of luck") == 2
    assert "left: 2 cells, how long they take is known after a first run" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--deadline", "15", "--out", "out"], "`--deadline` must be more than the 15 s that are kept for saving"),
        (["--deadline", "soon", "--out", "out"], "argument --deadline: must be a number of seconds, got 'soon'"),
        (["--deadline", "nan", "--out", "out"], "argument --deadline: must be a number of seconds, got 'nan'"),
        (["--deadline", "60"], "the following arguments are required: --out"),
        (["--deadline", "60", "--out", "o", "--list", "tinny"], "unknown campaign 'tinny'; did you mean 'tiny'?"),
        (
            ["--deadline", "60", "--out", "o", "--list", "tiny", "--machine", "thread=1"],
            "unknown key of machine 'thread'",
        ),
        (["--deadline", "60", "--out", "configs/train.yaml", "--list", "tiny"], "cannot write to configs/train.yaml"),
        (["--deadline", "60", "--out", "o", "--state", "damaged"], "damaged/state.json is missing or too large"),
    ],
)
def test_bad_input_is_one_line_and_code_2(campaign: Command, arguments: list[str], message: str) -> None:
    Path("damaged").mkdir()
    Path("damaged/state.000.00000000").touch()
    code, out, err = campaign(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
