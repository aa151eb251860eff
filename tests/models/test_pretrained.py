import hashlib
import io
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import AnalyticConv2d, DisentangledConv2d
from convrepro.data import downloads
from convrepro.models import build, load_pretrained, load_weights, pretrained

IMAGENET = {"num_classes": 1000, "in_channels": 3, "image_size": [224, 224]}
FLOWERS = {**IMAGENET, "num_classes": 102}
SMALL_CLASSES = {**IMAGENET, "num_classes": 3}
NAME = "ResNet18_Weights.IMAGENET1K_V1"


def _their_network(name: str) -> nn.Module:
    """A network of torchvision with random weights, and running statistics that are not those of the start."""
    from torchvision import models  # convrepro makes it importable beside a torch for CPUs

    torch.manual_seed(0)
    network: nn.Module = models.get_model(name, weights=None)
    for key, values in network.state_dict().items():
        if key.endswith(("running_mean", "running_var")):
            values.uniform_(0.5, 1.5)
    return network.eval()


class Publication:
    """A folder of torch's with a file in it that torchvision seems to publish."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "hub" / "checkpoints"
        self.path = self.folder
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("TORCH_HOME", str(folder))

    def publish(self, state: dict[str, torch.Tensor], *, digits: str | None = None) -> None:
        written = io.BytesIO()
        torch.save(state, written)
        sha256 = hashlib.sha256(written.getvalue()).hexdigest()
        self.path = self.folder / f"network-{digits or sha256[:8]}.pth"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(written.getvalue())
        self._monkeypatch.setattr(pretrained, "_url", lambda name: f"https://example.org/models/{self.path.name}")


@pytest.fixture
def publication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publication:
    return Publication(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("model", "theirs"), [("resnet34", "resnet34"), ("resnet50", "resnet50"), ("resnext50", "resnext50_32x4d")]
)
def test_the_same_weights_give_the_logits_of_torchvision(model: str, theirs: str, publication: Publication) -> None:
    reference = _their_network(theirs)
    publication.publish(reference.state_dict())
    ours = build(model=model, conv="standard", dataset=IMAGENET).eval()
    load_pretrained(ours, NAME)
    images_BCHW = torch.randn(2, 3, 48, 40)
    expected = reference(images_BCHW)
    torch.testing.assert_close(ours(images_BCHW), expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("theirs", ["mobilenet_v2", "shufflenet_v2_x1_0"])
def test_networks_of_torchvision_take_their_own(theirs: str, publication: Publication) -> None:
    reference = _their_network(theirs)
    publication.publish(reference.state_dict())
    ours = build(model=theirs, conv="standard", dataset=IMAGENET).eval()
    load_pretrained(ours, NAME)
    images_BCHW = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(ours(images_BCHW), reference(images_BCHW), rtol=0, atol=0)


def test_auxiliary_classifiers_of_googlenet_are_left_out(publication: Publication) -> None:
    from torchvision import models

    state = models.get_model("googlenet", weights=None, init_weights=False).state_dict()
    assert any(name.startswith("aux1.") for name in state)
    publication.publish(state)
    ours = build(model="googlenet", conv="standard", dataset=IMAGENET)
    load_pretrained(ours, NAME)
    assert torch.equal(ours.state_dict()["body.conv1.conv.weight"], state["conv1.conv.weight"])


def test_old_names_in_densenets_file_and_its_head(publication: Publication) -> None:
    """The file says denselayer1.norm.1.weight where the network has denselayer1.norm1.weight."""
    state = _their_network("densenet121").state_dict()
    name = "features.denseblock2.denselayer3.{}.weight"
    old = {key.replace("norm1", "norm.1").replace("conv2", "conv.2"): values for key, values in state.items()}
    assert name.format("norm.1") in old
    publication.publish(old)
    ours = build(model="densenet121_fastai", conv="standard", dataset=FLOWERS)
    head = {key: values.clone() for key, values in ours.head.state_dict().items()}  # type: ignore[union-attr]
    load_pretrained(ours, NAME)
    assert torch.equal(ours.state_dict()["body.denseblock2.denselayer3.norm1.weight"], state[name.format("norm1")])
    torch.testing.assert_close(dict(ours.head.state_dict()), head, rtol=0, atol=0)  # type: ignore[union-attr]


@pytest.mark.parametrize("model", ["resnet34", "resnet34_fastai"])
def test_a_classifier_of_other_classes_stays_as_it_is(model: str, publication: Publication) -> None:
    state = _their_network("resnet34").state_dict()
    publication.publish(state)
    ours = build(model=model, conv="standard", dataset=FLOWERS)
    before = {name: values.clone() for name, values in ours.state_dict().items()}
    load_pretrained(ours, NAME)
    unchanged = {name for name, values in ours.state_dict().items() if torch.equal(values, before[name])}
    counters = {name for name in before if name.endswith("num_batches_tracked")}
    affine = {name for name in before if "bnorm" in name and name.endswith(("weight", "bias"))}  # 1 and 0 in both
    assert unchanged - counters - affine == {name for name in before if name.startswith("head.")} - counters - affine


def test_plain_kernels_of_an_analytic_stem_are_the_pretrained_ones_at_their_places(publication: Publication) -> None:
    """Counts of exp8 of Table 2: kernels 45 to 140 of 192, in the order of output and input channels, are plain."""
    state = _their_network("resnet18").state_dict()
    publication.publish(state)
    conv = {**config_files.load("conv", "acl"), "placement": "first", "arrangement": "Lg15G30P96Lt15Tf36"}
    ours = build(model="resnet18", conv=conv, dataset=FLOWERS)
    stem = ours.stem.conv.operator  # type: ignore[union-attr]
    assert isinstance(stem, AnalyticConv2d)
    before = stem.effective_weight().flatten(0, 1).detach().clone()
    load_pretrained(ours, NAME)
    after, theirs = stem.effective_weight().flatten(0, 1), state["conv1.weight"].flatten(0, 1)
    assert torch.equal(after[45:141], theirs[45:141])
    assert torch.equal(after[:45], before[:45])
    assert torch.equal(after[141:], before[141:])


def test_a_stem_of_mean_kernels_takes_nothing(publication: Publication) -> None:
    publication.publish(_their_network("resnet18").state_dict())
    conv = {**config_files.load("conv", "acl"), "placement": "first", "arrangement": "M192"}
    ours = build(model="resnet18", conv=conv, dataset=FLOWERS)
    load_pretrained(ours, NAME)
    assert ours.stem.conv.operator.effective_weight().unique().numel() == 1  # type: ignore[union-attr, operator]


def test_an_operator_takes_the_kernels_as_its_weight(publication: Publication) -> None:
    state = _their_network("resnext50_32x4d").state_dict()
    publication.publish(state)
    ours = build(model="resnext50", conv="disentangled", dataset=FLOWERS)
    load_pretrained(ours, NAME)
    operator = ours.get_submodule("stages.stage2.block1.residual.conv2.operator")
    assert isinstance(operator, DisentangledConv2d)
    assert torch.equal(operator.weight, state["layer2.0.conv2.weight"])
    assert operator.sigma_raw is not None
    assert not operator.sigma_raw.any()


def test_an_operator_without_kernels_of_its_own(publication: Publication) -> None:
    publication.publish(_their_network("resnet18").state_dict())
    ours = build(model="resnet18", conv="dk_first", dataset=FLOWERS)
    with pytest.raises(ValueError, match=r"DynamicKernelConv2d at stem\.conv cannot start from the kernels of another"):
        load_pretrained(ours, NAME)


def test_files_without_the_counters_of_batch_normalisation(publication: Publication) -> None:
    state = _their_network("resnet18").state_dict()
    publication.publish({name: values for name, values in state.items() if "num_batches" not in name})
    load_pretrained(build(model="resnet18", conv="standard", dataset=IMAGENET), NAME)


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("resnet34", {}, r"at stages\.stage1\.block3\.residual\.bnorm1\.bias it has nothing, ours \(64,\)"),
        ("resnet18", {"in_channels": 1}, r"at stem\.conv\.weight it has \(64, 3, 7, 7\), ours \(64, 1, 7, 7\)"),
    ],
)
def test_weights_of_another_network(
    model: str, changes: dict[str, int], message: str, publication: Publication
) -> None:
    publication.publish(_their_network("resnet18").state_dict())
    ours = build(model=model, conv="standard", dataset={**FLOWERS, **changes})
    before = {name: values.clone() for name, values in ours.state_dict().items()}
    with pytest.raises(ValueError, match=f"{NAME} has weights of another network: {message}"):
        load_pretrained(ours, NAME)
    torch.testing.assert_close(dict(ours.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize("model", ["resnet50_stride1x1", "resnet50_no_maxpool"])
def test_a_function_that_the_weights_are_not_for(model: str) -> None:
    with torch.device("meta"):
        ours = build(model=model, conv="standard", dataset=IMAGENET)
    with pytest.raises(ValueError, match="must go into a network with a max-pool and its strides in 3x3 convolutions"):
        load_pretrained(ours, NAME)


def test_a_network_that_torchvision_does_not_have() -> None:
    with pytest.raises(ValueError, match="weights of torchvision fit no CNN4"):
        load_pretrained(build(model="cnn4", conv="standard", dataset={**IMAGENET, "image_size": [8, 8]}), NAME)


def _load_resnet18() -> None:
    load_pretrained(build(model="resnet18", conv="standard", dataset=IMAGENET), NAME)


def test_a_file_that_is_not_the_published_one(publication: Publication) -> None:
    publication.publish({}, digits="00000000")
    with pytest.raises(ValueError, match=r"is not the file of ResNet18.*: its SHA-256 starts with \w{8}; delete it\."):
        _load_resnet18()


def test_no_network_and_no_file(publication: Publication, monkeypatch: pytest.MonkeyPatch) -> None:
    publication.publish({})
    publication.path.unlink()
    asked: list[str] = []

    def refuse(url: str, **_: Any) -> None:
        asked.append(url)
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(downloads, "_https_opener", lambda: SimpleNamespace(open=refuse))
    url = f"https://example.org/models/{publication.path.name}"
    with pytest.raises(ValueError, match="cannot be downloaded") as caught:
        _load_resnet18()
    assert str(caught.value) == (
        f"{NAME} is not at {publication.path} and cannot be downloaded ({url} was tried 3 times without success: "
        f"<urlopen error Name or service not known>); put {url} there yourself."
    )
    assert asked == [url] * 3
    assert list(publication.folder.iterdir()) == []  # nothing half-written


class Answer(io.BytesIO):
    """What an opener of ``urllib`` returns."""

    length: int | None = None


def answering(content: bytes, asked: list[str]) -> Any:
    return lambda: SimpleNamespace(open=lambda url, **_: asked.append(url) or Answer(content))


def test_a_download_is_verified_and_kept(publication: Publication, monkeypatch: pytest.MonkeyPatch) -> None:
    publication.publish(_their_network("resnet18").state_dict())
    content = publication.path.read_bytes()
    publication.path.unlink()
    asked: list[str] = []
    monkeypatch.setattr(downloads, "_https_opener", answering(content, asked))
    _load_resnet18()
    _load_resnet18()
    assert asked == [f"https://example.org/models/{publication.path.name}"]
    assert publication.path.read_bytes() == content


@pytest.mark.parametrize("answer", ["html", "cut", "longer"])
def test_a_download_that_is_another_file_leaves_nothing(
    publication: Publication, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    publication.publish({"stem.weight": torch.zeros(9, 99)})
    content = publication.path.read_bytes()
    publication.path.unlink()
    sent = {"html": b"<!DOCTYPE html>", "cut": content[:-1], "longer": content + b"1"}[answer]
    asked: list[str] = []
    monkeypatch.setattr(downloads, "_https_opener", answering(sent, asked))
    with pytest.raises(ValueError, match=r"3 times without success: (its SHA-256 starts with|the answer is an HTML)"):
        _load_resnet18()
    assert len(asked) == 3
    assert list(publication.folder.iterdir()) == []


def test_weights_are_asked_for_over_https_only(publication: Publication, monkeypatch: pytest.MonkeyPatch) -> None:
    publication.publish({})
    publication.path.unlink()
    monkeypatch.setattr(pretrained, "_url", lambda name: f"http://example.org/models/{publication.path.name}")
    with pytest.raises(ValueError, match="data are fetched over https only, got http://example"):
        _load_resnet18()
    assert list(publication.folder.iterdir()) == []


@pytest.mark.parametrize("content", [[], {"stem": 3}, {3: torch.zeros(1)}, torch.zeros(2)])
def test_a_file_that_holds_no_weights(publication: Publication, content: Any) -> None:
    publication.publish(content)
    with pytest.raises(ValueError, match=r"\.pth must hold tensors by their names, and nothing else; delete it\.$"):
        _load_resnet18()


def test_a_run_whose_weights_are_none() -> None:
    ours = build(model="resnet20", conv="standard", dataset={"num_classes": 3, "in_channels": 2, "image_size": [8, 8]})
    with pytest.raises(ValueError, match="the weights of a run must be tensors by their names"):
        load_weights(ours, {"stem.weight": 3})  # type: ignore[dict-item]


def test_names_of_weights() -> None:
    assert pretrained._url(NAME) == "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    assert pretrained._url("DenseNet121_Weights.IMAGENET1K_V1").endswith("/densenet121-a639ec97.pth")
    with pytest.raises(
        ValueError, match=r"unknown weights of torchvision 'ResNet18.*'; did you mean 'ResNet18_Weights"
    ):
        pretrained._url("ResNet18.IMAGENET1K_V1")


# -- weights of runs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_classes", [10, 3])
def test_weights_of_a_run_on_other_classes(num_classes: int) -> None:
    """The classifier stays fresh even where the classes are as many by chance."""
    torch.manual_seed(0)
    small = {"in_channels": 2, "image_size": [8, 8]}
    trained = build(model="resnet20", conv="aconv", dataset={**small, "num_classes": 3})
    trained(torch.randn(2, 2, 8, 8))
    ours = build(model="resnet20", conv="aconv", dataset={**small, "num_classes": num_classes})
    classifier = {name: values.clone() for name, values in ours.state_dict().items() if "classifier" in name}
    load_weights(ours, trained.state_dict())
    assert classifier
    expected = {**trained.state_dict(), **classifier}
    torch.testing.assert_close(dict(ours.state_dict()), expected, rtol=0, atol=0)


def test_weights_of_a_run_of_another_network() -> None:
    small = {"num_classes": 3, "in_channels": 2, "image_size": [8, 8]}
    ours, other = (build(model="resnet20", conv=conv, dataset=small) for conv in ("aconv", "standard"))
    with pytest.raises(ValueError, match=r"the run has weights of another network: at \S+ it has nothing, ours \(\d+"):
        load_weights(ours, other.state_dict())
