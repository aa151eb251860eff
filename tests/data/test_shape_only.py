from pathlib import Path

import pytest

from convrepro import config_files
from convrepro.data import load, shape_only

NOWHERE = Path("/does/not/exist")


@pytest.mark.parametrize("name", ["imagenet", "flowers102"])
@pytest.mark.parametrize("download", [False, True])
def test_reading_is_refused_in_one_line(name: str, download: bool) -> None:
    dataset = config_files.load("dataset", name)
    with pytest.raises(
        ValueError, match=rf"^{name} cannot be read yet: networks are only counted on it \(protocol=count\)\.$"
    ):
        load(dataset, NOWHERE, download=download)


def test_a_set_is_known_by_its_reader() -> None:
    known = {
        name for name in config_files.names("dataset") if shape_only.is_shape_only(config_files.load("dataset", name))
    }
    assert known == {"flowers102", "imagenet"}


@pytest.mark.parametrize(
    ("name", "classes", "train", "test"), [("imagenet", 1000, 1_281_167, 50_000), ("flowers102", 102, 1_020, 6_149)]
)
def test_sizes(name: str, classes: int, train: int, test: int) -> None:
    """Russakovsky et al. 2015, Table 2; Nilsback and Zisserman 2008, as Cui et al. 2024 repeat it in Sec. 4.1."""
    dataset = config_files.load("dataset", name)
    assert (dataset["num_classes"], dataset["num_train_images"], dataset["num_test_images"]) == (classes, train, test)
    assert (dataset["in_channels"], dataset["image_size"]) == (3, [224, 224])
