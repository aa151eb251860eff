"""The allow-list of `_target_`s."""

import re
import sys
from pathlib import Path

import pytest
from torch import nn

from convrepro import targets
from convrepro.data import digits


def test_torch_and_own_targets_resolve() -> None:
    assert targets.resolve("torch.nn.Conv2d") is nn.Conv2d
    assert targets.resolve("convrepro.data.digits.read") is digits.read


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.open",
        "builtins.eval",
        "urllib.request.urlopen",
        "webbrowser.open",
        "logging.os.system",
        "subprocess.Popen",
        "torch.load",
        "torch.hub.load",
        "torch.nn.functional.os.system",
        "torch.nn",
        "convrepro.durable.os.system",
        "convrepro.durable.tempfile.mkstemp",
        "convrepro.durable.Path",
        "convreproevil.run",
        "Conv2d",
        "",
        "torch.nn.Conv2dd",
        "convrepro.nowhere.f",
        "torch.nn.modules.conv.math.sqrt",
    ],
)
def test_everything_else_is_refused_in_one_line(target: str) -> None:
    with pytest.raises(ValueError, match="`_target_`") as error:
        targets.resolve(target)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("kind", "right", "others"),
    [
        (
            targets.OPERATOR,
            "torch.nn.Conv2d",
            ["convrepro.models.CNN4", "torch.optim.SGD", "convrepro.data.digits.read"],
        ),
        (targets.NETWORK, "convrepro.models.CNN4", ["convrepro.conv.AdaptiveConv2d", "convrepro.models.build"]),
        (targets.OPTIMIZER, "torch.optim.SGD", ["torch.nn.Conv2d", "torch.optim.lr_scheduler.StepLR"]),
        (targets.READER, "convrepro.data.cluttered.generate", ["convrepro.data.downloads.fetch", "torch.nn.Conv2d"]),
    ],
)
def test_what_is_asked_for_decides_what_may_be_named(kind: targets.Kind, right: str, others: list[str]) -> None:
    assert callable(targets.resolve(right, kind=kind))
    for other in others:
        with pytest.raises(ValueError, match="`_target_`"):
            targets.resolve(other, kind=kind)


@pytest.mark.parametrize(
    ("target", "nearest"),
    [
        ("torch.nn.Conv2dd", "torch.nn.Conv2d"),
        ("convrepro.conv.DynamicKernelConv", "convrepro.conv.DynamicKernelConv2d"),
        ("convrepro.models.CNN5", "convrepro.models.CNN4"),
    ],
)
def test_the_nearest_is_named(target: str, nearest: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"'{target}' does not exist; did you mean {nearest}?")):
        targets.resolve(target)


@pytest.fixture
def plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of the user's own."""
    source = "from os import system\nfrom shutil import rmtree\nfrom torch import nn\nclass Conv(nn.Conv2d): pass\n"
    source += "def load(): pass\nclass Other: pass\n"
    (tmp_path / "plugged_into_targets.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    return "plugged_into_targets"


def test_a_named_plugin_is_allowed(plugged_in: str) -> None:
    with pytest.raises(ValueError, match="name your own package in `plugins`"):
        targets.resolve(f"{plugged_in}.Conv")
    assert plugged_in not in sys.modules
    assert issubclass(targets.resolve(f"{plugged_in}.Conv", [plugged_in], targets.OPERATOR), nn.Conv2d)
    assert callable(targets.resolve(f"{plugged_in}.load", [plugged_in], targets.READER))


@pytest.mark.parametrize("name", ["Other", "load", "system", "nn", "Missing"])
def test_a_plugins_operator_is_a_class_of_its_own_layers(plugged_in: str, name: str) -> None:
    with pytest.raises(ValueError, match="`_target_`"):
        targets.resolve(f"{plugged_in}.{name}", [plugged_in], targets.OPERATOR)


@pytest.mark.parametrize("name", ["rmtree", "system", "Conv", "Other"])
def test_a_plugins_reader_is_a_function_of_its_own(plugged_in: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"`_target_` .* is not a function that reads data"):
        targets.resolve(f"{plugged_in}.{name}", [plugged_in], targets.READER)


@pytest.mark.parametrize(
    "plugin", ["os", "os.path", "builtins", "torch", "torch.hub", "convrepro", "convrepro.cli", "pip"]
)
def test_what_is_nobodys_own_is_no_plugin(plugin: str) -> None:
    message = f"`plugins` must name packages of your own, got '{plugin}'"
    with pytest.raises(ValueError, match=message):
        targets.import_plugins([plugin])
    with pytest.raises(ValueError, match=message):
        targets.resolve("torch.nn.Conv2d", [plugin])


def test_what_a_plugin_raises_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raising_when_imported.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="`plugins`: 'raising_when_imported' cannot be imported: division by zero"):
        targets.import_plugins(["raising_when_imported"])


def test_plugins_are_imported_for_what_they_register(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "registering.py").write_text("import sys\nsys.modules['registered'] = sys\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "registered", raising=False)
    targets.import_plugins(["registering"])
    assert "registered" in sys.modules


@pytest.mark.parametrize("plugin", ["nowhere", "", ".here"])
def test_a_plugin_that_is_not_there_is_named(plugin: str) -> None:
    with pytest.raises(ValueError, match=rf"`plugins`: '{re.escape(plugin)}' cannot be imported"):
        targets.import_plugins([plugin])
