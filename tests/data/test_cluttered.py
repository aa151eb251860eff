"""MNIST-Cluttered: the published file's layout, and images made of digits."""

import hashlib
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convrepro import config_files
from convrepro.data import cluttered, datasets, decoded, load

SIDE, CLASSES = 4, 3
COUNTS = {"train": 5, "valid": 2, "test": 3}
NAME = "mnist_cluttered_60x60_6distortions.npz"


def arrays(**changes: np.ndarray) -> dict[str, np.ndarray]:
    stream, found = np.random.RandomState(0), {}
    for part, number in COUNTS.items():
        found[f"x_{part}"] = stream.rand(number, SIDE * SIDE).astype(np.float32)
        found[f"y_{part}"] = np.eye(CLASSES, dtype=np.float32)[stream.randint(0, CLASSES, number)]
    return found | changes


def npz(content: dict[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **content)
    return buffer.getvalue()


def config(**options: Any) -> dict[str, Any]:
    published = config_files.load("dataset", "mnist_cluttered")
    return published | {
        "num_classes": CLASSES, "image_size": [SIDE, SIDE], "num_train_images": 7, "num_test_images": 3,
        "options": published["options"] | options,
    }  # fmt: skip


def put(data_dir: Path, content: bytes) -> Path:
    path = data_dir / "mnist_cluttered" / NAME
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_training_and_validation_part_are_joined(tmp_path: Path) -> None:
    published = arrays()
    put(tmp_path, npz(published))
    images = cluttered.read(config(), tmp_path)
    expected = np.round(np.concatenate([published["x_train"], published["x_valid"]]) * 255).reshape(7, 1, SIDE, SIDE)
    np.testing.assert_array_equal(images.train.images_BCHW.numpy(), expected)
    labels = np.concatenate([published["y_train"], published["y_valid"]]).argmax(1)
    assert images.train.labels_B.tolist() == labels.tolist()
    np.testing.assert_array_equal(
        images.test.images_BCHW.numpy().reshape(3, -1), np.round(published["x_test"].astype(float) * 255)
    )


def test_arrays_are_read_a_few_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of two rows of 16 numbers of 4 bytes."""
    put(tmp_path, npz(arrays()))
    at_once = cluttered.read(config(), tmp_path)
    monkeypatch.setattr(cluttered, "_CHUNK_BYTES", 2 * 16 * 4)
    assert torch.equal(cluttered.read(config(), tmp_path).train.images_BCHW, at_once.train.images_BCHW)


def test_the_content_is_said_if_it_is_not_pinned(tmp_path: Path) -> None:
    path = put(tmp_path, npz(arrays()))
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    assert cluttered.read(config(), tmp_path).content_sha256 == found
    assert cluttered.read(config(content_sha256=found), tmp_path).content_sha256 == ""
    with pytest.raises(ValueError, match=f"{NAME} must have sha256 0000000000000000..., got {found[:16]}"):
        cluttered.read(config(content_sha256="0" * 64), tmp_path)
    assert datasets.verify(config(), tmp_path) == (7, 3, found)


def test_it_is_decoded_once_and_another_copy_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, calls, read = put(tmp_path, npz(arrays())), [], datasets._read
    monkeypatch.setattr(datasets, "_read", lambda *a, **k: calls.append(a) or read(*a, **k))
    digests = []
    for content in (None, None, npz(arrays(x_test=np.zeros((3, SIDE * SIDE), np.float32)))):
        if content:
            path.write_bytes(content)
        images = load(config(), tmp_path, download=False, cache_dir=tmp_path / "cache")
        digests.append(images.content_sha256)
        assert digests[-1] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(calls) == 2
    assert not images.test.images_BCHW.any()


def test_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=f"no mnist_cluttered/{NAME} in .*; put it there yourself from https://s3"
    ):
        load(config(), tmp_path, download=False, cache_dir=tmp_path / "cache")
    (tmp_path / "mnist_cluttered").mkdir()
    with pytest.raises(FileNotFoundError, match=f"no mnist_cluttered/{NAME} in .*; put it there yourself"):
        load(config(), tmp_path, download=False, cache_dir=tmp_path / "cache")


def without(name: str) -> bytes:
    return npz({key: array for key, array in arrays().items() if key != name})


def claiming(name: str, shape: tuple[int, ...]) -> bytes:
    """A member whose header claims more than is there."""
    header, buffer = io.BytesIO(), io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, array in arrays().items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(f"{key}.npy", header.getvalue() if key == name else content.getvalue())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "File is not a zip file"),
        (npz(arrays())[:-30], "cannot be read as MNIST-Cluttered: "),
        (without("x_valid"), r"There is no item named .x_valid\.npy. in the archive"),
        (without("y_test"), r"There is no item named .y_test\.npy. in the archive"),
        (npz(arrays(x_train=np.zeros((5, 15)))), r"x_train\.npy must .* in rows of 16, its header says float64"),
        (npz(arrays(x_train=np.zeros((5, 16), object))), r"x_train\.npy must be numbers in rows of 16"),
        (npz(arrays(x_train=np.zeros((16, 5)).T)), r"x_train\.npy must be numbers in rows of 16"),
        (npz(arrays(x_train=np.zeros((0, 16)))), r"x_train\.npy must be numbers in rows of 16"),
        (claiming("x_test", (2**19, 16)), r"x_test\.npy must be numbers in rows of 16"),
        (npz(arrays(x_test=np.full((3, 16), 255.0))), "x_test must hold numbers from 0 to 1, got others"),
        (npz(arrays(x_test=np.full((3, 16), np.nan))), "x_test must hold numbers from 0 to 1, got others"),
        (npz(arrays(y_valid=np.eye(3)[[0]])), r"y_valid\.npy must hold the labels of 2 images, got 1"),
        (npz(arrays(y_valid=np.ones((2, 3)))), r"y_valid\.npy must hold a single one in each row"),
        (npz(arrays(y_valid=np.array([1, 2]))), r"y_valid\.npy must be numbers in rows of 3"),
    ],
)  # fmt: skip
def test_hostile_file(tmp_path: Path, content: bytes, message: str) -> None:
    name = put(tmp_path, content).relative_to(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        cluttered.read(config(), tmp_path)
    assert str(caught.value).startswith(f"{name} in {tmp_path} cannot be read as MNIST-Cluttered: ")
    assert "\n" not in str(caught.value)


def literal_clutter(
    digits: np.ndarray, size: int, num_distractors: int, side: int, stream: np.random.RandomState
) -> np.ndarray:
    """One pixel after the other, each piece clipped as it is added."""
    number, height, width = digits.shape
    shape = (number, num_distractors)
    steps = stream.randint(1, number, shape)
    cut_top, cut_left = stream.randint(0, height - side + 1, shape), stream.randint(0, width - side + 1, shape)
    put_top, put_left = stream.randint(0, size - side + 1, shape), stream.randint(0, size - side + 1, shape)
    top, left = stream.randint(0, size - height + 1, number), stream.randint(0, size - width + 1, number)
    images = np.zeros((number, size, size), int)
    for i in range(number):
        for d in range(num_distractors):
            other = digits[(i + steps[i, d]) % number]
            for y in range(side):
                for x in range(side):
                    where = i, put_top[i, d] + y, put_left[i, d] + x
                    images[where] = min(255, images[where] + int(other[cut_top[i, d] + y, cut_left[i, d] + x]))
        for y in range(height):
            for x in range(width):
                where = i, top[i] + y, left[i] + x
                images[where] = min(255, images[where] + int(digits[i, y, x]))
    return images


def random_digits(number: int = 9) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (number, 7, 6)).astype(np.uint8)


def test_cluttered_images_are_those_of_a_literal_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluttered, "_IMAGES_AT_ONCE", 4)
    found = cluttered.clutter(random_digits(), (12, 12), num_distractors=5, side=3, stream=np.random.RandomState(7))
    np.testing.assert_array_equal(found, literal_clutter(random_digits(), 12, 5, 3, np.random.RandomState(7)))


def test_clutter_comes_from_other_digits() -> None:
    """Of two digits, each one's pieces are the other's: the black one's image shows them, the white one's does not."""
    digits = np.zeros((2, 4, 4), np.uint8)
    digits[1] = 200
    black, white = cluttered.clutter(digits, (9, 9), num_distractors=3, side=2, stream=np.random.RandomState(0))
    assert set(np.unique(black)) <= {0, 200, 255}
    assert black.any()
    assert np.count_nonzero(white == 200) == 16


@pytest.mark.parametrize(
    ("digits", "size", "number", "side", "message"),
    [
        (random_digits(1), (12, 12), 1, 3, r"two digits that fit into \(12, 12\), got \(1, 7, 6\)"),
        (random_digits(), (6, 12), 1, 3, "two digits that fit into"),
        (random_digits(), (12, 12), 1, 7, r"a side in 1 \.\. 6, at most 255, got 1 with 7"),
        (random_digits(), (12, 12), 256, 3, "at most 255, got 256 with 3"),
    ],
)
def test_clutter_that_does_not_fit(
    digits: np.ndarray, size: tuple[int, int], number: int, side: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cluttered.clutter(digits, size, num_distractors=number, side=side, stream=np.random.RandomState(0))


MADE = (5, 1), (3, 100)  # number and grey level of the tiny training, then test digits


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of MNIST's."""
    parts = [
        cluttered.ImageSplit(torch.full((number, 1, 7, 6), value, dtype=torch.uint8), torch.arange(number) % 2)
        for number, value in MADE
    ]
    monkeypatch.setattr(cluttered.idx, "read", lambda dataset, data_dir: cluttered.ImageSet(*parts))


def generated(seed: int) -> dict[str, Any]:
    """A config of so few images, with the digest of those that a literal loop makes."""
    digest = hashlib.sha256()
    for part, (number, value) in enumerate(MADE):
        digits = np.full((number, 7, 6), value, np.uint8)
        images = literal_clutter(digits, 12, 2, 3, np.random.RandomState([seed, part]))
        digest.update(images.astype(np.uint8).tobytes())
    options = {"num_distractors": 2, "distractor_side": 3, "seed": seed, "images_sha256": digest.hexdigest()}
    return config_files.load("dataset", "mnist_cluttered_generated") | {
        "num_classes": 2, "image_size": [12, 12], "num_train_images": 5, "num_test_images": 3, "options": options,
    }  # fmt: skip


@pytest.mark.usefixtures("few_digits")
def test_each_part_is_made_of_its_own_digits(tmp_path: Path) -> None:
    """Training digits are dark, test digits bright: no image has both."""
    images = cluttered.generate(generated(seed=4), tmp_path)
    assert images.train.image_shape == (1, 12, 12)
    assert images.train.labels_B.tolist() == [0, 1, 0, 1, 0]
    assert int(images.train.images_BCHW.max()) <= 3
    assert set(images.test.images_BCHW.unique().tolist()) <= {0, 100, 200, 255}
    again = cluttered.generate(generated(seed=4), tmp_path)
    assert torch.equal(again.train.images_BCHW, images.train.images_BCHW)
    other = cluttered.generate(generated(seed=5), tmp_path)
    assert not torch.equal(other.train.images_BCHW, images.train.images_BCHW)


@pytest.mark.usefixtures("few_digits")
@pytest.mark.parametrize("part", ["training", "test"])
def test_images_of_another_generator_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """One that makes a single pixel of one part's last image brighter."""
    dataset, clutter = generated(seed=4), cluttered.clutter
    number, pinned = {"training": 5, "test": 3}[part], dataset["options"]["images_sha256"]

    def another(digits_BHW: np.ndarray, *args: Any, **kwargs: Any) -> np.ndarray:
        images_BHW = clutter(digits_BHW, *args, **kwargs)
        images_BHW[-1, -1, -1] ^= len(digits_BHW) == number
        return images_BHW

    monkeypatch.setattr(cluttered, "clutter", another)
    said = r"`options\.images_sha256` of mnist_cluttered_generated must be that of its images, ([0-9a-f]{64})"
    with pytest.raises(ValueError, match=f"{said}, got {pinned}") as caught:
        cluttered.generate(dataset, tmp_path)
    found = re.findall("[0-9a-f]{64}", str(caught.value))[0]
    cluttered.generate(dataset | {"options": dataset["options"] | {"images_sha256": found}}, tmp_path)


@pytest.mark.usefixtures("few_digits")
def test_images_are_made_once_and_kept_for_each_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, read = [], datasets._read
    monkeypatch.setattr(datasets.files, "find", lambda *_: None)
    monkeypatch.setattr(datasets, "_read", lambda *a, **k: calls.append(a) or read(*a, **k))
    dataset = generated(seed=4)
    assert decoded.is_pinned(dataset)
    made, kept = (load(dataset, tmp_path, download=False, cache_dir=tmp_path / "cache") for _ in range(2))
    assert torch.equal(made.train.images_BCHW, kept.train.images_BCHW)
    assert made.content_sha256 == kept.content_sha256 == ""
    assert len(calls) == 1
    wrong = dataset | {"options": dataset["options"] | {"images_sha256": "0" * 64}}
    with pytest.raises(ValueError, match="must be that of its images"):
        load(wrong, tmp_path, download=False, cache_dir=tmp_path / "cache")
    assert len(calls) == 2


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_number_of_images_that_the_config_does_not_say_is_refused_by_the_headers(tmp_path: Path, part: str) -> None:
    put(tmp_path, npz(arrays()))
    key = f"num_{part}_images"
    with pytest.raises(ValueError, match=rf"must hold {config()[key] + 1} images, got {config()[key]}"):
        cluttered.read(config() | {key: config()[key] + 1}, tmp_path)
