"""S1: pickles that would write a file, in the place of every file that this project reads."""

import contextlib
import hashlib
import io
import json
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import fetch_lfw_people
from tests.faults.hostile_pickles import pickles

from convrepro import config_files
from convrepro.cli.errors import one_line
from convrepro.data import cifar, cluttered, datasets, decoded, lfw, pack, splits
from convrepro.models import build, load_pretrained, pretrained
from convrepro.training import checkpoints

SMALL = {"num_classes": 3, "in_channels": 3, "image_size": [32, 32]}
NAME = "ResNet18_Weights.IMAGENET1K_V1"


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """The file that a pickle would write."""
    return tmp_path / "marker"


def refused(action: Callable[[], Any], name: str, marker: Path, which: str) -> None:
    """Fails unless an action ends in one line that names a file, and no pickle was run."""
    with pytest.raises((ValueError, OSError)) as caught:
        action()
    message = one_line(caught.value)
    assert not marker.exists(), which
    assert name in message, which
    assert len(message) <= 200
    assert not re.search(r"[\x00-\x1f]", message), which


def in_a_torch_file(content: bytes) -> bytes:
    """What ``torch.save`` writes, with another pickle in it."""
    whole, changed = io.BytesIO(), io.BytesIO()
    torch.save({"weights": {"a": torch.zeros(2)}}, whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.infolist():
            is_pickle = member.filename.endswith("data.pkl")
            new.writestr(member.filename, content if is_pickle else old.read(member))
    return changed.getvalue()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_each_pickle_would_write_the_file(marker: Path) -> None:
    """Else what follows would show nothing."""
    whole = pickles(marker)
    assert len(whole) == 20
    for which, content in whole.items():
        pickle.loads(content)
        assert marker.exists(), which
        marker.rmdir() if marker.is_dir() else marker.unlink()


@pytest.mark.parametrize("form", ["zip", "pickle"])
def test_a_checkpoint_with_a_right_fingerprint(tmp_path: Path, marker: Path, form: str) -> None:
    """Also as the hyper-parameters in one: pickle "as a value"."""
    path = tmp_path / "epoch1.ckpt"
    for which, evil in pickles(marker).items():
        checkpoints.save({"weights": {}}, path)
        sidecar, old = path.with_name("epoch1.ckpt.json"), path.read_bytes()
        content = in_a_torch_file(evil) if form == "zip" else evil
        known_by = sidecar.read_text().replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(content).hexdigest())
        sidecar.write_text(known_by.replace(str(len(old)), str(len(content))))
        path.write_bytes(content)
        assert checkpoints.whole(tmp_path) == {(1, 0): path}
        refused(lambda: checkpoints.load(path), path.name, marker, which)


@pytest.mark.parametrize("form", ["zip", "pickle"])
def test_published_weights_whose_digits_are_right(
    tmp_path: Path, marker: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight digits are found by trying: they say nothing about who made a file."""
    network = build(model="resnet18", conv="standard", dataset=SMALL)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for which, evil in pickles(marker).items():
        content = in_a_torch_file(evil) if form == "zip" else evil
        path = tmp_path / "hub/checkpoints" / f"network-{hashlib.sha256(content).hexdigest()[:8]}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        monkeypatch.setattr(pretrained, "_url", lambda _, name=path.name: f"https://example.org/{name}")
        with warnings.catch_warnings():  # torch's, about pickles of protocols that it does not read
            warnings.simplefilter("ignore")
            refused(lambda: load_pretrained(network, NAME), path.name, marker, which)


def npy_of_objects(content: bytes) -> bytes:
    """An array of objects: NumPy would unpickle what follows the header."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": (len(content) // 8,)})
    return header.getvalue() + content


def npz_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def described(content: bytes) -> dict[str, Any]:
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@pytest.mark.parametrize("where", ["labels", "blob", "the whole file"])
def test_an_image_pack_of_objects(tmp_path: Path, marker: Path, where: str) -> None:
    """One that the config vouches for."""
    numbers = io.BytesIO()
    np.save(numbers, np.arange(3))
    for which, evil in pickles(marker).items():
        members = dict.fromkeys(("blob", "offsets", "labels", "split"), numbers.getvalue())
        evil += bytes(-len(evil) % 8)
        content = evil if where == "the whole file" else npz_of(members | {where: npy_of_objects(evil)})
        (tmp_path / "a.npz").write_bytes(content)
        dataset = SMALL | {
            "name": "tiny", "files": {"a.npz": described(content)}, "downloads": [],
            "options": {"first_label": 0, "split_ids": {"train": [0], "test": [1]}},
        }  # fmt: skip
        refused(lambda dataset=dataset: pack.read(dataset, tmp_path), "a.npz", marker, which)  # type: ignore[misc]


def test_cluttered_images_as_objects(tmp_path: Path, marker: Path) -> None:
    dataset = config_files.load("dataset", "mnist_cluttered")
    path = tmp_path / next(iter(dataset["options"]["folders"].values())) / dataset["options"]["file"]
    path.parent.mkdir(parents=True)
    dataset["options"] |= {"content_sha256": ""}
    for which, evil in pickles(marker).items():
        evil += bytes(-len(evil) % 8)
        names = [f"{kind}_{part}" for kind in "xy" for part in ("train", "valid", "test")]
        path.write_bytes(npz_of(dict.fromkeys(names, npy_of_objects(evil))))
        refused(lambda: cluttered.read(dataset, tmp_path), path.name, marker, which)


@pytest.mark.parametrize("is_vouched_for", [False, True])
def test_a_batch_of_cifar(tmp_path: Path, marker: Path, is_vouched_for: bool) -> None:
    """With its checksum in the config, which cannot vouch for a pickle, or with the official one there."""
    official = config_files.load("dataset", "cifar10")
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for which, evil in pickles(marker).items():
        for name in official["files"]:
            (tmp_path / name).write_bytes(evil)
        vouched = official | {"files": dict.fromkeys(official["files"], described(evil))}
        dataset = vouched if is_vouched_for else official
        name = "cifar10" if is_vouched_for else "data_batch_1"
        refused(lambda dataset=dataset: cifar.read(dataset, tmp_path), name, marker, which)  # type: ignore[misc]


def test_a_file_of_decoded_images(tmp_path: Path, marker: Path) -> None:
    """With a right fingerprint beside it, in place of one that was kept."""
    dataset = config_files.load("dataset", "digits")
    datasets.load(dataset, tmp_path, download=False, cache_dir=tmp_path)
    (path,) = tmp_path.glob("decoded/*.bin")
    sidecar = path.with_name(f"{path.name}.json")
    for which, evil in pickles(marker).items():
        path.write_bytes(evil)
        sidecar.write_text(json.dumps({"dataset": "digits", **described(evil)}))
        decoded._verified.clear()
        load = lambda: datasets.load(dataset, tmp_path, download=False, cache_dir=tmp_path)  # noqa: E731
        refused(load, "delete it", marker, which)
        sidecar.write_bytes(evil)
        assert len(load().train) == dataset["num_train_images"], which  # decoded anew
        assert not marker.exists(), which


def test_what_scikit_learn_keeps_beside_faces(tmp_path: Path, marker: Path) -> None:
    """Its own function unpickles what lies there; ours never looks."""
    folder, stream = tmp_path / "data/lfw_home/lfw_funneled", np.random.RandomState(0)
    for person in ("Ann_A", "Bob_B"):
        (folder / person).mkdir(parents=True)
        for number in (1, 2):
            pixels = stream.randint(0, 256, (250, 250, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / person / f"{person}_{number:04d}.jpg")
    for name in ("pairsDevTrain.txt", "pairsDevTest.txt", "pairs.txt"):
        (folder.parent / name).touch()
    labels = np.array([0, 0, 1, 1])
    np.random.RandomState(42).shuffle(labels)
    options = {
        "folders": {"all": "lfw_home/lfw_funneled"}, "min_faces_per_person": 2, "resize": 0.4, "content_sha256": "",
        "test_images": 2, "test_indices_sha256": splits.sha256_of(splits.stratified(labels, 2)[1]),
    }  # fmt: skip
    dataset = {"name": "lfw", "files": {}, "downloads": [], "options": options}
    dataset |= {"num_classes": 2, "num_train_images": 2, "num_test_images": 2}
    theirs = {"min_faces_per_person": 2, "resize": 0.4, "download_if_missing": False}
    fetch_lfw_people(data_home=str(folder.parents[1]), **theirs)
    kept = list(folder.parent.rglob("*.pkl"))
    assert kept
    for which, evil in pickles(marker).items():
        for path in kept:
            path.write_bytes(evil)
        assert len(lfw.read(dataset, tmp_path / "data").train) == 2
        assert not marker.exists(), which
    for path in kept:
        path.write_bytes(pickles(marker)["os.system"])
    with warnings.catch_warnings(), contextlib.suppress(TypeError):  # what comes of the pickle are no faces
        warnings.simplefilter("ignore")
        fetch_lfw_people(data_home=str(folder.parents[1]), **theirs)
    assert marker.exists()
