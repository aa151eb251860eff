"""Learning-rate schedules as pure functions of the epoch and the history: a resumed run needs no state to go on."""

import math
from collections.abc import Callable, Mapping, Sequence

History = Mapping[str, Sequence[float]]

_LEAST_GAIN = 1e-4  # as a fraction of the best value so far: torch's default


def multistep(milestones: Sequence[int], decay_factor: float) -> Callable[[float], float]:
    """A factor that is multiplied by ``decay_factor`` after each milestone.

    Args:
        milestones: numbers of finished epochs after which the rate falls, rising.
        decay_factor: in (0, 1].

    Returns:
        A function from the number of finished epochs, whole or not, to the factor of the initial learning rate, as
        ``torch.optim.lr_scheduler.MultiStepLR`` has it.
    """
    return lambda epoch: decay_factor ** sum(epoch >= milestone for milestone in milestones)


def plateau(metric: str, decay_factor: float, patience: int) -> Callable[[History], float]:
    """A factor that is multiplied by ``decay_factor`` whenever a loss has not fallen for more than ``patience`` epochs.

    Args:
        metric: key of the history; the lower, the better.
        decay_factor: in (0, 1].
        patience: epochs without a gain that are waited; a gain is at least 0.01 % of the best value so far.

    Returns:
        A function from the history to the factor of the initial learning rate in the epoch after it, as
        ``torch.optim.lr_scheduler.ReduceLROnPlateau`` has it. Keras waits an epoch less, and its gain is absolute.
    """

    def factor(history: History) -> float:
        best, num_waited, num_decays = math.inf, 0, 0
        for value in history.get(metric, []):
            if value < best * (1 - _LEAST_GAIN):
                best, num_waited = value, 0
            else:
                num_waited += 1
            if num_waited > patience:
                num_decays, num_waited = num_decays + 1, 0
        return decay_factor**num_decays

    return factor
