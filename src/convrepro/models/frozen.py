"""Networks of which only the classifier is trained (Kobayashi 2023, Sec. 3.2)."""

from typing import Self

from torch import nn


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that is always in eval mode: running statistics are used and never change."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


def freeze_features(network: nn.Module) -> None:
    """Leaves only the last linear layer to be trained, in place: "only the final FC classifier is fine-tuned".

    All other parameters get no gradient; batch normalisation of feature maps uses its running statistics from now on,
    also after ``network.train()``; operators that change with the epochs (``set_epoch``) stay as they are. Dropout
    goes on dropping.

    Raises:
        ValueError: if the network has no linear layer.
    """
    classifier = network.get_submodule(classifier_of(network))
    network.requires_grad_(False)
    classifier.requires_grad_(True)
    for layer in network.modules():
        if type(layer) is nn.BatchNorm2d:
            layer.__class__ = FrozenBatchNorm2d  # adds no state: weights, hooks and the place in the network stay
            layer.eval()
        if hasattr(layer, "set_epoch"):
            layer.set_epoch = _stay  # type: ignore[assignment]


def classifier_of(network: nn.Module) -> str:
    """The name of a network's last linear layer.

    Raises:
        ValueError: if it has none.
    """
    names: list[str] = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not names:
        raise ValueError(f"{type(network).__name__} has no linear layer that could be its classifier.")
    return names[-1]


def _stay(epoch: float) -> None:
    """In the place of an operator's ``set_epoch``."""
