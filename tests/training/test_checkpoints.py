"""Checkpoints that are whole or not used."""

from pathlib import Path

import pytest
import torch

from convrepro.training import checkpoints


def _save(folder: Path, epoch: int) -> Path:
    path = checkpoints.path_after(folder, epoch)
    checkpoints.save({"epoch": epoch, "weight": torch.arange(100.0)}, path)
    return path


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    loaded = checkpoints.load(_save(tmp_path, 3))
    assert loaded["epoch"] == 3
    assert torch.equal(loaded["weight"], torch.arange(100.0))


def test_checkpoints_are_known_by_their_number_of_epochs(tmp_path: Path) -> None:
    ten, nine = _save(tmp_path, 10), _save(tmp_path, 9)
    (tmp_path / "epoch.ckpt").write_text("somebody else's")
    assert checkpoints.whole(tmp_path) == {(10, 0): ten, (9, 0): nine}


def test_no_checkpoint(tmp_path: Path) -> None:
    assert checkpoints.whole(tmp_path) == {}
    assert checkpoints.whole(tmp_path / "missing") == {}


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_checkpoint_is_passed_over(tmp_path: Path, fraction: float) -> None:
    older, newer = _save(tmp_path, 1), _save(tmp_path, 2)
    content = newer.read_bytes()
    newer.write_bytes(content[: int(len(content) * fraction)])
    assert checkpoints.whole(tmp_path) == {(1, 0): older}


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    older, newer = _save(tmp_path, 1), _save(tmp_path, 2)
    content = newer.read_bytes()
    for position in range(0, len(content), 97):
        newer.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert checkpoints.whole(tmp_path) == {(1, 0): older}


def test_a_checkpoint_without_its_fingerprint_is_passed_over(tmp_path: Path) -> None:
    path = _save(tmp_path, 1)
    path.with_name("epoch1.ckpt.json").unlink()
    assert checkpoints.whole(tmp_path) == {}


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 3, 11):
        _save(tmp_path, epoch)
    checkpoints.remove_old(tmp_path)
    kept = {"epoch3.ckpt", "epoch3.ckpt.json", "epoch11.ckpt", "epoch11.ckpt.json"}
    assert {path.name for path in tmp_path.iterdir()} == kept


def test_of_an_epoch_under_way_the_last_two_are_kept_until_it_ends(tmp_path: Path) -> None:
    for num_steps in (3, 10, 20):
        checkpoints.save({}, checkpoints.path_after(tmp_path, 1, num_steps))
    for epoch in (1, 2):
        _save(tmp_path, epoch)
    checkpoints.save({}, checkpoints.path_after(tmp_path, 2, 5))
    checkpoints.remove_old(tmp_path)
    assert list(checkpoints.found(tmp_path)) == [(1, 0), (2, 0), (2, 5)]
    for num_steps in (4, 10, 20):
        checkpoints.save({}, checkpoints.path_after(tmp_path, 2, num_steps))
    checkpoints.remove_old(tmp_path)
    assert list(checkpoints.found(tmp_path)) == [(1, 0), (2, 0), (2, 10), (2, 20)]
    assert len(list(tmp_path.iterdir())) == 8  # with a sidecar each


def test_a_pickle_is_never_executed(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path(tmp_path / "exploded").write_text, ("boom",))

    path = tmp_path / "epoch1.ckpt"
    checkpoints.save({"bomb": Bomb()}, path)
    with pytest.raises(ValueError, match=r"epoch1\.ckpt holds something else than weights, which is never loaded"):
        checkpoints.load(path)
    assert not (tmp_path / "exploded").exists()


def test_what_is_loaded_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "weights" / "last.pt"
    with pytest.raises(FileNotFoundError):
        checkpoints.load(path)
    checkpoints.save({"weight": torch.arange(100.0)}, path)
    assert torch.equal(checkpoints.load(path)["weight"], torch.arange(100.0))
    content = path.read_bytes()
    path.write_bytes(content[:700] + bytes([content[700] ^ 1]) + content[701:])
    with pytest.raises(ValueError, match=r"last\.pt is not what was written there"):
        checkpoints.load(path)
