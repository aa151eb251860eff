"""Cells of several tables until a deadline."""

import dataclasses
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from convrepro import config_files, durable, interruption
from convrepro.interruption import Interrupted
from convrepro.protocols import campaign, campaign_state
from convrepro.protocols.campaign import Campaign, Deadline, Entry, Job, entries, jobs_of
from convrepro.protocols.composer import compose
from convrepro.protocols.grid import plan
from convrepro.protocols.identity import run_id, run_id_of
from convrepro.protocols.schema import Config
from convrepro.records import Record, archive, store, workspace

SEEDS = range(2)


def _job(results_dir: Path, conv: str, *overrides: str, num_epochs: int = 3, work: float = 1.0) -> Job:
    """A tiny network on a fifth of the digits, two seeds together."""
    config = compose([
        *("dataset=digits", "protocol.images=0.2", "model=cnn4", "model.filters=4", f"conv={conv}"),
        *("recipe=quickstart", f"recipe.epochs={num_epochs}", "recipe.batch_size=32", "recipe.milestones=[]"),
        *("machine.accelerator=cpu", "machine.threads=1", "machine.seeds_per_device=2", *overrides),
        f"machine.results_dir='{results_dir}'",
    ])  # fmt: skip
    configs = tuple(dataclasses.replace(config, seed=seed) for seed in SEEDS)
    return Job(title=conv, run_id=run_id(config), configs=configs, work=work)


def _numbers(record: Record) -> dict[str, Any]:
    """All but the fields that are measured."""
    return dataclasses.asdict(record) | {"measured": None, "environment": None}


def _all_numbers(records_dir: Path, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    found = [store.read(records_dir, job.run_id, config.seed) for job in jobs for config in job.configs]
    assert None not in found
    return [_numbers(record) for record in found if record is not None]


class JumpingClock:
    """Stands still, and is past every deadline after so many looks at it."""

    def __init__(self, num_looks: int) -> None:
        self._num_looks = num_looks

    def __call__(self) -> float:
        self._num_looks -= 1
        return 0.0 if self._num_looks >= 0 else 100.0


def _deadline(num_looks: int) -> Deadline:
    return Deadline(end=50.0, clock=JumpingClock(num_looks))


def _of(*jobs: Job, **keywords: Any) -> Campaign:
    """A campaign whose every entry is planned to one of the jobs."""
    by_title = {job.title: job for job in jobs}
    return Campaign([Entry(table=title) for title in by_title], lambda entry: [by_title[entry.table]], **keywords)


@pytest.mark.parametrize(
    ("num_looks", "retrain"),
    [(12, "false"), (27, "true")],  # in 12 looks at the clock no epoch comes to an end
    ids=["one phase", "two phases"],
)
def test_however_often_it_is_stopped_the_records_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retrain: str, num_looks: int
) -> None:
    """Each session has an empty results folder, and the files that the one before it wrote."""
    monkeypatch.setattr(campaign_state, "MAX_FILE_BYTES", 20_000)
    largest = 0
    for session in range(60):
        results_dir, out = tmp_path / str(session), tmp_path / f"out{session}"
        known = campaign_state.restore(tmp_path / f"out{session - 1}", results_dir)
        jobs = [_job(results_dir, conv, f"protocol.retrain={retrain}") for conv in ("standard", "dk")]
        _of(*jobs, deadline=_deadline(num_looks), say=lambda line: None).work(save=lambda: None)
        known |= {(job.run_id, seed) for job in jobs for seed in job.touched}
        campaign_state.save(out, results_dir, known)
        sizes = [path.stat().st_size for path in out.glob("state.0*")]
        largest = max([largest, len(sizes)])
        assert all(size <= 20_000 for size in sizes)
        if all(job.run_id in {run_id for run_id, _ in known} and not job.num_left for job in jobs):
            break
    assert session >= 2
    assert largest >= 2  # a state did not fit into one file
    assert not list(out.glob("state.0*"))  # nothing is unfinished
    archive.merge(out / "records.zip", tmp_path / "merged", run_id_of=run_id_of)

    whole = [_job(tmp_path / "whole", conv, f"protocol.retrain={retrain}") for conv in ("standard", "dk")]
    _of(*whole, deadline=_deadline(10**9), say=lambda line: None).work(save=lambda: None)
    expected = _all_numbers(workspace.records_dir(tmp_path / "whole"), whole)
    assert _all_numbers(tmp_path / "merged", whole) == expected
    assert len(expected) == 4


Steps = Sequence[tuple[int, float]]  # seed, finished fraction


class FakeTraining:
    """In the place of ``run_seeds``: each step takes ``seconds_per_step`` of the fake time."""

    def __init__(self, steps: Steps, *, set_up: float = 0.0, seconds_per_step: float = 1.0, fails: str = "") -> None:
        self.now, self.groups = 0.0, []  # type: ignore[var-annotated]
        self._steps, self._set_up, self._seconds_per_step, self._fails = steps, set_up, seconds_per_step, fails

    def __call__(self, configs: Sequence[Config], *, report: Callable[[int, float], None]) -> dict[int, Record]:
        self.groups.append((configs[0].conv["name"], [config.seed for config in configs]))
        self.now += self._set_up
        if configs[0].conv["name"] == self._fails:
            raise RuntimeError("out of luck")
        for seed, fraction in self._steps:
            self.now += self._seconds_per_step
            report(seed, fraction)
        return dict.fromkeys((config.seed for config in configs), None)  # type: ignore[arg-type]


QUARTERS = [(seed, fraction / 4) for fraction in range(1, 5) for seed in SEEDS]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeTraining]:
    def install(steps: Steps = QUARTERS, **keywords: Any) -> FakeTraining:
        training = FakeTraining(steps, **keywords)
        monkeypatch.setattr(campaign, "run_seeds", training)
        return training

    return install


def _campaign(training: FakeTraining, end: float, *jobs: Job) -> tuple[Campaign, list[str]]:
    lines: list[str] = []
    return _of(*jobs, deadline=Deadline(end=end, clock=lambda: training.now), say=lines.append), lines


def test_jobs_are_done_in_their_order_and_saved_each(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training, saved = fake(), []
    ongoing, _ = _campaign(training, 1000.0, _job(tmp_path, "dk"), _job(tmp_path, "standard"))
    ongoing.work(lambda: saved.append(len(training.groups)))
    assert training.groups == [("dk", [0, 1]), ("standard", [0, 1])]
    assert saved == [1, 2]


def test_seeds_that_do_not_fit_together_follow_in_groups(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training = fake([(0, 1.0)])
    job = _job(tmp_path, "dk")
    job.configs = tuple(dataclasses.replace(job.configs[0], seed=seed) for seed in range(5))
    _campaign(training, 1000.0, job)[0].work(lambda: None)
    assert training.groups == [("dk", [0, 1]), ("dk", [2, 3]), ("dk", [4])]
    assert job.touched == [0, 1, 2, 3, 4]


def test_the_deadline_ends_a_run_and_those_after_it(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    """Steps end at 1, 2, ... seconds; with a pause of a second the step at 4 is the last before 5."""
    training, saved = fake(), []
    jobs = [_job(tmp_path, "dk"), _job(tmp_path, "standard")]
    ongoing, lines = _campaign(training, 5.0, *jobs)
    ongoing.work(lambda: saved.append(1))
    assert training.now == 4.0
    assert jobs[0].share == 0.5
    assert lines[-1] == "dk: stopped at the deadline, 50% done"
    assert (saved, jobs[1].touched) == ([], [])


def test_a_pause_as_long_as_the_longest_before_has_its_place_before_the_deadline(
    tmp_path: Path, fake: Callable[..., FakeTraining]
) -> None:
    """Steps end at 10, 20, 30 seconds; the next would end at 40, after the deadline of 35."""
    training = fake([(0, fraction / 10) for fraction in range(1, 10)], seconds_per_step=10.0)
    _campaign(training, 35.0, _job(tmp_path, "dk"))[0].work(lambda: None)
    assert training.now == 30.0


def test_no_time_for_an_epoch_is_no_beginning(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    """Seven seconds finish 3/4 of three epochs, which makes 28/9 s for one, after 2 s from the beginning to a step."""
    training = fake(set_up=1.0)
    jobs = [_job(tmp_path, "dk"), _job(tmp_path, "standard")]
    ongoing, lines = _campaign(training, 14.0, *jobs)
    ongoing.work(lambda: None)
    assert lines[-1] == "standard is left: 5 s to the deadline, it needs about 5 s"
    assert training.groups == [("dk", [0, 1])]
    assert jobs[1].touched == []


def test_what_is_left_is_estimated_by_the_nearest_kin(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    """Seven seconds from the first step to the last finish 3/4 of two runs of 10 units: 28/3 s for such a group."""
    training = fake()
    done, other = _job(tmp_path, "dk", work=10.0), _job(tmp_path, "standard", work=20.0)
    ongoing, _ = _campaign(training, 1000.0, done)
    assert ongoing.expected_seconds(other) is None
    ongoing.work(lambda: None)
    assert ongoing.expected_seconds(other) == pytest.approx(2 * 28 / 3)
    other.configs *= 2  # four runs
    other.share = 0.25
    assert ongoing.expected_seconds(other) == pytest.approx(2 * 2 * 28 / 3 * 0.75)


def test_a_job_that_fails_is_listed_and_the_others_are_done(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training, saved = fake(fails="dk"), []
    jobs = [_job(tmp_path, "dk"), _job(tmp_path, "standard")]
    ongoing, lines = _campaign(training, 1000.0, *jobs)
    ongoing.work(lambda: saved.append(1))
    assert jobs[0].failure == "RuntimeError: out of luck"
    assert "dk: failed, RuntimeError: out of luck" in lines
    assert (jobs[1].failure, len(saved)) == ("", 2)


def test_a_job_says_how_far_it_is_every_half_minute(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    """Each step takes 10 s and finishes an eighth of the group."""
    training = fake(seconds_per_step=10.0)
    ongoing, lines = _campaign(training, 1000.0, _job(tmp_path, "dk"))
    ongoing.work(lambda: None)
    assert lines[1:3] == [
        "  38%, about 100 s left; 970 s to the deadline",  # 20 s finished 1/8 more than the seeds' first steps
        "  75%, about 25 s left; 940 s to the deadline",  # 50 s finished 1/2
    ]


def test_out_of_time_is_no_failure_of_a_run(tmp_path: Path) -> None:
    job = _job(tmp_path, "standard")
    with pytest.raises(Interrupted):
        campaign.run_seeds(job.configs, report=campaign._Watch(job, 2, _deadline(1), print, lambda: None))
    interruption.forget()
    assert [workspace.state(tmp_path, job.run_id, seed) for seed in SEEDS] == ["interrupted", "interrupted"]


def test_what_is_done_already_is_not_touched(tmp_path: Path) -> None:
    first, again = (_job(tmp_path, "standard", num_epochs=1) for _ in range(2))
    for job in (first, again):
        _of(job, deadline=_deadline(10**9), say=lambda line: None).work(save=lambda: None)
    assert (first.touched, first.num_new, first.num_left) == ([0, 1], 2, 0)
    assert (again.touched, again.num_new) == ([], 0)


def test_a_long_job_is_saved_between_epochs_about_every_minute(
    tmp_path: Path, fake: Callable[..., FakeTraining]
) -> None:
    """Six epochs of two steps for each of two seeds, 10 s each: epochs begin at 10, 50, 90, ... 210 s, for
    the other seed 10 s later."""
    training, saved = fake([(seed, step / 12) for step in range(1, 13) for seed in SEEDS], seconds_per_step=10.0), []
    job = _job(tmp_path, "dk", num_epochs=6)
    _campaign(training, 1000.0, job)[0].work(lambda: saved.append((training.now, job.touched)))
    assert saved == [(now, [0, 1]) for now in (60.0, 130.0, 210.0, 240.0)]  # the last when the job has ended


def test_groups_of_a_job_are_saved_too(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    """Each group takes 50 s; the third begins to train when 60 s are over."""
    training, saved = fake([(0, 1.0)], seconds_per_step=50.0), []
    job = _job(tmp_path, "dk", num_epochs=1)
    job.configs = tuple(dataclasses.replace(job.configs[0], seed=seed) for seed in range(6))
    _campaign(training, 1000.0, job)[0].work(lambda: saved.append(training.now))
    assert saved == [100.0, 150.0]


def test_a_save_within_a_job_that_fails_is_said_and_the_job_goes_on(
    tmp_path: Path, fake: Callable[..., FakeTraining]
) -> None:
    training, saved = fake([(0, step / 3) for step in range(1, 4)], seconds_per_step=100.0), []

    def save() -> None:
        saved.append(training.now)
        if len(saved) == 1:
            raise OSError("No space left on device")

    job = _job(tmp_path, "dk")
    ongoing, lines = _campaign(training, 1000.0, job)
    ongoing.work(save)
    assert "  not saved: No space left on device" in lines
    assert (saved, job.failure) == ([100.0, 200.0, 300.0, 300.0], "")


def test_the_time_of_a_save_has_its_place_before_the_deadline(
    tmp_path: Path, fake: Callable[..., FakeTraining]
) -> None:
    """Steps take 1 s, the save at the beginning of the second epoch takes 40 s: nothing is done in the last 41 s."""
    training = fake([(0, step / 300) for step in range(1, 301)])

    def save() -> None:
        training.now += 40.0

    _campaign(training, 200.0, _job(tmp_path, "dk"))[0].work(save)
    assert training.now == 159.0


def _killed_in_a_save(results_dir: Path, out: Path, num_saves: int) -> None:
    """A campaign that saves after each epoch, and is killed after so many saves, when records and parts are written."""
    campaign.SECONDS_BETWEEN_SAVES = 0.0  # type: ignore[misc]
    whole = durable.write

    def write(path: Path, content: bytes | str) -> None:
        nonlocal num_saves
        num_saves -= path.name == campaign_state.MANIFEST
        if num_saves < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        whole(path, content)

    durable.write = write
    known = campaign_state.restore(out, results_dir)
    job = _job(results_dir, "dk")
    _of(job, deadline=_deadline(10**9), say=lambda line: None).work(
        lambda: campaign_state.save(out, results_dir, known | {(job.run_id, seed) for seed in job.touched})
    )


def test_a_campaign_that_is_killed_goes_on_from_what_it_saved_to_the_same_records(tmp_path: Path) -> None:
    """By SIGKILL in the middle of its fifth save, after two epochs: one follows each seed's first step of an epoch."""
    out = tmp_path / "out"
    context = multiprocessing.get_context("forkserver")
    for session, (num_saves, code) in enumerate([(4, -signal.SIGKILL), (10, 0)]):
        process = context.Process(target=_killed_in_a_save, args=(tmp_path / str(session), out, num_saves))
        process.start()
        process.join(300)
        assert process.exitcode == code
        if session == 0:
            names = {name.partition("/")[2] for name, _ in json.loads((out / "state.json").read_text())["files"]}
            assert "train/epoch1.ckpt" in names
    whole = _job(tmp_path / "whole", "dk")
    _of(whole, deadline=_deadline(10**9), say=print).work(save=lambda: None)
    archive.merge(out / "records.zip", tmp_path / "merged", run_id_of=run_id_of)
    assert _all_numbers(tmp_path / "merged", [whole]) == _all_numbers(tmp_path / "whole" / "records", [whole])


def test_steps_that_are_found_finished_together_tell_no_pace(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    """Chunks of four steps of a twelfth each, 10 s a chunk: 30 s for a run, not what the first chunk's steps say."""
    training = fake([])
    steps = [step / 12 for step in range(1, 13)]

    def run_seeds(configs: Sequence[Config], *, report: Callable[[int, float], None]) -> dict[int, Record]:
        for start in range(0, 12, 4):
            training.now += 10.0
            for fraction in steps[start : start + 4]:
                report(0, fraction)
                report(1, fraction)
        return {}

    campaign.run_seeds = run_seeds  # put back by the fixture
    done, other = _job(tmp_path, "dk"), _job(tmp_path, "standard")
    ongoing, _ = _campaign(training, 1000.0, done)
    ongoing.work(lambda: None)
    assert ongoing.expected_seconds(other) == pytest.approx(30.0)


def test_an_entry_is_planned_when_its_turn_comes(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training, planned = fake(), []
    jobs = {name: _job(tmp_path, name) for name in ("standard", "dk", "acl")}

    def plan(entry: Entry) -> list[Job]:
        planned.append((entry.table, len(training.groups)))
        return [jobs["standard"], jobs[entry.table]]  # the first again and again

    deadline = Deadline(end=1000.0, clock=lambda: training.now)
    ongoing = Campaign([Entry(table=name) for name in jobs], plan, deadline=deadline, say=print)
    assert planned == [("standard", 0)]
    ongoing.work(lambda: None)
    assert planned == [("standard", 0), ("dk", 1), ("acl", 2)]
    assert [group[0] for group in training.groups] == ["standard", "dk", "acl"]
    assert ongoing.jobs == list(jobs.values())


def test_what_there_is_no_time_for_is_not_planned(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training = fake()
    names = ["standard", "dk", "acl"]
    deadline = Deadline(end=12.0, clock=lambda: training.now)
    ongoing = Campaign(
        [Entry(table=name, dataset="digits", only={"model": ["cnn4", "resnet20"]}) for name in names],
        lambda entry: [_job(tmp_path, entry.table)],
        deadline=deadline,
        say=print,
    )
    ongoing.work(lambda: None)
    assert [job.title for job in ongoing.jobs] == ["standard", "dk"]
    assert [entry.title for entry in ongoing.waiting] == ["acl digits model=cnn4,resnet20"]


def test_a_deadline_that_comes_early_ends_the_step(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training, lines = fake(), []
    deadline = Deadline(end=1000.0, clock=lambda: training.now)

    def run_seeds(configs: Sequence[Config], *, report: Callable[[int, float], None]) -> dict[int, Record]:
        def terminated(seed: int, fraction: float) -> None:
            if training.now == 3.0:
                deadline.come()
            report(seed, fraction)

        return training(configs, report=terminated)

    campaign.run_seeds = run_seeds  # put back by the fixture
    _of(_job(tmp_path, "dk"), _job(tmp_path, "standard"), deadline=deadline, say=lines.append).work(lambda: None)
    assert training.now == 3.0
    assert lines[-1] == "dk: stopped at the deadline, 38% done"


def test_a_training_that_ends_itself_when_it_is_terminated_is_out_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that saves what it has of an epoch, and is then interrupted."""
    deadline, lines = _deadline(10**9), []
    ongoing = _of(_job(tmp_path, "dk"), deadline=deadline, say=lines.append)

    def terminated(configs: Sequence[Config], *, report: Callable[[int, float], None]) -> dict[int, Record]:
        deadline.come()
        with interruption.deferred():
            report(0, 0.5)
        raise AssertionError("it was not asked to stop")

    monkeypatch.setattr(campaign, "run_seeds", terminated)
    ongoing.work(lambda: None)
    assert lines[-1] == "dk: stopped at the deadline, 25% done"
    assert not interruption.requested()


def test_a_record_that_cannot_be_read_is_said(tmp_path: Path, fake: Callable[..., FakeTraining]) -> None:
    training = fake()
    job = _job(tmp_path, "dk")
    path = store.path_of(workspace.records_dir(tmp_path), job.run_id, 1)
    path.parent.mkdir()
    path.write_text("{}")
    ongoing, lines = _campaign(training, 1000.0, job)
    ongoing.work(lambda: None)
    assert training.groups == [("dk", [0])]
    assert lines[0].startswith(f"dk: {path} is not a record: ")
    assert lines[0].endswith("; delete it to run it again.")
    assert job.failure == lines[0].removeprefix("dk: ")


def test_an_entry_chooses_cells_of_its_table() -> None:
    planned = plan("dk_table5", num_seeds=2)
    jobs = jobs_of(Entry(table="dk_table5", only={"model": ["cnn4"], "conv": ["standard", "dk"]}), planned)
    assert [job.title for job in jobs] == [
        "dk_table5.seeds2 fashion_mnist cnn4 standard",
        "dk_table5.seeds2 fashion_mnist cnn4 dk",
    ]
    assert [config.seed for config in jobs[0].configs] == [0, 1]
    assert jobs[1].work > jobs[0].work > 0


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ({"modl": ["cnn4"]}, "unknown label of dk_table5 'modl'; did you mean 'model'?"),
        ({"model": ["cnn5"]}, "unknown model 'cnn5'; did you mean 'cnn4'?"),
    ],
)
def test_an_entry_that_names_what_is_not_there(only: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jobs_of(Entry(table="dk_table5", only=only), plan("dk_table5"))


@pytest.mark.parametrize("name", config_files.names("campaign"))
def test_every_entry_of_a_list_fits_its_table(name: str) -> None:
    found = entries(name)
    assert found
    for entry in found:
        if entry.is_there:
            assert jobs_of(entry, plan(entry.table, datasets={"": entry.dataset} if entry.dataset else {}))


def test_the_first_hours_have_the_order_of_their_issue() -> None:
    found = [(entry.table, entry.dataset, entry.only.get("model")) for entry in entries("first_gpu_hours")]
    assert found[:3] == [
        ("dk_table5", None, ["cnn4", "resnet20"]),
        ("dk_table5", None, ["resnet32"]),
        ("dk_table7", "cifar10_jpeg", ["cnn4", "resnet20", "resnet32"]),
    ]
    assert [table for table, _, _ in found[3:5]] == ["aconv_table2", "aconv_table3"]
    assert all(models == ["densenet40", "densenet52"] for _, _, models in found[5:])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"cells": [{"tabel": "dk_table5"}]}, "configs/campaign/odd.yaml: .*tabel"),
        ({"cells": 3}, "configs/campaign/odd.yaml: "),
        ({"cells": [{"table": "dk_tabel5"}]}, r"unknown table 'dk_tabel5'; did you mean 'dk_table5'\?"),
        ({"cells": [{"table": "dk_table5", "only": {"model": "cnn4"}}]}, "configs/campaign/odd.yaml: "),
    ],
)
def test_a_list_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], message: str
) -> None:
    for group in ("campaign", "table"):
        (tmp_path / group).mkdir()
    (tmp_path / "table" / "dk_table5.yaml").touch()
    (tmp_path / "campaign" / "odd.yaml").write_text(yaml.safe_dump({"about": "odd", "name": "odd", **content}))
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path)
    with pytest.raises(ValueError, match=message):
        entries("odd")


def test_a_table_that_is_not_there_yet_may_be_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "campaign").mkdir()
    cells = [{"table": "of_a_later_day", "optional": True}]
    (tmp_path / "campaign" / "odd.yaml").write_text(yaml.safe_dump({"about": "odd", "name": "odd", "cells": cells}))
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path)
    assert [entry.is_there for entry in entries("odd")] == [False]


def test_an_unknown_list_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown campaign 'first_gpu_hour'; did you mean 'first_gpu_hours'\?"):
        entries("first_gpu_hour")
