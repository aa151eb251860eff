"""``convrepro data``."""

from pathlib import Path

import pytest
import yaml
from PIL import Image
from tests.cli.conftest import Command

from convrepro import config_files


def test_list_says_what_is_here_and_what_fetches_the_rest(convrepro: Command) -> None:
    code, out, _ = convrepro("data", "list", "--data-dir", "nowhere")
    assert code == 0
    assert "digits" in out
    assert "bundled" in out
    assert "convrepro data fetch cifar100" in out
    assert "not the official distribution" in out


def test_verify_reads_what_is_here(convrepro: Command) -> None:
    code, out, _ = convrepro("data", "verify", "digits")
    assert code == 0
    assert "1,297 training and 500 test images" in out


def test_verify_of_what_is_missing_is_code_1(convrepro: Command) -> None:
    code, out, _ = convrepro("data", "verify", "mnist", "--data-dir", "nowhere")
    assert code == 1
    assert "missing" in out


@pytest.mark.parametrize("source", ["digits", "pictures"])
def test_a_pack_is_usable_with_the_config_that_is_printed(convrepro: Command, source: str) -> None:
    for part in ("train", "test"):
        for level, name in ((10, "dark"), (200, "light")):
            for index in range(4):
                path = Path("pictures", part, name, f"{index}.png")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), level + index).save(path)
    code, out, err = convrepro("data", "pack", source, "data/mine.npz")
    assert code == 0, err
    config = yaml.safe_load(out)
    assert config["num_classes"] == {"digits": 10, "pictures": 2}[source]
    (config_files.CONFIG_DIR / "dataset").unlink()
    (config_files.CONFIG_DIR / "dataset").mkdir()
    (config_files.CONFIG_DIR / "dataset" / "mine.yaml").write_text(out)
    code, out, _ = convrepro("data", "verify", "mine")
    assert code == 0, out
    assert "checksums hold" in out


def test_a_folder_that_is_none_is_one_line(convrepro: Command) -> None:
    Path("pictures").mkdir()
    code, _, err = convrepro("data", "pack", "pictures", "mine.npz")
    assert code == 2
    assert "must have a folder 'train'" in err
    assert not Path("mine.npz").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "pack", "imagenet", "mine.npz"),
        ("train", "dataset=imagenet"),
        ("run", "quickstart", "--dataset", "imagenet"),
    ],
)
def test_a_set_that_is_brought_by_hand_is_asked_for_in_one_line(convrepro: Command, arguments: tuple[str, ...]) -> None:
    code, _, err = convrepro(*arguments)
    assert code == 2
    assert "no imagenet/train and 1 more in data; put it there yourself from https://image-net.org since no " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["imagenet", "flowers102"])
def test_fetching_what_no_command_downloads_fails_and_says_from_where(convrepro: Command, name: str) -> None:
    code, out, err = convrepro("data", "fetch", name)
    assert code == {"imagenet": 1, "flowers102": 2}[name]
    assert f"from {config_files.load('dataset', name)['homepage']} " in out + err


def test_verify_passes_over_sets_that_are_missing(convrepro: Command) -> None:
    code, out, _ = convrepro("data", "verify")
    assert code == 0
    assert "imagenet" not in out
    code, out, _ = convrepro("data", "verify", "imagenet")
    assert code == 1
    assert "from https://image-net.org since" in out


def test_list_says_where_every_set_without_a_download_comes_from(convrepro: Command) -> None:
    Path("data/imagenet/train").mkdir(parents=True)
    Path("data/imagenet/val").mkdir()
    _, out, _ = convrepro("data", "list")
    assert out.count("https://image-net.org") == 1
    assert "  from https://image-net.org\n" in out
    wanted = "no mnist_cluttered/mnist_cluttered_60x60_6distortions.npz in data; put it there yourself from https://s3."
    assert wanted in out
