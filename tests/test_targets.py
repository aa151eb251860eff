"""The allow-list of `_target_`s."""

import re
import sys
from pathlib import Path

import pytest
from torch import nn

from convrepro import targets


def test_torch_and_own_targets_resolve() -> None:
    assert targets.resolve("torch.nn.Conv2d") is nn.Conv2d
    assert targets.resolve("convrepro.targets.resolve") is targets.resolve


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


def test_a_named_plugin_is_allowed() -> None:
    assert targets.resolve("fractions.Fraction", plugins=["fractions"]).__name__ == "Fraction"


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
