"""Which parameters have a learning rate or a weight decay of their own."""

from collections.abc import Iterable
from typing import Any

from torch import nn

SIGMA = "sigma"  # the aperture of an adaptive kernel (Tek, Çam, Karlı 2021)


def parameter_groups(
    network: nn.Module, *, sigma_learning_rate: float | None = None, only_kernels_decay: bool = False
) -> Iterable[Any]:
    """What an optimizer takes: the network's parameters, or groups of them.

    Args:
        network: with its parameters.
        sigma_learning_rate: of the parameters that are called ``sigma``; None for that of all.
        only_kernels_decay: whether parameters of one dimension (of batch normalisation, biases, apertures) have no
            weight decay: it is then that of the weights of convolutions and linear layers.

    Returns:
        The parameters as they are if neither is asked for; else groups that are not empty, apertures last.
    """
    if sigma_learning_rate is None and not only_kernels_decay:
        return network.parameters()
    named = list(network.named_parameters())
    apertures = [parameter for name, parameter in named if sigma_learning_rate and name.rpartition(".")[2] == SIGMA]
    others = [parameter for _, parameter in named if not any(parameter is aperture for aperture in apertures)]
    undecayed: dict[str, Any] = {"weight_decay": 0.0} if only_kernels_decay else {}
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in others if parameter.ndim > 1 or not only_kernels_decay]},
        {"params": [parameter for parameter in others if parameter.ndim <= 1 and only_kernels_decay], **undecayed},
        {"params": apertures, "lr": sigma_learning_rate, **undecayed},
    ]
    return [group for group in groups if group["params"]]
