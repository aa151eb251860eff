"""Cells of several tables until a deadline."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from convrepro import config_files
from convrepro.protocols import campaign, campaign_state
from convrepro.protocols.campaign import Campaign, Deadline, Entry, Job, OutOfTime, entries, jobs_of
from convrepro.protocols.compose import compose
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


@pytest.mark.parametrize("retrain", ["false", "true"], ids=["one phase", "two phases"])
@pytest.mark.parametrize("num_looks", [27, 40])
def test_however_often_it_is_stopped_the_records_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retrain: str, num_looks: int
) -> None:
    """Each session has an empty results folder, and the files that the one before it wrote."""
    monkeypatch.setattr(campaign_state, "MAX_FILE_BYTES", 20_000)
    largest = 0
    for session in range(30):
        results_dir, out = tmp_path / str(session), tmp_path / f"out{session}"
        known = campaign_state.restore(tmp_path / f"out{session - 1}", results_dir)
        jobs = [_job(results_dir, conv, f"protocol.retrain={retrain}") for conv in ("standard", "dk")]
        Campaign(jobs, deadline=_deadline(num_looks), say=lambda line: None).work(save=lambda: None)
        known |= {(job.run_id, seed) for job in jobs for seed in job.touched}
        campaign_state.save(out, results_dir, known)
        sizes = [path.stat().st_size for path in out.glob("state.0*")]
        largest = max([largest, len(sizes)])
        assert all(size <= 20_000 for size in sizes)
        if not any(job.num_left for job in jobs):
            break
    assert session >= 2
    assert largest >= 2  # a state did not fit into one file
    assert not list(out.glob("state.0*"))  # nothing is unfinished
    archive.merge(out / "records.zip", tmp_path / "merged", run_id_of=run_id_of)

    whole = [_job(tmp_path / "whole", conv, f"protocol.retrain={retrain}") for conv in ("standard", "dk")]
    Campaign(whole, deadline=_deadline(10**9), say=lambda line: None).work(save=lambda: None)
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
    return Campaign(jobs, deadline=Deadline(end=end, clock=lambda: training.now), say=lines.append), lines


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
    assert lines[-1] == "standard is left: 5 s to the deadline, an epoch takes about 5 s"
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
    with pytest.raises(OutOfTime):
        campaign.run_seeds(job.configs, report=campaign._Watch(job, 2, _deadline(1), lambda line: None))
    assert [workspace.state(tmp_path, job.run_id, seed) for seed in SEEDS] == ["missing", "missing"]


def test_what_is_done_already_is_not_touched(tmp_path: Path) -> None:
    first, again = (_job(tmp_path, "standard", num_epochs=1) for _ in range(2))
    for job in (first, again):
        Campaign([job], deadline=_deadline(10**9), say=lambda line: None).work(save=lambda: None)
    assert (first.touched, first.num_new, first.num_left) == ([0, 1], 2, 0)
    assert (again.touched, again.num_new) == ([], 0)


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
        if entry.table in config_files.names("table"):
            assert jobs_of(entry, plan(entry.table, dataset=entry.dataset))


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
        ({"cells": [{"table": "dk_table5", "only": {"model": "cnn4"}}]}, "configs/campaign/odd.yaml: "),
    ],
)
def test_a_list_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], message: str
) -> None:
    (tmp_path / "campaign").mkdir()
    (tmp_path / "campaign" / "odd.yaml").write_text(yaml.safe_dump({"about": "odd", "name": "odd", **content}))
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path)
    with pytest.raises(ValueError, match=message):
        entries("odd")


def test_an_unknown_list_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown campaign 'first_gpu_hour'; did you mean 'first_gpu_hours'\?"):
        entries("first_gpu_hour")
