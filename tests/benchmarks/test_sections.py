from pathlib import Path

import torch

from convrepro.benchmarks import SECTIONS, prepared


def test_names_are_those_of_files() -> None:
    names = [section.name for section in SECTIONS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_images_are_there_as_long_as_it_is_entered(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    with prepared(quick=True, rounds=None, threads=threads, data_dir=tmp_path) as settings:
        assert settings.source == "random"
        assert list(settings.folder.glob("*.npy"))
        assert (settings.num_rounds(5), settings.pick("full", "quick")) == (2, "quick")
    assert not settings.folder.exists()


def test_rounds_that_are_asked_for_are_taken(tmp_path: Path) -> None:
    with prepared(quick=False, rounds=9, threads=torch.get_num_threads(), data_dir=tmp_path) as settings:
        assert (settings.num_rounds(5), settings.pick("full", "quick")) == (9, "full")
