"""``convrepro list``."""

from tests.cli.conftest import Command

from convrepro import config_files


def test_every_config_has_its_line(convrepro: Command) -> None:
    code, out, _ = convrepro("list")
    assert code == 0
    for group in ("dataset", "model", "conv", "recipe", "protocol", "table"):
        for name in config_files.names(group):
            assert f"  {name} " in out


def test_a_group_may_be_named_as_in_an_override(convrepro: Command) -> None:
    assert convrepro("list", "conv") == convrepro("list", "operators")


def test_one_kind_alone(convrepro: Command) -> None:
    _, out, _ = convrepro("list", "operators")
    assert "dk_first" in out
    assert "resnet20" not in out
