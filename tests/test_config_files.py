"""Names in the config folder."""

from pathlib import Path

import pytest

from convrepro import config_files


def test_groups_are_folders_and_names_are_files() -> None:
    assert "quickstart" in config_files.names("table")
    assert config_files.load("recipe", "dk_sgd")["epochs"] == 300


def test_a_typo_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown table 'dk_tabel5'; did you mean 'dk_table5'"):
        config_files.load("table", "dk_tabel5")


def test_a_name_like_none_lists_what_there_is() -> None:
    with pytest.raises(ValueError, match="unknown fruit 'xyz'; known: apple, pear"):
        config_files.check_name("xyz", ["pear", "apple"], kind="fruit")


def test_the_fingerprint_follows_from_every_path_and_every_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "configs" / "a").mkdir(parents=True)
    (tmp_path / "configs" / "linked").symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path / "configs")
    seen = [config_files.fingerprint()]
    for name, text in (("a/x.yaml", "k: 1"), ("a/x.yaml", "k: 2"), ("linked/x.yaml", "k: 1"), ("y.yaml", "")):
        (tmp_path / "configs" / name).write_text(text)
        seen.append(config_files.fingerprint())
    (tmp_path / "configs" / "y.yaml").rename(tmp_path / "configs" / "z.yaml")
    seen.append(config_files.fingerprint())
    assert len(set(seen)) == len(seen)
    assert list(config_files.contents()) == ["a/x.yaml", "linked/x.yaml", "z.yaml"]

    (tmp_path / "configs" / "notes.txt").write_text("no config")
    assert config_files.fingerprint() == seen[-1]
