"""The phases of a protocol: what each trains on, and what it is evaluated on."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from convrepro.data import ImageSet, ImageSplit, splits
from convrepro.protocols.schema import Config


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


def phases_of(config: Config, data: ImageSet) -> tuple[list[Phase], dict[str, dict[str, Any]]]:
    """Splits a data set as the protocol asks.

    Args:
        config: of the run; its seed counts only where its protocol has ``random_test``.
        data: with the parts that its reader knows.

    Returns:
        The phases in their order; and for each split its number of images and the SHA-256 of its index list, which
        depends on the labels and the protocol only, not on the seed, unless the protocol has a ``random_test``. Its
        indices then count through the training and the test part of the data set.

    Raises:
        ValueError: if the validation set would take all training images, or there is no official one.
    """
    protocol = config.protocol
    everything, rows, test, test_rows = _training_and_test_part(data, config.seed if protocol.random_test else None)
    labels = everything.labels_B.numpy()
    pool = splits.fraction(labels, protocol.images) if protocol.images < 1.0 else np.arange(len(labels))
    num_validation = config.num_validation_images
    if num_validation >= len(pool):
        raise ValueError(
            f"the protocol's validation images must leave images to train on: {num_validation} of {len(pool)}."
        )
    kept, held_out = (pool[positions] for positions in splits.stratified(labels[pool], num_validation))
    indices = {"train": rows[kept], "validation": rows[held_out], "test": test_rows}
    validation = {"validation": everything.subset(held_out)} if num_validation else {}
    if protocol.official_validation:
        if data.validation is None:
            raise ValueError("`protocol.official_validation` needs a data set with a validation part, got one without.")
        validation = {"validation": data.validation}
        indices["validation"] = np.arange(len(data.validation))
    if protocol.retrain:
        phases = [
            Phase(name="select", train=everything.subset(kept), evaluations=validation),
            Phase(name="train", train=everything.subset(pool), evaluations={"test": test}),
        ]
        indices["retrain"] = rows[pool]
    else:
        phases = [Phase(name="train", train=everything.subset(kept), evaluations={**validation, "test": test})]
    return phases, {
        name: {"num_images": len(chosen), "sha256": splits.sha256_of(chosen)} for name, chosen in indices.items()
    }


def _training_and_test_part(data: ImageSet, seed: int | None) -> tuple[ImageSplit, np.ndarray, ImageSplit, np.ndarray]:
    """Each part with the indices that name its images; with a seed, drawn from all images."""
    if seed is None:
        return data.train, np.arange(len(data.train)), data.test, np.arange(len(data.test))
    everything = data.joined()
    rest, drawn = splits.random_test_part(len(everything), len(data.test), seed)
    return everything.subset(rest), rest, everything.subset(drawn), drawn
