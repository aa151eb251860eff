"""A name is never a path: outside the results folder nothing is read or written."""

from pathlib import Path

import pytest

from convrepro.cli.main import main
from convrepro.protocols.compose import compose
from convrepro.targets import import_plugins

HOSTILE = ("../x", "../../etc/passwd", "/etc/passwd", "a/../../b", "a\x00b", "a\nb", "-x", "--", "", ".", "..", "~/x")
HOSTILE += ("a\\b", "%2e%2e/x", "x" * 300, "\x1b[31m")


@pytest.mark.parametrize("key", ["conv.name", "model.name", "dataset.name", "recipe.name", "protocol.name"])
def test_names_of_a_config(key: str) -> None:
    for name in ("../x", "/x", "a/b", "-x", ".x", "a\\\\b", "x" * 101):
        with pytest.raises(ValueError, match=rf"`{key}` must be letters") as error:
            compose([f"{key}='{name}'"])
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("group", ["conv", "model", "dataset", "recipe", "protocol", "machine", "recipe/augmentation"])
def test_choices_of_a_config(group: str) -> None:
    for name in ("../x", "../../etc/passwd", "/etc/passwd", "a/../../b", "..", "~/x"):
        with pytest.raises(ValueError, match=rf"unknown {group} "):
            compose([f"{group}='{name}'"])


@pytest.mark.parametrize(
    "name", ["run/../../x", "run//etc/passwd", "run/0123456789abcdef/..", "torchvision/../x", "file/x"]
)
def test_weights_to_start_from(name: str) -> None:
    with pytest.raises(ValueError, match=r"`recipe.pretrained` must be"):
        compose([f"recipe.pretrained='{name}'"])


@pytest.mark.parametrize("name", HOSTILE)
def test_plugins(name: str) -> None:
    with pytest.raises(ValueError, match="`plugins`"):
        import_plugins([name])


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.strip("-")])
def test_data_sets_of_a_table(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "quickstart", f"--dataset={name}", "--results=out"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.strip().isprintable()
    assert not list(tmp_path.iterdir())
