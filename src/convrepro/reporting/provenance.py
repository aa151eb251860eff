"""What runs were made of and made with, as texts: once where the seeds agree, seed by seed where they differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from convrepro.records import Record

Fact = tuple[str, str]  # what, and its value

_DIGITS = 12  # of a checksum or a commit: enough to tell two apart
_CHECKSUMS = ("sha256", "md5")


def grouped(texts: Mapping[int, str]) -> str:
    """One text for all seeds: ``float32``, or ``float32 (seeds 0, 1); tf32 (seed 2)`` where they differ."""
    seeds: dict[str, list[int]] = {}
    for seed, text in texts.items():
        seeds.setdefault(text, []).append(seed)
    if len(seeds) == 1:
        return next(iter(seeds))
    return "; ".join(f"{text} ({_seeds(of)})" for text, of in seeds.items())


def computed(records: Sequence[Record]) -> list[Fact]:
    """Operator, network, recipe and protocol, each by its name and its values, which all seeds share."""
    config = records[0].config
    augmentation = config.get("recipe", {}).get("augmentation")
    recipe = {key: value for key, value in config.get("recipe", {}).items() if key != "augmentation"}
    parts = {
        "operator": ("conv", config.get("conv")),
        "network": ("model", config.get("model")),
        "recipe": ("recipe", recipe),
        "augmentation": ("augmentation", augmentation),
        "protocol": ("protocol", config.get("protocol")),
    }
    facts = []
    for what, (group, values) in parts.items():
        name = grouped({record.seed: str(record.names.get(group, "")) for record in records})
        if name or values:
            facts.append((what, ": ".join(filter(None, [name, _spelled(values or {})]))))
    return facts


def data(records: Sequence[Record], *, official: bool) -> list[Fact]:
    """Which images: the data set with the checksums of its files, and what became training and test images."""
    config = records[0].config.get("dataset", {})
    name = grouped({record.seed: str(record.names.get("dataset", "")) for record in records})
    facts = [("data set", f"{name}, {'the official distribution' if official else 'not the official distribution'}")]
    for path, file in config.get("files", {}).items():
        kind = next((kind for kind in _CHECKSUMS if kind in file), "")
        checksum = f"{kind} {str(file.get(kind, ''))[:_DIGITS]}"
        facts.append(("file", f"{path}, {file.get('size_bytes', 0):,} bytes, {checksum}"))
    options = config.get("options", {})
    facts += [(key, f"{str(value)[:_DIGITS]}") for key, value in options.items() if key.endswith(_CHECKSUMS)]
    for split in dict.fromkeys(split for record in records for split in record.splits):
        texts = {record.seed: _split(record.splits.get(split)) for record in records}
        facts.append((f"{split} images", grouped(texts)))
    return facts


def environment(records: Sequence[Record]) -> list[Fact]:
    """Commit, versions, device and the like."""
    flat = {record.seed: _flat(record.environment) for record in records}
    keys = dict.fromkeys(key for facts in flat.values() for key in facts)
    texts = {key: {seed: facts.get(key, "not recorded") for seed, facts in flat.items()} for key in keys}
    packages = [key for key in texts if key.startswith("versions.")]
    alike = [key for key in packages if len(set(texts[key].values())) == 1]
    facts = [(key, grouped(texts[key])) for key in texts if key not in packages]
    if alike:
        first = records[0].seed
        versions = ", ".join(f"{key.removeprefix('versions.')} {texts[key][first]}" for key in alike)
        facts.append(("versions", versions))
    return facts + [(key.removeprefix("versions."), grouped(texts[key])) for key in packages if key not in alike]


def _seeds(seeds: Sequence[int]) -> str:
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def _spelled(values: Mapping[str, Any]) -> str:
    """``Adam: lr 0.001, betas 0.9 0.999``: the values of a config in its order; a class by its name alone."""
    target = str(values.get("_target_", "")).rpartition(".")[2]
    own = ", ".join(
        f"{key} ({_spelled(value)})" if isinstance(value, Mapping) else f"{key} {_value(value)}"
        for key, value in values.items()
        if key != "_target_" and value is not None
    )
    return ": ".join(filter(None, [target, own]))


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(_value, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _split(split: Mapping[str, Any] | None) -> str:
    if split is None:
        return "none"
    return f"{split.get('num_images', 0):,}, indices' sha256 {str(split.get('sha256', ''))[:_DIGITS]}"


def _flat(environment: Mapping[str, Any]) -> dict[str, str]:
    """Its texts by key, ``versions.torch`` for nested ones; commit and dirty flag are one of them."""
    found: dict[str, str] = {}
    if "git_commit" in environment:
        changes = ", with changes in src or configs" if environment.get("git_dirty") else ", clean"
        commit = str(environment["git_commit"])[:_DIGITS]
        found["git commit"] = commit + changes if commit else "none: not run from a checkout"
    for key, value in environment.items():
        if key in ("git_commit", "git_dirty"):
            continue
        if isinstance(value, Mapping):
            found |= {f"{key}.{name}": str(text) for name, text in value.items()}
        else:
            found[key] = str(value)
    return found
