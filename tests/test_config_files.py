"""Names in the config folder."""

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
