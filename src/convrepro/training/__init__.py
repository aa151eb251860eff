"""Training by Lightning: one seed or several together, schedules, checkpoints, one phase."""

from convrepro.training.callbacks import KeepWeights
from convrepro.training.checkpoints import load as load_checkpoint
from convrepro.training.clipping import clip_gradients
from convrepro.training.fit import BACKENDS, fit
from convrepro.training.learner import Learner
from convrepro.training.memory import keep_freed_memory, new_memory_left_unfilled
from convrepro.training.parameter_groups import parameter_groups
from convrepro.training.precision import matrix_precision
from convrepro.training.schedules import Patience, multistep, one_cycle, plateau
from convrepro.training.streams import CAPTURABLE, Refused, why_not_streams

__all__ = [
    "BACKENDS",
    "CAPTURABLE",
    "KeepWeights",
    "Learner",
    "Patience",
    "Refused",
    "clip_gradients",
    "fit",
    "keep_freed_memory",
    "load_checkpoint",
    "matrix_precision",
    "multistep",
    "new_memory_left_unfilled",
    "one_cycle",
    "parameter_groups",
    "plateau",
    "why_not_streams",
]
