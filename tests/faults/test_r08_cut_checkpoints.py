"""R8: a checkpoint that was cut anywhere is noticed; the one before it is used, to the same final result."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.training import seeds

from convrepro.training import Learner, checkpoints

NUM_EPOCHS, STEPS = 3, 4
FRACTIONS = (0.999, 0.0, 0.5, 0.1, 0.9)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return seeds.fitted([seeds.learner(0, tmp_path_factory.mktemp("whole"))], NUM_EPOCHS)[0]


def _cut(path: Path, num_bytes: int) -> None:
    path.write_bytes(path.read_bytes()[:num_bytes])


def _check_goes_on_from(num_epochs: int, folder: Path, expected: Learner) -> None:
    reports: list[float] = []
    (found,) = seeds.fitted([seeds.learner(0, folder, report=reports.append)], NUM_EPOCHS)
    assert len(reports) == (NUM_EPOCHS - num_epochs) * STEPS
    assert seeds.same_bits(found, expected)
    assert found.history == expected.history
    assert sorted(checkpoints.whole(found.folder)) == [(NUM_EPOCHS - 1, 0), (NUM_EPOCHS, 0)]


def test_the_same_result_after_any_cut(tmp_path: Path, whole: Learner, figure: Callable[[int, int], int]) -> None:
    (cut,) = seeds.fitted([seeds.learner(0, tmp_path / "cut")], 2)
    size = checkpoints.path_after(cut.folder, 2).stat().st_size
    cuts = [*(int(size * fraction) for fraction in FRACTIONS), *range(1 << 12, size, 1 << 12)]
    for num_bytes in cuts[: figure(3, len(cuts))]:
        folder = tmp_path / f"{num_bytes}"
        shutil.copytree(tmp_path / "cut", folder)
        _cut(checkpoints.path_after(folder / "seed0", 2), num_bytes)
        _check_goes_on_from(1, folder, whole)


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_without_any_whole_checkpoint_the_run_starts_again(tmp_path: Path, whole: Learner, suffix: str) -> None:
    (cut,) = seeds.fitted([seeds.learner(0, tmp_path)], 2)
    for num_epochs in (1, 2):
        path = checkpoints.path_after(cut.folder, num_epochs)
        _cut(path.with_name(path.name + suffix), 50)
    _check_goes_on_from(0, tmp_path, whole)


def test_every_cut_is_noticed(tmp_path: Path, figure: Callable[[int, int], int]) -> None:
    """At each 4 KiB, and at fractions, of a checkpoint of a megabyte or ten."""
    older, newer = (checkpoints.path_after(tmp_path, num_epochs) for num_epochs in (1, 2))
    values = torch.arange(figure(1, 10) * 250_000, dtype=torch.float32)
    for path in (older, newer):
        checkpoints.save({"weight": values}, path)
    size = newer.stat().st_size
    cuts = sorted({*(int(size * fraction) for fraction in FRACTIONS), *range(0, size, 1 << 12), size - 1})
    assert len(cuts) > 240
    with newer.open("r+b") as file:
        for num_bytes in reversed(cuts):
            file.truncate(num_bytes)
            with pytest.raises(checkpoints.NotWhole, match=r"epoch2\.ckpt is not what was written there"):
                checkpoints.load(newer)
    assert checkpoints.whole(tmp_path) == {(1, 0): older}
    assert torch.equal(checkpoints.load(older)["weight"], values)
