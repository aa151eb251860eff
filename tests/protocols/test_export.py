"""Trained networks as files that run without this project."""

import dataclasses
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from tests.protocols.test_run import TINY
from torch import nn

from convrepro.models import num_macs, num_parameters
from convrepro.protocols import export as export_module
from convrepro.protocols.composer import compose
from convrepro.protocols.export import NoWeights, check_packages, export, read_weights
from convrepro.protocols.network import build_network
from convrepro.protocols.recompose import config_of
from convrepro.protocols.run import run
from convrepro.records import Record, workspace

FORMATS = ("onnx", "pt2")
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def results_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def record(results_dir: Path) -> Record:
    return run(compose([*TINY, "conv=dk", "recipe.epochs=2", "seed=5", f"machine.results_dir='{results_dir}'"]))


@pytest.fixture
def weights(results_dir: Path, record: Record) -> dict[str, torch.Tensor]:
    return read_weights(results_dir, record, "best_on_validation")


def _network(record: Record, weights: dict[str, torch.Tensor]) -> nn.Module:
    network = build_network(config_of(record))
    network.load_state_dict(weights)
    return network.eval()


def _export(record: Record, weights: dict[str, torch.Tensor], path: Path, **changes: Any) -> export_module.Exported:
    keywords = {"selection": "best_on_validation", "file_format": path.suffix[1:], **changes}
    return export(record, weights, path, **keywords)


def test_weights_of_another_epoch_than_the_recorded_one_are_refused(results_dir: Path, record: Record) -> None:
    last = {**record.selected["last"], "epoch": 1}
    other = dataclasses.replace(record, selected={**record.selected, "last": last})
    with pytest.raises(ValueError, match="has the weights of epoch 2, the record chose epoch 1"):
        read_weights(results_dir, other, "last")


def test_an_onnx_file_is_the_network_with_its_names_and_its_origin(
    record: Record, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "tiny.onnx"
    _export(record, weights, path)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (images,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.shape, images.type) == ("images", ["batch", 1, 8, 8], "tensor(float)")
    assert (logits.name, logits.shape) == ("logits", ["batch", 10])
    (found_BK,) = session.run(None, {"images": IMAGES.numpy()})
    torch.testing.assert_close(torch.from_numpy(found_BK), _network(record, weights)(IMAGES), rtol=1e-4, atol=1e-5)

    model = onnx.load_from_string(path.read_bytes())
    onnx.checker.check_model(model, full_check=True)
    assert {opset.domain for opset in model.opset_import} == {""}
    assert session.get_modelmeta().custom_metadata_map == {
        "run_id": record.run_id, "seed": "5", "selection": "best_on_validation", "num_classes": "10",
        "mean": "[0.2871]", "std": "[0.354]",
    }  # fmt: skip


def test_a_pt2_file_is_the_network_with_its_origin(
    record: Record, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "tiny.pt2"
    _export(record, weights, path)
    extra = {"metadata.json": ""}
    loaded = torch.export.load(io.BytesIO(path.read_bytes()), extra_files=extra).module()
    torch.testing.assert_close(loaded(IMAGES), _network(record, weights)(IMAGES))
    torch.testing.assert_close(loaded(IMAGES[:1]), _network(record, weights)(IMAGES[:1]))
    assert json.loads(extra["metadata.json"])["run_id"] == record.run_id


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_names_no_folder_of_this_machine(
    record: Record, weights: dict[str, torch.Tensor], tmp_path: Path, file_format: str
) -> None:
    path = tmp_path / f"tiny.{file_format}"
    _export(record, weights, path)
    assert str(Path(export_module.__file__).parents[1]).encode() not in path.read_bytes()
    assert b"site-packages" not in path.read_bytes()


def test_what_is_told_of_a_file(record: Record, weights: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """CNN4 with 8 filters: folded, two of its layers have 8 x 6 kernels."""
    exported = _export(record, weights, tmp_path / "tiny.pt2")
    network = _network(record, weights)
    folded = 9 * 6 * 8 * (1 + 8) + 9 * 8 * (8 + 8) + 4 * 2 * 8 + (8 * 2 * 2 + 1) * 10
    assert exported.num_parameters == (num_parameters(network), folded)
    assert exported.num_macs == (num_macs(network, (1, 8, 8)),) * 2
    assert exported.largest_difference <= 1e-5
    assert exported.largest_logit > 0.1
    assert exported.path == tmp_path / "tiny.pt2"


@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_that_computes_something_else_is_not_written(
    record: Record,
    weights: dict[str, torch.Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file_format: str,
) -> None:
    def wrong(network: nn.Module) -> nn.Module:
        folded = whole(network)
        folded.classifier.bias.data[0] += 0.01
        return folded

    whole = export_module.fold
    monkeypatch.setattr(export_module, "fold", wrong)
    with pytest.raises(ValueError, match=r"the exported network's logits differ by 1\.0e-02"):
        _export(record, weights, tmp_path / f"tiny.{file_format}")
    assert list(tmp_path.iterdir()) == []


def test_logits_that_are_no_numbers_are_not_written(
    record: Record, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    weights["classifier.bias"][0] = torch.nan
    with pytest.raises(ValueError, match="the exported network's logits differ by nan"):
        _export(record, weights, tmp_path / "tiny.pt2")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_refused(
    record: Record, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"the weights are not those of run {record.run_id}"):
        _export(record, {**weights, "more": torch.zeros(1)}, tmp_path / "tiny.pt2")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_file(
    record: Record, weights: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.pt2"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        _export(record, weights, path)
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(ValueError, match=r"the format onnx needs onnxruntime: `pip install 'convrepro\[export\]'`"):
        check_packages("onnx")
    check_packages("pt2")
    with pytest.raises(ValueError, match="`file_format` must be one of onnx, pt2, got 'h5'"):
        check_packages("h5")


def test_weights_that_are_not_here_say_which_command_makes_them(tmp_path: Path, record: Record) -> None:
    with pytest.raises(NoWeights, match="records travel by git, weights do not") as error:
        read_weights(tmp_path, record, "last")
    command = str(error.value).split("`")[1]
    assert command.startswith("convrepro train conv=dk model=cnn4 dataset=digits recipe=quickstart")
    assert command.endswith("machine.results_dir=again")


def test_weights_with_a_flipped_bit_are_refused(results_dir: Path, record: Record, tmp_path: Path) -> None:
    name = f"{record.run_id}-seed{record.seed}"
    here, there = (workspace.weights_dir(folder / "runs" / name) for folder in (results_dir, tmp_path))
    there.mkdir(parents=True)
    for path in here.iterdir():
        content = path.read_bytes()
        (there / path.name).write_bytes(content if path.suffix == ".json" else content[:-1] + b"x")
    with pytest.raises(ValueError, match=r"last\.pt is not what was written there"):
        read_weights(tmp_path, record, "last")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "diverged", "reason": "the loss was nan", "selected": {}}, "diverged, the loss was nan"),
        ({"epochs": {}, "selected": {"last": {}}}, "is a count: it trained nothing"),
        ({"selected": {"last": {"epoch": 1.0}}}, "chose no epoch by 'best_on_validation'; use 'last'"),
    ],
)
def test_runs_without_such_weights_say_why(
    results_dir: Path, record: Record, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_weights(results_dir, dataclasses.replace(record, **changes), "best_on_validation")
