import dataclasses
import hashlib
from pathlib import Path

import torch

from convrepro.benchmarks import images
from convrepro.benchmarks.settings import Settings
from convrepro.benchmarks.workload import dataset_node, workload
from convrepro.data import load, pack
from convrepro.protocols.schema import plain


def test_a_workload_reads_as_many_images_as_it_says(settings: Settings) -> None:
    config = workload(settings, model="cnn4", num_train=50, num_epochs=1)
    data = load(plain(config.dataset), Path(config.machine.data_dir), download=False)
    assert (len(data.train), len(data.test)) == (50, 10)
    assert tuple(data.train.images_BCHW.shape[1:]) == images.SHAPE
    assert len(data.train.images_BCHW.unique()) == 256
    assert sorted(data.train.labels_B.unique().tolist()) == list(range(10))


def test_fewer_images_are_the_first_of_more(settings: Settings) -> None:
    few, more = (
        images.read({"num_train_images": number, "num_test_images": 1}, settings.folder).train for number in (3, 9)
    )
    assert torch.equal(few.images_BCHW, more.images_BCHW[:3])
    assert torch.equal(few.labels_B, more.labels_B[:3])


def test_images_of_the_data_set_where_it_is_there(tmp_path: Path) -> None:
    written = torch.randint(256, (12, 3, 32, 32), dtype=torch.uint8)
    labels, split = torch.arange(12) % 10, (torch.arange(12) >= 8).long()
    path = tmp_path / "cifar10_jpeg.npz"
    pack.write(path, written, labels, split, [str(label) for label in range(10)])
    checksum = {"size_bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    node = dataset_node() | {"files": {path.name: checksum}, "num_train_images": 8, "num_test_images": 4}
    assert images.prepare(tmp_path, node, tmp_path, num_train=5, num_test=4) == "cifar10_jpeg"
    data = images.read({"num_train_images": 5, "num_test_images": 4}, tmp_path)
    found = {tuple(image.flatten().tolist()) for image in data.train.images_BCHW}
    assert len(found) == 5
    assert found <= {tuple(image.flatten().tolist()) for image in written[:8]}
    where = [int((written == image).flatten(1).all(1).nonzero()) for image in data.test.images_BCHW]
    assert sorted(where) == [8, 9, 10, 11]
    assert data.test.labels_B.tolist() == labels[where].tolist()


def test_workloads_share_no_results_folder(settings: Settings) -> None:
    one, other = (workload(settings, model="cnn4", num_train=50, num_epochs=1) for _ in range(2))
    assert one.machine.results_dir != other.machine.results_dir
    assert one.machine.cache_dir != other.machine.cache_dir
    assert dataclasses.replace(one, machine=other.machine) == other
