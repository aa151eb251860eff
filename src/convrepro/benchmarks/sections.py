"""What ``make benchmark`` measures, section by section."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from convrepro.benchmarks import cell, epochs, gpu, growth, images, layout, memory, operators, start_up
from convrepro.benchmarks.row import Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.workload import MOST_TRAIN_IMAGES, dataset_node
from convrepro.training import keep_freed_memory


@dataclass(frozen=True, kw_only=True)
class Section:
    """One subject.

    Args:
        name: for ``--only`` and its file.
        title, about: for readers.
        seconds: that it takes on two cores, for the time left.
        rows: measures it.
        is_possible: whether this machine has what it needs.
    """

    name: str
    title: str
    about: str
    seconds: float
    rows: Callable[[Settings, Advance], list[Row]]
    is_possible: Callable[[], bool] = lambda: True


SECTIONS = (
    Section(
        name="epochs",
        title="Epochs of one run",
        about="CIFAR-10 with the DK-CNN paper's recipe and augmentation, float32. Ours is the path of a user's run: "
        "Lightning, augmentation, evaluation, history, checkpoint and logs of every epoch. The others have the same "
        "network, images, batches and evaluation; each side is a process of its own. Scaled from epochs of 2,560 "
        "images and their evaluation on 512.",
        seconds=390,
        rows=epochs.rows,
    ),
    Section(
        name="cell",
        title="Five seeds of one cell",
        about="Whole runs of CNN4, two epochs of 640 images; processes are started and have imported torch before.",
        seconds=280,
        rows=cell.rows,
    ),
    Section(
        name="operators",
        title="Operators",
        about="Against the plain convolution with the same output, 64 channels, 3x3; `make benchmark-operators` "
        "has all sizes.",
        seconds=25,
        rows=operators.rows,
    ),
    Section(
        name="layout",
        title="Layout of memory",
        about="One training step; below 1 channels last is faster.",
        seconds=55,
        rows=layout.rows,
    ),
    Section(
        name="start_up",
        title="Start of the command line",
        about="From the start of Python to its end.",
        seconds=10,
        rows=start_up.rows,
    ),
    Section(
        name="memory",
        title="Memory",
        about="A run on all of CIFAR-10 whose network takes next to nothing. The goal is the data set once as "
        "uint8 and, for each run, one epoch's batches as float32.",
        seconds=40,
        rows=memory.rows,
    ),
    Section(
        name="growth",
        title="How cost grows",
        about="Tiny runs of CNN4, one after the other in one process; 1 is linear.",
        seconds=40,
        rows=growth.rows,
    ),
    Section(
        name="gpu",
        title="Five seeds on one GPU",
        about="Epochs of ResNet20, batches of 64, TF32; each side is a process of its own.",
        seconds=90,
        rows=gpu.rows,
        is_possible=gpu.is_there,
    ),
)


@contextlib.contextmanager
def prepared(*, quick: bool, rounds: int | None, threads: int, data_dir: Path) -> Iterator[Settings]:
    """Settings, with images in a temporary folder that is there as long as it is entered."""
    torch.set_num_threads(threads)
    keep_freed_memory()  # as in a run
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        num_train = MOST_TRAIN_IMAGES
        source = images.prepare(folder, dataset_node(), data_dir, num_train=num_train, num_test=num_train // 5)
        yield Settings(quick=quick, rounds=rounds, threads=threads, data_dir=data_dir, folder=folder, source=source)
