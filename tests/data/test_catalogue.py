"""The list of data sets, and the configs that it shows."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.data.layouts import LAYOUTS
from tests.data.trees import tree_of

from convrepro import config_files, targets
from convrepro.data import catalogue, decoding, downloads, files

NAMES = config_files.names("dataset")
MNIST_LABELS = "MNIST/raw/t10k-labels-idx1-ubyte"


def of(name: str, data_dir: Path) -> catalogue.DatasetState:
    return next(state for state in catalogue.catalogue(data_dir) if state.name == name)


def put_sparse(data_dir: Path, name: str) -> None:
    """Files of the right size that hold nothing but zeros."""
    for path, expected in config_files.load("dataset", name)["files"].items():
        (data_dir / path).parent.mkdir(parents=True, exist_ok=True)
        with (data_dir / path).open("wb") as file:
            file.truncate(expected["size_bytes"])


def test_everything_is_listed_in_an_empty_folder(tmp_path: Path) -> None:
    states = catalogue.catalogue(tmp_path)
    assert [state.name for state in states] == NAMES
    assert {state.state for state in states} == {"missing", "bundled"}
    assert of("digits", tmp_path).state == "bundled"
    assert of("mnist", tmp_path).detail.endswith(f"run `convrepro data fetch mnist --data-dir {tmp_path}`.")


def test_listing_looks_at_sizes_only(tmp_path: Path) -> None:
    put_sparse(tmp_path, "mnist")
    assert of("mnist", tmp_path).state == "present"
    (tmp_path / MNIST_LABELS).write_bytes(b"short")
    assert of("mnist", tmp_path) == catalogue.DatasetState(
        name="mnist",
        about=config_files.load("dataset", "mnist")["about"],
        official=True,
        state="corrupt",
        detail=f"{tmp_path / MNIST_LABELS} must hold 10,008 bytes, got 5.",
    )


def test_verifying_reads_the_content(tmp_path: Path) -> None:
    put_sparse(tmp_path, "mnist")
    state = catalogue.verify("mnist", tmp_path)
    assert state.state == "corrupt"
    assert "must have sha256" in state.detail


def test_verifying_what_is_missing_or_bundled(tmp_path: Path) -> None:
    assert catalogue.verify("cifar100", tmp_path).state == "missing"
    state = catalogue.verify("digits", tmp_path / "nowhere")
    assert (state.state, state.detail) == ("bundled", "1,297 training and 500 test images, checksums hold")


def test_fetching_a_bundled_set_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "fetch", None)
    assert catalogue.fetch("digits", tmp_path).state == "bundled"


def test_fetching_hands_the_config_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fetch(dataset: dict[str, Any], data_dir: Path) -> None:
        asked.append(f"{dataset['name']} {data_dir}")

    monkeypatch.setattr(downloads, "fetch", fetch)
    assert catalogue.fetch("mnist", tmp_path).state == "missing"
    assert asked == [f"mnist {tmp_path}"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_set_of_photographs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listed, verified, and found wanting when an image is empty or cut, or a folder or list is away."""
    dataset = LAYOUTS[name](tmp_path)
    monkeypatch.setattr(decoding, "cpu_count", lambda: 1)
    monkeypatch.setattr(config_files, "names", lambda group: [name])
    monkeypatch.setattr(config_files, "load", lambda group, name: dataset)
    assert of(name, tmp_path).state == "present"
    verified = catalogue.verify(name, tmp_path)
    counts = f"{dataset['num_train_images']} training and {dataset['num_test_images']} test images, "
    assert (verified.state, verified.detail[: len(counts)]) == ("present", counts)
    known = {"flowers102": r"the checksums of \S+imagelabels\.mat and \S+setid\.mat hold, no image has one"}
    held = known.get(name, "none has a known checksum")
    assert re.search(f" test images, {held}; content_sha256 [0-9a-f]{{64}}$", verified.detail)
    assert verified.homepage.startswith("https://")

    image = tmp_path / targets.resolve(dataset["_target_"])(dataset, tmp_path).train.names[0]
    content = image.read_bytes()
    image.write_bytes(b"")
    assert catalogue.verify(name, tmp_path).detail == f"{image} is empty."
    image.write_bytes(content[: len(content) // 2])
    assert catalogue.verify(name, tmp_path).state == "corrupt"
    assert catalogue.verify(name, tmp_path).detail.startswith(f"{image} cannot be used: ")
    image.write_bytes(content)
    for needed in [*files.folders_of(dataset), *(one for names in files.lists_of(dataset).values() for one in names)]:
        (tmp_path / needed).rename(tmp_path / "away")
        for state in (of(name, tmp_path), catalogue.verify(name, tmp_path)):
            assert state.state == "missing"
            assert state.detail.startswith(f"no {needed} ")
        (tmp_path / "away").rename(tmp_path / needed)


def test_a_set_in_folders_is_here_when_its_folders_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = tree_of(tmp_path / "data") | {"about": "", "official": False}
    monkeypatch.setattr(config_files, "names", lambda group: ["tree"])
    monkeypatch.setattr(config_files, "load", lambda group, name: dataset)
    assert of("tree", tmp_path / "data").state == "present"
    assert of("tree", tmp_path).state == "missing"
    assert "no set/train and 1 more in" in of("tree", tmp_path).detail
    verified = catalogue.verify("tree", tmp_path / "data")
    assert (verified.state, verified.detail) == ("present", "12 training and 4 test images, checksums hold")
    assert catalogue.verify("tree", tmp_path).state == "missing"


@pytest.mark.parametrize("act", [catalogue.verify, catalogue.fetch])
def test_unknown_name(act: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'mnist'"):
        act("mnits", tmp_path)


def test_listing_does_not_import_torch(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from convrepro.data import catalogue;"
        f"catalogue.catalogue(pathlib.Path({str(tmp_path)!r}));"
        "sys.exit(any(name in sys.modules for name in ('torch', 'torchvision', 'pooch', 'requests')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_config_pins_every_file_and_download(name: str) -> None:
    dataset = config_files.load("dataset", name)
    assert dataset["name"] == name
    assert len(dataset["mean"]) == len(dataset["std"]) == dataset["in_channels"]
    for expected in dataset["files"].values():
        assert re.fullmatch("[0-9a-f]{64}", expected["sha256"])
        assert expected["size_bytes"] > 0
    for download in dataset["downloads"]:
        assert download["url"].startswith("https://")
        assert re.fullmatch("[0-9a-f]{64}", download.get("sha256", "")) or re.fullmatch("[0-9a-f]{32}", download["md5"])
        assert download["size_bytes"] > 0


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "fashion_mnist"])
def test_checksums_are_those_that_torchvision_publishes(name: str) -> None:
    from torchvision import datasets

    dataset = config_files.load("dataset", name)
    family = {
        "cifar10": datasets.CIFAR10,
        "cifar100": datasets.CIFAR100,
        "mnist": datasets.MNIST,
        "fashion_mnist": datasets.FashionMNIST,
    }[name]
    if "cifar" in name:
        published = [*family.train_list, *family.test_list, [family.meta["filename"], family.meta["md5"]]]
        assert {f"{family.base_folder}/{file}": md5 for file, md5 in published} == {
            file: expected["md5"] for file, expected in dataset["files"].items()
        }
    else:
        assert dict(family.resources) == {
            Path(download["file"]).name: download["md5"] for download in dataset["downloads"]
        }
