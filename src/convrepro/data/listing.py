"""What tells one copy of a data set's files from another without reading them: names, sizes and times of change."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from convrepro.data import files, image_tree


def listing_of(dataset: Mapping[str, Any], data_dir: Path) -> str:
    """SHA-256 of the list of all files in a data set's folders and of the lists beside them, and of where they lie.

    What macOS and Windows leave in folders that were looked at is not listed: readers pass it over.

    Returns:
        "" for a data set that has no such folders.

    Raises:
        FileNotFoundError: if a folder or a list is missing.
        ValueError: if a name leads out of ``data_dir``, or folders lie in too many others.
    """
    folders = files.folders_of(dataset)
    lists = [name for names in files.lists_of(dataset).values() for name in names]
    if not folders:
        return ""
    files.find(dataset, data_dir)
    found = {name: (data_dir / name).stat() for name in lists}
    for folder in folders:
        found |= dict(_stats_below(data_dir / folder, folder))
    lines = [f"{stat.st_size} {stat.st_mtime_ns} {name!r}" for name, stat in sorted(found.items())]
    return hashlib.sha256("\n".join([repr(str(data_dir.resolve())), *lines]).encode()).hexdigest()


def _stats_below(folder: Path, name: str, depth: int = 0) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as scan:
        for entry in scan:
            if entry.is_dir(follow_symlinks=False):
                if depth > image_tree.MAX_DEPTH:
                    raise ValueError(f"folders must not lie in more than {image_tree.MAX_DEPTH} others, got {folder}.")
                yield from _stats_below(Path(entry.path), f"{name}/{entry.name}", depth + 1)
            elif not image_tree.is_of_a_file_manager(entry):
                yield f"{name}/{entry.name}", entry.stat(follow_symlinks=False)
