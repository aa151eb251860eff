"""The phases of a protocol: what each trains on, and what it is evaluated on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convrepro.data import ImageSet, ImageSplit, splits
from convrepro.protocols.schema import Protocol


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One training from fresh weights.

    Args:
        name: ``select`` for the phase that only chooses an epoch, ``train`` for the one that is reported.
        train: images that are trained on.
        evaluations: evaluated after each epoch, by name.
    """

    name: str
    train: ImageSplit
    evaluations: dict[str, ImageSplit]


def phases_of(protocol: Protocol, data: ImageSet) -> tuple[list[Phase], dict[str, dict[str, Any]]]:
    """Splits a data set as the protocol asks.

    Returns:
        The phases in their order; and for each split its number of images and the SHA-256 of its index list, which
        depends on the labels and the protocol only, never on the seed.

    Raises:
        ValueError: if the validation set would take all training images.
    """
    labels = data.train.labels_B.numpy()
    pool = splits.fraction(labels, protocol.images) if protocol.images < 1.0 else np.arange(len(labels))
    num_validation = round(protocol.validation_images * protocol.images)
    if num_validation >= len(pool):
        raise ValueError(
            f"`protocol.validation_images` must leave images to train on: {num_validation} of {len(pool)}."
        )
    kept, held_out = (pool[positions] for positions in splits.stratified(labels[pool], num_validation))
    validation = {"validation": data.train.subset(held_out)} if num_validation else {}
    test = {"test": data.test}
    if protocol.retrain:
        phases = [
            Phase(name="select", train=data.train.subset(kept), evaluations=validation),
            Phase(name="train", train=data.train.subset(pool), evaluations=test),
        ]
    else:
        phases = [Phase(name="train", train=data.train.subset(kept), evaluations={**validation, **test})]
    indices = {"train": kept, "validation": held_out, "test": np.arange(len(data.test))}
    if protocol.retrain:
        indices["retrain"] = pool
    return phases, {
        name: {"num_images": len(chosen), "sha256": splits.sha256_of(chosen)} for name, chosen in indices.items()
    }
