"""Reads hostile files in a process of its own and says what each took: ``read_hostile.py FOLDER``."""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convrepro.cli.errors import one_line
from convrepro.data import cluttered, downloads, encoded, files, folder, idx, image_tree, lfw, pack


def described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"size_bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def read_pack(data_dir: Path) -> None:
    options = {"first_label": 0, "split_ids": {"train": [0], "test": [1]}}
    dataset = {"name": "tiny", "files": {"a.npz": described(data_dir / "a.npz")}, "downloads": [], "options": options}
    pack.read(dataset | {"in_channels": 1, "image_size": [4, 4]}, data_dir)


def read_cluttered(data_dir: Path) -> None:
    options = {"folders": {"all": "."}, "file": "a.npz", "content_sha256": ""}
    numbers = {"image_size": [60, 60], "num_train_images": 60_000, "num_test_images": 10_000, "num_classes": 10}
    cluttered.read({"name": "tiny", "files": {}, "downloads": [], "options": options, **numbers}, data_dir)


def read_idx(data_dir: Path) -> None:
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")]
    found = {name: described(data_dir / name) for name in names}
    idx.read({"name": "tiny", "files": found, "downloads": [], "options": {}}, data_dir)


def read_gzip(data_dir: Path) -> None:
    expected = {"size_bytes": 47_040_016, "sha256": "0" * 64}
    files.read({"name": "tiny", "files": {"a": expected}, "downloads": [], "options": {}}, data_dir, "a")


def unpack(data_dir: Path) -> None:
    download = {"url": "https://example.org/a", "file": "a.tar.gz", **described(data_dir / "a.tar.gz")}
    wanted = {"batches/a": {"size_bytes": 31_035_704, "sha256": "0" * 64}}
    downloads.fetch({"name": "tiny", "files": wanted, "downloads": [download]}, data_dir)


def decode(data_dir: Path) -> None:
    encoded.decode((data_dir / "a.png").read_bytes(), (4, 4, 1), resize=True)


def decode_of_tree(data_dir: Path) -> None:
    image_tree.decode("a.png", data_dir, (4, 4, 3), resize=True)


def read_faces(data_dir: Path) -> None:
    options = {"folders": {"all": "lfw_home/lfw_funneled"}, "min_faces_per_person": 1, "resize": 0.4}
    dataset = {"name": "lfw", "files": {}, "downloads": [], "options": {**options, "content_sha256": ""}}
    lfw.read(dataset, data_dir)


READERS: dict[str, Callable[[Path], Any]] = {
    "pack": read_pack,
    "cluttered": read_cluttered,
    "idx": read_idx,
    "gzip": read_gzip,
    "tar": unpack,
    "image": decode,
    "tree": decode_of_tree,
    "folder": folder.read,
    "faces": read_faces,
}


def peak_bytes() -> int:
    """Most memory that this process ever had."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


def main(top: Path) -> None:
    """Of ``<top>/<reader>/<name>/``; one line of JSON for each."""
    idle_bytes = peak_bytes()
    for kind, reader in READERS.items():
        for data_dir in sorted((top / kind).iterdir()):
            before = time.monotonic()
            try:
                reader(data_dir)
                said = ""
            except (ValueError, OSError) as error:
                said = one_line(error)
            seconds = time.monotonic() - before
            found = {"name": data_dir.name, "said": said, "seconds": seconds, "added_bytes": peak_bytes() - idle_bytes}
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
