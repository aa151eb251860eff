"""Learning-rate schedules as pure functions of the epoch and the history: a resumed run needs no state to go on."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How a plateau is counted.

    Args:
        epochs: without a gain that are waited.
        cooldown: epochs after a decay in which nothing is waited; the last of them counts for Keras.
        as_keras: a gain is one by more than 1e-4, and the rate falls after ``epochs`` epochs without any, as Keras'
            ``ReduceLROnPlateau`` has it; else as torch's: a gain is more than 0.01 % of the best value so far, and
            the rate falls after more than ``epochs`` epochs without any.
    """

    epochs: int
    cooldown: int = 0
    as_keras: bool = False


def plateau(metric: str, decay_factor: float, patience: Patience, *, least: float = 0.0) -> Callable[[History], float]:
    """A factor that is multiplied by ``decay_factor`` whenever a loss has not fallen for a while.

    Args:
        metric: key of the history, the lower the better; ``held_out_loss`` is the validation loss if there is one, else
            that on the test images.
        decay_factor: in (0, 1].
        patience: how long is waited.
        least: the factor falls no further.

    Returns:
        A function from the history to the factor of the initial learning rate in the epoch after it.
    """

    least_wait = patience.epochs if patience.as_keras else patience.epochs + 1

    def factor(history: History) -> float:
        best, num_waited, num_cooling, found = math.inf, 0, 0, 1.0
        for value in history.get(_key(metric, history), []):
            is_cooling = num_cooling > (1 if patience.as_keras else 0)  # Keras counts the last epoch of a cooldown
            num_cooling = max(0, num_cooling - 1)
            if value < (best - _LEAST_GAIN if patience.as_keras else best * (1 - _LEAST_GAIN)):
                best, num_waited = value, 0
            else:
                num_waited = 0 if is_cooling else num_waited + 1
            if num_waited >= max(1, least_wait):
                found, num_waited, num_cooling = max(found * decay_factor, least), 0, patience.cooldown
        return found

    return factor


def one_cycle(shape: str, *, first: float, peak: float, last: float, peak_at: float) -> Callable[[float], float]:
    """A learning rate, or momentum, that goes from ``first`` to ``peak`` to ``last`` in one cycle.

    Args:
        shape: ``cosine``, half a cosine up and half a one down, as fastai's ``fit_one_cycle`` has it; or ``gaussian``,
            exp(-((x - p) / (w / 2))^2), w being the distance from the peak p to the end on that side, shifted and
            scaled so that it is 0 at a distance of w and 1 at the peak (the curve of Tek et al. 2021's code, with the
            end points of their Sec. 4.3).
        first, peak, last: values at 0, at ``peak_at`` and at 1.
        peak_at: fraction of the training, in (0, 1).

    Returns:
        A function from the finished fraction of the training, in [0, 1], to the value.
    """
    rise = {"cosine": _cosine, "gaussian": _gaussian}[shape]

    def value(fraction: float) -> float:
        if fraction < peak_at:
            return first + (peak - first) * rise(fraction / peak_at)
        return last + (peak - last) * rise((1.0 - fraction) / (1.0 - peak_at))

    return value


def _key(metric: str, history: History) -> str:
    if metric != "held_out_loss":
        return metric
    return "validation_loss" if "validation_loss" in history else "test_loss"


def _cosine(x: float) -> float:
    return (1.0 - math.cos(math.pi * x)) / 2.0


def _gaussian(x: float) -> float:
    foot = math.exp(-4.0)
    return (math.exp(-4.0 * (1.0 - x) ** 2) - foot) / (1.0 - foot)
