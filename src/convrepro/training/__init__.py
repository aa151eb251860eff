"""Training by Lightning: modules, schedules, checkpoints, one phase."""

from convrepro.training.callbacks import KeepWeights, TellEpoch
from convrepro.training.classifier import Classifier, Diverged
from convrepro.training.fit import fit
from convrepro.training.memory import keep_freed_memory
from convrepro.training.schedules import multistep

__all__ = ["Classifier", "Diverged", "KeepWeights", "TellEpoch", "fit", "keep_freed_memory", "multistep"]
