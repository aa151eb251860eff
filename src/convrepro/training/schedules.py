"""Learning-rate schedules as pure functions of the epoch: a resumed run needs no state to go on."""

from collections.abc import Callable, Sequence


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
