"""Training by Lightning: one seed or several together, schedules, checkpoints, one phase."""

from convrepro.training.callbacks import KeepWeights
from convrepro.training.clipping import clip_gradients
from convrepro.training.fit import BACKENDS, fit
from convrepro.training.learner import Learner
from convrepro.training.memory import keep_freed_memory, new_memory_left_unfilled
from convrepro.training.precision import matrix_precision
from convrepro.training.schedules import multistep, plateau
from convrepro.training.streams import CAPTURABLE, Refused, why_not_streams

__all__ = [
    "BACKENDS",
    "CAPTURABLE",
    "KeepWeights",
    "Learner",
    "Refused",
    "clip_gradients",
    "fit",
    "keep_freed_memory",
    "matrix_precision",
    "multistep",
    "new_memory_left_unfilled",
    "plateau",
    "why_not_streams",
]
