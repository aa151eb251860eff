"""Groups of runs as jobs, handed to a cluster that a test plays."""

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.protocols.test_run import TINY

from convrepro import interruption
from convrepro.protocols.attempt import Outcome, Report
from convrepro.protocols.composer import compose
from convrepro.protocols.launchers import jobs
from convrepro.protocols.launchers.jobs import NUM_TRIES, Errand, Lost
from convrepro.protocols.schema import Config

Told = list[tuple[int, float]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_SECONDS_BETWEEN_LOOKS", 0.0)


@pytest.fixture
def groups() -> list[list[Config]]:
    """Three groups of two seeds."""
    one = compose(TINY)
    return [[dataclasses.replace(one, seed=seed) for seed in (first, first + 1)] for first in (0, 2, 4)]


def _work(configs: Sequence[Config], tell: Report) -> list[Outcome]:
    for config in configs:
        tell(config, 0.5)
    return [Outcome(config=config, failure=f"of {config.seed}") for config in configs]


class _Job:
    """A job that does what its cluster says at the second look."""

    def __init__(self, errand: Errand, do: Callable[[Errand], list[Outcome] | None]) -> None:
        self._errand, self._do, self._num_looks = errand, do, 0
        self.is_cancelled = False

    def outcomes(self) -> list[Outcome] | None:
        self._num_looks += 1
        return None if self._num_looks == 1 else self._do(self._errand)

    def cancel(self) -> None:
        self.is_cancelled = True


class _Cluster:
    """Notes what it is given, and what the launch tells."""

    def __init__(self, folder: Path, do: Callable[[Errand], list[Outcome] | None] = Errand.__call__) -> None:
        self._folder, self._do = folder, do
        self.begun: list[int] = []  # first seeds of the groups
        self.jobs: list[_Job] = []
        self.told: Told = []

    def begin(self, errands: Sequence[Errand]) -> list[_Job]:
        self.begun += [errand.configs[0].seed for errand in errands]
        begun = [_Job(errand, self._do) for errand in errands]
        self.jobs += begun
        return begun

    def follow(self, groups: Sequence[Sequence[Config]], *, num_at_once: int = 2) -> Iterator[Outcome]:
        return jobs.follow(
            groups,
            _work,
            self.begin,
            folder=self._folder,
            num_at_once=num_at_once,
            report=lambda config, fraction: self.told.append((config.seed, fraction)),
        )


def test_each_run_has_its_outcome_and_tells_of_itself(tmp_path: Path, groups: list[list[Config]]) -> None:
    cluster = _Cluster(tmp_path)
    outcomes = list(cluster.follow(groups))
    assert cluster.begun == [0, 2, 4]
    assert {outcome.config.seed: outcome.failure for outcome in outcomes} == {n: f"of {n}" for n in range(6)}
    asked = {id(config) for group in groups for config in group}
    assert {id(outcome.config) for outcome in outcomes} == asked  # not the copies that went to the cluster


def test_progress_comes_from_the_folder_and_never_goes_back(tmp_path: Path, groups: list[list[Config]]) -> None:
    left = [0.5, 0.75, 0.25]

    def lost_twice(errand: Errand) -> list[Outcome]:
        errand.folder.mkdir(exist_ok=True)
        (errand.folder / "1").write_text(str(left.pop()))
        if left:
            raise Lost("fell over")
        return [Outcome(config=config) for config in errand.configs]

    cluster = _Cluster(tmp_path, lost_twice)
    list(cluster.follow(groups[:1]))
    assert cluster.told == [(1, 0.25), (1, 0.75)]


def test_no_more_jobs_than_asked_for(tmp_path: Path, groups: list[list[Config]]) -> None:
    cluster = _Cluster(tmp_path)
    first = next(cluster.follow(groups, num_at_once=1))
    assert (first.config.seed, cluster.begun) == (0, [0])


def test_a_lost_group_is_begun_again(tmp_path: Path, groups: list[list[Config]]) -> None:
    losses = [Lost("fell over"), Lost("fell over")]

    def lost_twice(errand: Errand) -> list[Outcome]:
        if errand.configs[0].seed == 2 and losses:
            raise losses.pop()
        return errand()

    cluster = _Cluster(tmp_path, lost_twice)
    assert len(list(cluster.follow(groups))) == 6
    assert cluster.begun.count(2) == 3
    assert len(cluster.begun) == 5


def test_a_group_that_is_lost_each_time_fails_and_the_others_do_not(tmp_path: Path, groups: list[list[Config]]) -> None:
    def lost(errand: Errand) -> list[Outcome]:
        if errand.configs[0].seed == 0:
            raise Lost("ran out of memory")
        return errand()

    cluster = _Cluster(tmp_path, lost)
    failures = {outcome.config.seed: outcome.failure for outcome in cluster.follow(groups)}
    assert cluster.begun.count(0) == NUM_TRIES
    assert failures[0] == failures[1] == "its process ran out of memory, 4 times without getting further"
    assert [failures[seed] for seed in range(2, 6)] == ["of 2", "of 3", "of 4", "of 5"]


def test_a_group_that_gets_further_each_time_is_begun_again_as_often_as_it_takes(
    tmp_path: Path, groups: list[list[Config]]
) -> None:
    """A scheduler's limit of time is much shorter than a run."""
    num_tries = 0

    def out_of_time(errand: Errand) -> list[Outcome]:
        nonlocal num_tries
        num_tries += 1
        if num_tries > 3 * NUM_TRIES:
            return errand()
        errand.folder.mkdir(exist_ok=True)
        (errand.folder / "0").write_text(str(num_tries / 100))
        return [Outcome(config=config, is_interrupted=True) for config in errand.configs]

    outcomes = list(_Cluster(tmp_path, out_of_time).follow(groups[:1]))
    assert [outcome.failure for outcome in outcomes] == ["of 0", "of 1"]
    assert num_tries == 3 * NUM_TRIES + 1


def test_tries_are_counted_from_where_it_last_got_further(tmp_path: Path, groups: list[list[Config]]) -> None:
    num_tries = 0

    def stuck_at_half(errand: Errand) -> list[Outcome]:
        nonlocal num_tries
        num_tries += 1
        assert num_tries < 5 * NUM_TRIES
        errand.folder.mkdir(exist_ok=True)
        (errand.folder / "0").write_text(str(0.25 if num_tries < NUM_TRIES else 0.5))
        raise Lost("fell over")

    outcomes = list(_Cluster(tmp_path, stuck_at_half).follow(groups[:1]))
    assert [outcome.failure != "" for outcome in outcomes] == [True, True]
    assert num_tries == 2 * NUM_TRIES  # the half is seen at the try after it was told, which is the first of as many


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        ("ValueError: no data\n", "ValueError: no data"),
        ("MemoryError\n", "MemoryError"),
        (
            "RuntimeError: CUDA error\nCompile with TORCH_USE_CUDA_DSA",
            "RuntimeError: CUDA error Compile with TORCH_USE_CUDA_DSA",
        ),
        (
            'System error\ntrace: Traceback:\n  File "a.py", line 1, in f\n    g()\n    ^^^\nImportError: no\n torch',
            "ImportError: no torch",
        ),
    ],
)
def test_an_error_is_told_in_one_line(trace: str, line: str) -> None:
    assert jobs.end_of_trace(trace) == line


def test_a_wish_to_stop_is_passed_on_and_waited_for(tmp_path: Path, groups: list[list[Config]]) -> None:
    def asked(errand: Errand) -> list[Outcome]:
        if not interruption.requested():
            os.kill(os.getpid(), signal.SIGTERM)
            raise Lost("fell over")  # begun again, if nobody had asked to stop
        return [Outcome(config=config, is_interrupted=True) for config in errand.configs]

    cluster = _Cluster(tmp_path, asked)
    outcomes: list[Outcome] = []
    with pytest.raises(interruption.Interrupted), interruption.heeded(), interruption.deferred():
        outcomes += cluster.follow(groups)
    assert sorted(outcome.config.seed for outcome in outcomes) == list(range(6))
    assert all(outcome.is_interrupted and not outcome.failure for outcome in outcomes)
    assert cluster.begun == [0, 2]


def test_jobs_at_work_are_asked_to_stop(
    tmp_path: Path, groups: list[list[Config]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that do not listen are left after a while."""

    def works_on(errand: Errand) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    cluster = _Cluster(tmp_path, works_on)
    outcomes: list[Outcome] = []
    monkeypatch.setattr(jobs, "_SECONDS_TO_SAVE", 0.1)
    with pytest.raises(interruption.Interrupted), interruption.heeded(), interruption.deferred():
        outcomes += cluster.follow(groups)
    assert len(outcomes) == 6
    assert all(outcome.is_interrupted for outcome in outcomes)
    assert [job.is_cancelled for job in cluster.jobs] == [True, True]


def test_jobs_are_cancelled_when_nobody_wants_more_outcomes(tmp_path: Path, groups: list[list[Config]]) -> None:
    cluster = _Cluster(tmp_path)
    outcomes = cluster.follow(groups)
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert any(job.is_cancelled for job in cluster.jobs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2])
def test_an_errand_heeds_all_ways_to_ask_it_to_stop(
    tmp_path: Path, groups: list[list[Config]], number: signal.Signals
) -> None:
    before = {known: signal.getsignal(known) for known in signal.valid_signals()}

    def asked(configs: Sequence[Config], tell: Report) -> list[Outcome]:
        with interruption.deferred():
            for _ in range(2):
                os.kill(os.getpid(), number)
            return [Outcome(config=config, is_interrupted=interruption.requested()) for config in configs]

    outcomes = Errand(work=asked, configs=tuple(groups[0]), folder=tmp_path / "errand")()
    assert [outcome.is_interrupted for outcome in outcomes] == [True, True]
    assert {known: signal.getsignal(known) for known in signal.valid_signals()} == before


def test_what_travels_means_the_same_in_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = compose([*TINY, "machine.threads=0", "machine.results_dir=here", "machine.data_dir=there"])
    machine = jobs.portable(config).machine
    assert (machine.results_dir, machine.data_dir) == (str(tmp_path / "here"), str(tmp_path / "there"))
    assert (machine.cache_dir, machine.threads) == (str(tmp_path / "here/cache"), 1)
    assert jobs.portable(compose([*TINY, "machine.threads=3"])).machine.threads == 3


def test_folders_of_dead_launches_go_and_those_of_others_stay(tmp_path: Path, groups: list[list[Config]]) -> None:
    for group in groups:
        for config in group:
            config.machine.results_dir = str(tmp_path)
    above = tmp_path / "runs" / ".ray"
    with jobs.own_folder(groups, "ray") as other:
        dead = above / other.name.replace(f"-{os.getpid()}-", "-4194305-")  # above the greatest process number
        for folder in (dead, above / "notes"):
            folder.mkdir()
        with jobs.own_folder(groups, "ray") as own:
            assert sorted(above.iterdir()) == sorted([own, other, above / "notes"])
    (above / "notes").rmdir()
    with jobs.own_folder(groups, "ray"):
        pass
    assert not above.exists()
