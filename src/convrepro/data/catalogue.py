"""Which data sets there are, and which of them are here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from convrepro import config_files
from convrepro.data import files

State = Literal["present", "missing", "corrupt", "bundled"]


@dataclass(frozen=True, kw_only=True)
class DatasetState:
    """A data set as a list shows it.

    Args:
        name: config name.
        about: what it is.
        official: whether it is the official distribution.
        state: ``bundled`` sets come with a package that is installed anyway.
        detail: one line: where, how much, or what is wrong.
        homepage: where people get it, if it cannot be downloaded.
    """

    name: str
    about: str
    official: bool
    state: State
    detail: str
    homepage: str | None = None


def catalogue(data_dir: Path) -> list[DatasetState]:
    """State of every data set, by name, without opening a file: a changed byte needs ``verify``."""
    return [_look(config_files.load("dataset", name), data_dir) for name in config_files.names("dataset")]


def verify(name: str, data_dir: Path) -> DatasetState:
    """State of one data set after everything was read and checked.

    Raises:
        ValueError: if there is no such data set; names the nearest.
    """
    # Imported here: listing must not wait for torch.
    from convrepro.data import datasets

    dataset = config_files.load("dataset", name)
    try:
        found = datasets.verify(dataset, data_dir)
    except FileNotFoundError as error:
        return _state(dataset, "missing", str(error))
    except (ValueError, OSError) as error:
        return _state(dataset, "corrupt", str(error))
    held = "checksums hold"
    if dataset.get("options", {}).get("content_sha256") == "":
        known = " and ".join(dataset["files"])
        held = f"the checksums of {known} hold, no image has one" if known else "none has a known checksum"
        held += f"; content_sha256 {found.content_sha256}"
    counts = f"{found.num_train_images:,} training and {found.num_test_images:,} test images, {held}"
    return _state(dataset, "present" if _lies_in_data_dir(dataset) else "bundled", counts)


def fetch(name: str, data_dir: Path) -> DatasetState:
    """Downloads what is missing of a data set, then verifies it.

    Raises:
        ValueError: if there is no such data set, it cannot be downloaded or read, or what came is not its files.
        OSError: if the connection or the disk fails.
    """
    # Imported here: listing must not wait for the network libraries.
    from convrepro.data import downloads

    dataset = config_files.load("dataset", name)
    if dataset["files"]:
        downloads.fetch(dataset, data_dir)
    return verify(name, data_dir)


def _look(dataset: dict[str, Any], data_dir: Path) -> DatasetState:
    if not _lies_in_data_dir(dataset):
        return _state(dataset, "bundled", "comes with a package that is installed")
    try:
        paths = files.find(dataset, data_dir)
    except FileNotFoundError as error:
        return _state(dataset, "missing", str(error))
    for name, path in paths.items():
        size_bytes, expected = path.stat().st_size, dataset["files"][name]["size_bytes"]
        if size_bytes != expected and path.suffix != ".gz":
            return _state(dataset, "corrupt", f"{path} must hold {expected:,} bytes, got {size_bytes:,}.")
    return _state(dataset, "present", f"in {data_dir}")


def _lies_in_data_dir(dataset: dict[str, Any]) -> bool:
    return bool(dataset["files"] or files.folders_of(dataset))


def _state(dataset: dict[str, Any], state: State, detail: str) -> DatasetState:
    return DatasetState(
        name=dataset["name"],
        about=dataset["about"],
        official=dataset["official"],
        state=state,
        detail=detail,
        homepage=dataset.get("homepage"),
    )
