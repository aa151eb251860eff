"""R9, of checkpoints: one flipped bit anywhere, in the file or in what it is known by, is noticed."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.training import seeds

from convrepro.training import Learner, checkpoints


def _flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Learner:
    return seeds.fitted([seeds.learner(0, tmp_path_factory.mktemp("trained"))], 2)[0]


@pytest.mark.parametrize("suffix", ["", ".json"])
def test_every_flip_is_noticed(trained: Learner, figure: Callable[[int, int], int], suffix: str) -> None:
    path = checkpoints.path_after(trained.folder, 2)
    flipped = path.with_name(path.name + suffix)
    generator = random.Random(9)
    for _ in range(figure(100, 1000)):
        bit = generator.randrange(8 * flipped.stat().st_size)
        _flip(flipped, bit)
        with pytest.raises(checkpoints.NotWhole):
            checkpoints.load(path)
        _flip(flipped, bit)
    assert checkpoints.load(path)["num_epochs"] == 2


def test_a_flipped_checkpoint_of_a_step_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Learner, figure: Callable[[int, int], int]
) -> None:
    monkeypatch.setattr("convrepro.training.seed_group._SECONDS_UNSTOPPED", 0.0)
    for number in range(figure(2, 50)):
        folder = tmp_path / str(number)
        seeds.interrupted([seeds.learner(0, folder, report=seeds.signal_at(6))], 2)
        path = checkpoints.path_after(folder / "seed0", 1, 2)
        _flip(path, random.Random(number).randrange(8 * path.stat().st_size))
        reports: list[float] = []
        (found,) = seeds.fitted([seeds.learner(0, folder, report=reports.append)], 2)
        assert len(reports) == 4
        assert seeds.same_bits(found, trained)


def test_a_flip_in_kept_weights_is_noticed(trained: Learner, figure: Callable[[int, int], int]) -> None:
    path = trained.folder / "weights" / "last.pt"
    checkpoints.save({"epoch": 2, "weights": trained.network.state_dict()}, path)
    generator = random.Random(10)
    for _ in range(figure(50, 1000)):
        bit = generator.randrange(8 * path.stat().st_size)
        _flip(path, bit)
        with pytest.raises(ValueError, match=r"last\.pt is not what was written there"):
            checkpoints.load(path)
        _flip(path, bit)
