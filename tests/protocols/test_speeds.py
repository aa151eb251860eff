"""Speeds that are measured once."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from convrepro.protocols import speeds as module
from convrepro.protocols.calibration import Overheads, Speed
from convrepro.protocols.composer import compose
from convrepro.protocols.schema import Config
from convrepro.protocols.speeds import Speeds

SPEED = Speed(step=64.0, evaluated_image=0.0, drawn_image=0.0, checkpoint=0.0, build=0.0)
OVERHEADS = Overheads(process=5.0, run=3.0, epoch=0.0)
RUN_SECONDS = 3.0 + 8 * 1097  # 8 epochs of 1,097 images at a second each


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., list[Config]]:
    def group(*overrides: str, seeds: int = 1) -> list[Config]:
        here = [f"machine.results_dir='{tmp_path}'", "machine.threads=1", "machine.accelerator=cpu"]
        config = compose(["dataset=digits", "model=cnn4", "recipe=quickstart", *here, *overrides])
        return [dataclasses.replace(config, seed=seed) for seed in range(seeds)]

    return group


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the operators that are timed, as it happens, and ``overheads``."""
    seen: list[str] = []

    def measure(group: list[Config]) -> Speed:
        seen.append(group[0].conv["name"])
        return SPEED

    def measure_overheads(config: Config) -> Overheads:
        seen.append("overheads")
        return OVERHEADS

    monkeypatch.setattr(module, "measure", measure)
    monkeypatch.setattr(module, "measure_overheads", measure_overheads)
    return seen


def test_what_was_measured_is_not_measured_again(make: Callable[..., list[Config]], timed: list[str]) -> None:
    groups = [make(), make("conv=dk")]
    speeds = Speeds(groups, 1)
    assert not speeds.are_known
    assert speeds.unknown() == groups
    speeds.measure()
    assert timed == ["overheads", "standard", "dk"]
    for known in (speeds, Speeds(groups, 1)):
        assert known.are_known
        assert known.unknown() == []
        known.measure()
        assert known.by_group() == [RUN_SECONDS] * 2
        assert known.seconds_to_start() == 5.0
    assert timed == ["overheads", "standard", "dk"]


@pytest.mark.parametrize(
    "overrides",
    [
        ["protocol.scale=0.5", "protocol.images=0.5"],
        ["recipe.epochs=3", "recipe.milestones=[1]", "seed=4"],
        ["protocol=dk_cifar", "protocol.validation_images=100", "dataset.mean=[0.5]"],
        ["machine.data_dir=elsewhere"],
    ],
)
def test_what_takes_no_part_in_a_step_shares_its_speed(
    make: Callable[..., list[Config]], timed: list[str], overrides: list[str]
) -> None:
    Speeds([make()], 1).measure()
    Speeds([make(*overrides)], 1).measure()
    assert timed == ["overheads", "standard"]


@pytest.mark.parametrize(
    "override",
    [
        "recipe.batch_size=32", "recipe.optimizer.lr=0.5", "recipe/augmentation=dk_cifar", "model.filters=3",
        "dataset.image_size=[9,8]", "dataset.num_classes=9", "machine.precision=bfloat16", "machine.backend=loop",
        "machine.compile=true", "machine.threads=2",
    ],
)  # fmt: skip
def test_what_takes_part_has_a_speed_of_its_own(
    make: Callable[..., list[Config]], timed: list[str], override: str
) -> None:
    Speeds([make()], 1).measure()
    assert Speeds([make(override)], 1).unknown()


def test_so_have_seeds_together_and_runs_side_by_side(make: Callable[..., list[Config]], timed: list[str]) -> None:
    Speeds([make()], 1).measure()
    assert Speeds([make(seeds=2)], 1).unknown()
    assert Speeds([make()], 2).unknown()
    assert not Speeds([make()] * 5, 1).unknown()


def test_each_run_has_its_share(make: Callable[..., list[Config]], timed: list[str]) -> None:
    speeds = Speeds([make(seeds=2)], 1)
    speeds.measure()
    assert list(speeds.by_run().values()) == [(2 * 3.0 + 8 * 1097) / 2] * 2
    assert [seed for _, seed in speeds.by_run()] == [0, 1]


def test_timing_needs_no_calibration_and_takes_seconds(make: Callable[..., list[Config]], timed: list[str]) -> None:
    speeds = Speeds([make("protocol=step_timing", seeds=2)], 1)
    assert speeds.are_known
    assert (speeds.by_group(), timed) == ([10.0], [])


def test_a_count_is_known(make: Callable[..., list[Config]], timed: list[str]) -> None:
    speeds = Speeds([make("protocol=count")], 1)
    assert speeds.are_known
    speeds.measure()
    assert (speeds.by_group(), timed) == ([0.0], [])


def test_other_code_has_another_speed(
    make: Callable[..., list[Config]], timed: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Speeds([make()], 1).measure()
    monkeypatch.setattr(module, "_code", lambda: "another")
    speeds = Speeds([make("conv=dk")], 1)
    speeds.measure()
    assert len(timed) == 4
    assert len(json.loads((tmp_path / "cache" / "speeds.json").read_text())["speeds"]) == 2  # the old are gone


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"speeds": 3}'])
def test_a_broken_file_is_written_anew(
    make: Callable[..., list[Config]], timed: list[str], tmp_path: Path, content: str
) -> None:
    path = tmp_path / "cache" / "speeds.json"
    Speeds([make()], 1).measure()
    whole = path.read_text()
    path.write_text(content)
    Speeds([make()], 1).measure()
    assert path.read_text() == whole
    path.write_text(whole.replace('"step"', '"stride"'))
    assert Speeds([make()], 1).unknown()


def test_speeds_without_what_every_run_takes_are_not_known(
    make: Callable[..., list[Config]], timed: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "cache" / "speeds.json"
    Speeds([make()], 1).measure()
    content = json.loads(path.read_text())
    content["speeds"] = {key: entry for key, entry in content["speeds"].items() if "step" in entry}
    path.write_text(json.dumps(content))
    speeds = Speeds([make()], 1)
    assert not speeds.are_known
    speeds.measure()
    assert speeds.are_known
    assert timed == ["overheads", "standard", "overheads"]


def test_where_nothing_can_be_kept_it_is_known_for_once(
    make: Callable[..., list[Config]], timed: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    speeds = Speeds([make()], 1)
    speeds.measure()
    assert speeds.by_group() == [RUN_SECONDS]
    assert Speeds([make()], 1).unknown()


class _InTurn:
    """joblib's pool, without processes."""

    sizes: list[int] = []  # noqa: RUF012

    def __init__(self, n_jobs: int, **settings: Any) -> None:
        self.sizes.append(n_jobs)

    def __call__(self, tasks: Iterable[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]) -> Iterator[Any]:
        return iter([function(*arguments, **keywords) for function, arguments, keywords in tasks])


def test_no_process_waits_while_another_is_timed(
    make: Callable[..., list[Config]], timed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three groups in two processes: the first is timed again beside the last; it is told once."""
    monkeypatch.setattr(module.joblib, "Parallel", _InTurn)
    told: list[str] = []
    speeds = Speeds([make(), make("conv=dk"), make("conv=acl")], 2)
    speeds.measure(lambda group, speed: told.append(group[0].conv["name"]))
    assert timed == ["overheads", "overheads", "standard", "dk", "acl", "standard"]
    assert told == ["standard", "dk", "acl"]
    assert set(_InTurn.sizes) == {2}
    assert speeds.are_known
    assert speeds.seconds_to_start() > 5.0  # and until the processes have begun
