"""What a config, an override or a record may not make the program import or call."""

import builtins
import dataclasses
import hashlib
import importlib
import io
import json
import os
import subprocess
import sys
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from convrepro import config_files, targets
from convrepro.cli.main import main
from convrepro.data import datasets
from convrepro.models import build
from convrepro.protocols import hydra_nodes
from convrepro.protocols.compose import check_files, compose
from convrepro.protocols.identity import what_is_computed
from convrepro.protocols.network import build_network
from convrepro.protocols.recompose import config_of
from convrepro.protocols.train import make_optimizer
from convrepro.records import Record

DANGEROUS = (
    "builtins.open", "builtins.eval", "builtins.exec", "builtins.__import__", "builtins.breakpoint",
    "os.system", "os.popen", "os.remove", "os.execv", "posix.system",
    "subprocess.Popen", "subprocess.run", "shutil.rmtree", "pathlib.Path.unlink", "pickle.loads",
    "urllib.request.urlopen", "webbrowser.open", "logging.os.system", "logging.config.dictConfig", "runpy.run_path",
    "importlib.import_module", "ctypes.CDLL", "socket.socket", "code.interact", "antigravity.webbrowser.open",
    "torch.load", "torch.save", "torch.hub.load", "torch.hub.torch.hub.load", "torch.utils.cpp_extension.load",
    "torch.nn.modules.module.torch.load", "torch.nn.functional.torch.load", "torch.nn.init.normal_",
    "torch.nn.utils.parametrize.copyreg.pickle", "torch.nn.Module.load_state_dict", "torch.nn.Conv2d.__init__",
    "torch.optim.swa_utils.AveragedModel", "torch.optim.optimizer.functools.reduce", "torch.nn.__builtins__",
    "convrepro.durable.write", "convrepro.durable.os.system", "convrepro.cli.main.main",
    "convrepro.targets.importlib.import_module", "convrepro.data.downloads.fetch", "convrepro.data.datasets.load",
    "convrepro.conv.fold", "convrepro.models.build", "convrepro.conv.", ".convrepro.conv.AdaptiveConv2d",
    "\u0441onvrepro.conv.AdaptiveConv2d", "torch.nn.\u0421onv2d", "torch.nn.Conv2d.",
    "torch..nn.Conv2d", "torch.nn.Conv2d\n",
    "convrepro.conv/../../os.system",
    "hydra.utils.instantiate", "convrepro.conv.__class__.__base__.__subclasses__",
    "os", "", "__main__.main", "torch.nn", "convrepro", "sys.exit", "site.main",
)  # fmt: skip  # two have a Cyrillic letter
PLACES = ("conv", "model", "recipe.optimizer", "dataset")


@pytest.fixture(autouse=True)
def called(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of dangerous functions that were called; there must be none."""
    calls: list[str] = []

    def trap(name: str) -> Callable[..., Any]:
        return lambda *args, **kwargs: calls.append(name)

    for module, name in (
        *((os, "system"), (os, "popen"), (os, "execv"), (subprocess, "Popen"), (subprocess, "run")),
        *((urllib.request, "urlopen"), (webbrowser, "open"), (torch, "load"), (torch.hub, "load")),
        *((builtins, "eval"), (builtins, "breakpoint"), (sys, "exit")),
    ):
        monkeypatch.setattr(module, name, trap(name))
    yield calls
    monkeypatch.undo()
    assert calls == []


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the modules that a ``_target_`` made the program import."""
    names: list[str] = []
    real = importlib.import_module

    def noted(name: str, package: str | None = None) -> Any:
        names.append(name)
        return real(name, package)

    monkeypatch.setattr(targets.importlib, "import_module", noted)
    return names


def test_there_are_at_least_fifty() -> None:
    assert len(set(DANGEROUS)) >= 50


@pytest.mark.parametrize("kind", [None, *targets.KINDS])
def test_none_is_found_and_nothing_outside_the_allow_list_is_imported(
    kind: targets.Kind | None, imported: list[str]
) -> None:
    for target in DANGEROUS:
        with pytest.raises(ValueError, match="`_target_`") as refusal:
            targets.resolve(target, kind=kind)
        assert "\n" not in str(refusal.value)
    for name in imported:
        assert name.split(".")[:2] in (["torch", "nn"], ["torch", "optim"]) or name.split(".")[:2] in [
            ["convrepro", part] for part in ("conv", "models", "data")
        ]


def test_none_is_found_with_a_plugin_that_is_nobodys_own(imported: list[str]) -> None:
    for target in DANGEROUS:
        package = target.rpartition(".")[0] or "os"
        with pytest.raises(ValueError, match=r"`plugins`|`_target_`"):
            targets.resolve(target, [package])
    assert imported == []


def test_files_that_name_them_are_refused(tmp_path: Path) -> None:
    shape = {"num_classes": 2, "in_channels": 1, "image_size": [8, 8]}
    digits = config_files.load("dataset", "digits")
    for target in DANGEROUS:
        for group, name in (("conv", "dk"), ("model", "cnn4")):
            nodes: dict[str, Any] = {"conv": "dk", "model": "cnn4", "dataset": shape}
            nodes[group] = {**config_files.load(group, name), "_target_": target}
            with pytest.raises(ValueError, match="`_target_`"):
                build(**nodes)
        with pytest.raises(ValueError, match="`_target_`"):
            datasets.load({**digits, "_target_": target}, tmp_path, download=False)
    assert not list(tmp_path.iterdir())


def test_overrides_that_name_them_are_refused(figure: Callable[[int, int], int]) -> None:
    for target in DANGEROUS[:: max(1, len(DANGEROUS) // figure(4, len(DANGEROUS)))]:
        for place in PLACES:
            with pytest.raises(ValueError, match=r"_target_|cannot be read|unknown"):
                _start([f"{place}._target_='{target}'"])


def _start(overrides: list[str]) -> None:
    config = compose(["conv=dk", "model=cnn4", "dataset=digits", *overrides])
    build_network(config)
    make_optimizer(config)
    datasets.load(dataclasses.asdict(config.dataset), Path("nowhere"), download=False)


def test_records_that_name_them_are_not_instantiated(figure: Callable[[int, int], int], imported: list[str]) -> None:
    """Even where a record's id is that of its content, no config file here makes it."""
    config = compose(["conv=dk"])
    computed = what_is_computed(config)
    for target in DANGEROUS[:: max(1, len(DANGEROUS) // figure(2, len(DANGEROUS)))]:
        for place in PLACES:
            said = json.loads(json.dumps(computed))
            node = said
            for key in place.split("."):
                node = node[key]
            node["_target_"] = target
            text = json.dumps(said, sort_keys=True, separators=(",", ":"))
            record = _record(config.conv["name"], said, hashlib.sha256(text.encode()).hexdigest()[:16])
            with pytest.raises(ValueError, match=f"the configs or plugins here are not those of run {record.run_id}"):
                config_of(record)
    assert not set(imported) & {target.rpartition(".")[0] for target in DANGEROUS}


def _record(conv: str, said: dict[str, Any], run_id: str) -> Record:
    names = {"conv": conv, "model": "cnn4", "dataset": "digits", "recipe": "dk_adam", "protocol": "holdout_200"}
    return Record(
        run_id=run_id, seed=0, status="done", config=said, names=names, official_data=True, scaled=False,
        num_parameters=0, num_macs=0, num_operator_layers=0, splits={}, epochs={}, selected={}, measured={},
        environment={},
    )  # fmt: skip


def test_a_checkpoint_that_names_them_gives_back_text() -> None:
    """What reads checkpoints knows tensors and plain values only."""
    buffer = io.BytesIO()
    torch.save({"conv": {"_target_": "os.system", "command": "true"}}, buffer)
    real: Any = importlib.import_module("torch.serialization").load
    buffer.seek(0)
    assert real(buffer, weights_only=True) == {"conv": {"_target_": "os.system", "command": "true"}}


HYDRA = (
    "hydra.launcher._target_=os.system", "++hydra.launcher._target_=os.system", "hydra.sweeper._target_=os.system",
    "+hydra.callbacks.x._target_=os.system", "+hydra.callbacks.x={_target_:os.system}", "hydra.callbacks={x:1}",
    "hydra={callbacks:{x:{_target_:os.system}}}", "hydra.launcher={_target_:os.system}", "hydra.launcher=${conv}",
    "+hydra.launcher.x={_target_:os.system}", "+hydra.launcher.x=${conv}", "hydra.sweeper.params=${conv}",
    "hydra.searchpath=[file:///tmp]", "hydra.searchpath=[pkg://os]", "hydra/callbacks=[x]", "+hydra/callbacks=x",
    "hydra/job_logging=custom", "hydra.job_logging.root.handlers=[x]", "+hydra.hydra_logging.x.class=os.system",
    "hydra/hydra_logging=colorlog", "hydra/sweeper=x", "hydra/help=x", "hydra.job.env_set.PYTHONPATH=/tmp",
    "hydra.job.chdir=true", "hydra/launcher=../../conv/dk", "hydra/launcher=nowhere", "hydra/launcher@x=joblib",
    "conv@hydra.launcher=dk", "+conv@hydra.callbacks.x=dk", "conv@hydra=dk", "hydra.mode=MULTIRUN",
    "hydra.output_subdir=../x",
)  # fmt: skip


@pytest.mark.parametrize("override", HYDRA)
def test_hydra_is_told_to_import_nothing(override: str) -> None:
    with pytest.raises(ValueError, match=r"hydra|Hydra|launcher") as refusal:
        hydra_nodes.check_override(OverridesParser.create().parse_override(override))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "override",
    ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=x", "hydra.run.dir=x", "hydra.verbose=true"],
)
def test_what_hydra_may_be_told(override: str) -> None:
    hydra_nodes.check_override(OverridesParser.create().parse_override(override))


def test_the_command_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for override in HYDRA[:4]:
        assert main(["train", override]) == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "node",
    [
        {"callbacks": {"x": {"_target_": "os.system"}}},
        {"launcher": {"_target_": "os.system"}},
        {"sweeper": {"_target_": "os.system"}},
        {"job_logging": {"handlers": {"x": {"class": "os.system"}}}},
        {"hydra_logging": {"filters": {"x": {"()": "os.system"}}}},
    ],
)
@pytest.mark.parametrize("choice", ["conv=mine", "conv=dk,mine"])
def test_a_file_of_the_config_folder_tells_hydra_to_import_nothing(
    node: dict[str, Any], choice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for entry in config_files.CONFIG_DIR.iterdir():
        if entry.name != "conv":
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "conv").mkdir()
    for entry in (config_files.CONFIG_DIR / "conv").iterdir():
        (tmp_path / "conv" / entry.name).symlink_to(entry)
    (tmp_path / "conv/mine.yaml").write_text(f"# @package _global_\n{yaml.safe_dump({'hydra': node})}")
    monkeypatch.setattr(config_files, "CONFIG_DIR", tmp_path)
    with pytest.raises(ValueError, match=f"`hydra.{next(iter(node))}` must be"):
        check_files([choice])
