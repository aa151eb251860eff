"""``convrepro data list|verify|fetch|pack``: data sets on this machine."""

import argparse
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convrepro.data.catalogue import DatasetState
    from convrepro.data.image_set import ImageSet


def add_to(commands: Any) -> None:
    parser = commands.add_parser("data", help="data sets: list, verify, fetch, pack")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    for name, summary, command in (
        ("list", "which data sets there are, and which are here", _list),
        ("verify", "read and check data sets; all that are here by default", _verify),
        ("fetch", "download data sets and check them", _fetch),
    ):
        action = actions.add_parser(name, help=summary, description=summary)
        _add_data_dir(action)
        if name != "list":
            action.add_argument("names", metavar="NAME", nargs="*" if name == "verify" else "+")
        action.set_defaults(command=command)
    pack = actions.add_parser(
        "pack",
        help="make one .npz file of a data set or of folders of images",
        description="Packs a data set that is here, or FOLDER/train/CLASS/* and FOLDER/test/CLASS/*, without loss; "
        "prints the config that makes it usable.",
    )
    _add_data_dir(pack)
    pack.add_argument("source", metavar="NAME|FOLDER")
    pack.add_argument("pack", metavar="FILE.npz", type=Path)
    pack.set_defaults(command=_pack)


def _add_data_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=Path(os.environ.get("CONVREPRO_DATA", "data")),
        help="default: CONVREPRO_DATA, else ./data",
    )


def _list(arguments: argparse.Namespace) -> int:
    from convrepro.data.catalogue import catalogue

    _print(catalogue(arguments.data_dir))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    _check_names(arguments.names)
    from convrepro.data.catalogue import catalogue, verify

    here = [state.name for state in catalogue(arguments.data_dir) if state.state != "missing"]
    names = arguments.names or here
    states = [verify(name, arguments.data_dir) for name in names]
    return _print(states)


def _fetch(arguments: argparse.Namespace) -> int:
    _check_names(arguments.names)
    from convrepro.data.catalogue import fetch

    return _print([fetch(name, arguments.data_dir) for name in arguments.names])


def _check_names(names: Sequence[str]) -> None:
    """Before what takes seconds to import."""
    from convrepro import config_files

    for name in names:
        config_files.check_name(name, config_files.names("dataset"), kind="dataset")


def _print(states: list["DatasetState"]) -> int:
    """Prints data sets; returns the exit status of a command that wants them all here and whole."""
    name_width, state_width = (max(map(len, texts)) for texts in zip(*((s.name, s.state) for s in states), strict=True))
    for state in states:
        mark = "" if state.official else " (not the official distribution)"
        print(f"{state.name:<{name_width}}  {state.state:<{state_width}}  {state.about}{mark}")
        said = [state.detail]
        if state.homepage and state.homepage not in state.detail:
            said.append(f"from {state.homepage}")
        for line in said:
            print(f"{'':<{name_width}}  {'':<{state_width}}  {line}")
    return 0 if all(state.state in ("present", "bundled") for state in states) else 1


def _pack(arguments: argparse.Namespace) -> int:
    import torch

    from convrepro.data import pack

    images, classes = _source(arguments)
    both = (images.train, images.test)
    pack.write(
        arguments.pack,
        torch.cat([part.images_BCHW for part in both]),
        torch.cat([part.labels_B for part in both]),
        torch.cat([torch.full((len(part),), index) for index, part in enumerate(both)]),
        classes,
    )
    print(_config(arguments.pack, images, len(classes)), end="")
    return 0


def _source(arguments: argparse.Namespace) -> tuple["ImageSet", list[str]]:
    from convrepro import config_files, data
    from convrepro.data import folder

    if Path(arguments.source).is_dir():
        return folder.read(Path(arguments.source))
    dataset = config_files.load("dataset", arguments.source)
    return data.load(dataset, arguments.data_dir, download=False), [str(i) for i in range(dataset["num_classes"])]


def _config(path: Path, images: "ImageSet", num_classes: int) -> str:
    """The config of a pack; ``configs/dataset/<name>.yaml`` is where it belongs."""
    _, channels, height, width = images.train.images_BCHW.shape
    pixels = images.train.images_BCHW.double().div(255).transpose(0, 1).flatten(1)
    mean, std = ([round(value, 4) for value in moment.tolist()] for moment in (pixels.mean(1), pixels.std(1)))
    content = path.read_bytes()
    return f"""# configs/dataset/{path.stem}.yaml; put {path.name} into the data folder
defaults:
  - override /protocol@_global_.protocol: holdout_200
  - _self_
about: {len(images.train):,} + {len(images.test):,} images of {num_classes} classes, {height}x{width}
name: {path.stem}
_target_: convrepro.data.pack.read
num_classes: {num_classes}
in_channels: {channels}
image_size: [{height}, {width}]
num_train_images: {len(images.train)}
num_test_images: {len(images.test)}
mean: {mean}    # over all pixels of the training images
std: {std}
official: false
options:
  first_label: 0
  split_ids: {{train: [0], test: [1]}}
files:
  {path.name}:
    size_bytes: {len(content)}
    sha256: {hashlib.sha256(content).hexdigest()}
downloads: []
"""
