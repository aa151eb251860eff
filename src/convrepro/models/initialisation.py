"""How ordinary convolutions start where a recipe says so; operators start by themselves."""

from torch import nn

from convrepro.conv import OperatorLayer

SCHEMES = ("glorot_uniform",)


def initialise(network: nn.Module, scheme: str) -> None:
    """Draws the weights of every ordinary convolution anew, from torch's global random numbers.

    Ordinary is what is ``nn.Conv2d`` itself, no subclass, wherever it stands but inside an operator under study, which
    keeps its own start: so the ordinary convolution of Tek et al. 2021 starts Glorot-uniform, the adaptive one
    He-uniform, as in the authors' public code. Biases, and layers of other kinds, stay as they are.

    Args:
        network: changed in place.
        scheme: ``glorot_uniform``: uniform within sqrt(6 / (k^2 (C + O))) of 0 for k x k kernels from C channels to O
            (Glorot and Bengio 2010, Eq. 16; the default of Keras).

    Raises:
        ValueError: if the scheme is not known.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"`initialisation` must be one of {', '.join(SCHEMES)}, got {scheme!r}.")
    of_operators = {
        inner
        for layer in network.modules()
        if isinstance(layer, OperatorLayer)
        for inner in layer.operator.modules()
        if inner is not layer.operator
    }
    for layer in network.modules():
        if type(layer) is nn.Conv2d and layer not in of_operators:
            nn.init.xavier_uniform_(layer.weight)
