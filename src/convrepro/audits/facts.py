"""Reads ``facts.yaml``, beside this file: what the audit needs besides the printed numbers, with sources."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from convrepro.audits.counts import FAMILIES

PATH = Path(__file__).with_name("facts.yaml")


@cache
def load() -> dict[str, Any]:
    """The file's content; whoever reads it must not change it."""
    content: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return content


def num_test_images(dataset: str) -> int | None:
    """Number of test images; None if it is not known or not certain."""
    found: int | None = load()["datasets"].get(dataset, {}).get("test_images")
    return found


def network_size(model: str, dataset: str, conv: str, *, kernel_size: int | None = None) -> int | None:
    """Learnable parameters by the layer tables; None if the network, the data set or the operator has none here."""
    facts = load()
    arguments = dict(facts["networks"].get(model, {}))
    image = facts["datasets"].get(dataset)
    family = arguments.pop("family", "")
    is_dynamic = family in facts["dynamic_kernel_families"]
    known = ("standard", "dk", "dk_first") if is_dynamic else ("standard", "aconv")
    if not family or image is None or conv not in known:
        return None
    if is_dynamic:
        arguments |= facts["dynamic_kernel"]
    elif kernel_size is None:
        return None
    else:
        arguments["kernel_size"] = kernel_size
    return FAMILIES[family](conv, image=image["image"], num_classes=image["num_classes"], **arguments)
