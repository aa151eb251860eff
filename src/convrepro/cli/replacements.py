"""Data sets in the place of a table's own: by `--dataset`, or because a data set is not on this machine."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from convrepro import config_files


def datasets_of(table: str) -> list[str]:
    """The data sets of a table's file, in its order; those that do not exist are found when it is expanded.

    Raises:
        ValueError: if there is no such table; names the nearest.
    """
    blocks = config_files.load("table", table).get("grid") or []
    named = dict.fromkeys(name for block in blocks for name in block.get("dataset", []))
    known = config_files.names("dataset")
    return [name for name in named if name in known]


def replacements(texts: Iterable[str], own: Sequence[str]) -> dict[str, str]:
    """A data set of a table -> the one that takes its place; the key "" stands for the table's only one.

    Args:
        texts: values of `--dataset`: ``cifar10_jpeg`` or ``cifar10=cifar10_jpeg``, or several with commas or blanks in
            between.
        own: the table's data sets.

    Raises:
        ValueError: if a data set is unknown, or two are named in the place of one.
    """
    texts = list(texts)
    if not all(texts):  # argparse makes an empty list of `--dataset=--`
        raise ValueError("`--dataset` must name a data set, got nothing; see `convrepro list datasets`.")
    found: dict[str, str] = {}
    for text in (part for several in texts for part in several.replace(",", " ").split()):
        ours, separator, other = text.rpartition("=")
        if separator:
            config_files.check_name(ours, own, kind="data set of this table,")
        config_files.check_name(other, config_files.names("dataset"), kind="dataset")
        if found.setdefault(ours, other) != other:
            place = ours or "the table's own"
            raise ValueError(f"`--dataset` names {found[ours]} and {other} in the place of {place}; name one.")
    return found


def stand_ins(datasets: Iterable[str], data_dir: Path) -> dict[str, str]:
    """A data set whose files are not in the data folder -> the one that its config has as ``options.stand_in``.

    Data sets without that option are left out: a run of them says what is missing.
    """
    from convrepro.data import files

    configs = {name: config_files.load("dataset", name) for name in datasets}
    named = {name: config.get("options", {}).get("stand_in") for name, config in configs.items()}
    found = {}
    for name, other in named.items():
        if other:
            try:
                files.find(configs[name], data_dir)
            except FileNotFoundError:
                found[name] = str(other)
    return found
