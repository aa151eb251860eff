"""One line on a run's curve: still falling at the end? over-fitted? how far are training and test apart?"""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile

Curves = Mapping[str, Sequence[float | None]]  # of a record: metric -> value per epoch, None where not finite

_END = 10  # the end is the last tenth of the epochs
_LEVEL = 0.02  # relative change of the loss from one tenth to the next that counts as none
_SMOOTHED = 20  # accuracies are averaged over a twentieth of the epochs: the best of many noisy ones says nothing
_FAR_BEFORE = 0.75  # share of the epochs before which a best epoch lies far before the last
_WORSE_POINTS = 0.5  # by which the accuracy must have fallen since
_ACCURACIES = ("test_accuracy", "test_pixel_accuracy")


def read_curve(curves: Curves, metric: str) -> str:
    """What can be seen in a run's curve, in words; empty if it has none.

    Args:
        curves: ``epochs`` of the record.
        metric: of the table; the accuracy that belongs to it is read, if the run has it.
    """
    num_epochs = max(map(len, curves.values()), default=0)
    if num_epochs == 0:
        return ""
    if broken := _first_not_finite(curves):
        return broken
    if num_epochs == 1:
        return "one epoch, no curve to read"
    said = [_end(curves), _best(curves, metric), _gap(curves, metric)]
    return "; ".join(filter(None, said))


def _first_not_finite(curves: Curves) -> str:
    lengths = {name: len(list(takewhile(_is_finite, values))) for name, values in curves.items()}
    broken = {name: length + 1 for name, length in lengths.items() if length < len(curves[name])}
    if not broken:
        return ""
    name = min(broken, key=lambda name: broken[name])
    return f"{name} is not finite from epoch {broken[name]} on"


def _end(curves: Curves) -> str:
    losses = _values(curves, "train_loss")
    if len(losses) < 2:
        return ""
    length = max(1, len(losses) // _END)
    before, last = _mean(losses[-2 * length : -length]), _mean(losses[-length:])
    change = (last - before) / abs(before) if before else 0.0
    word = "level" if abs(change) <= _LEVEL else "still falling" if change < 0 else "rising"
    epochs = "the last epoch" if length == 1 else f"the last {length} epochs"
    than = "the one before" if length == 1 else f"the {length} before"
    return f"{word} at the end: train_loss {last:.4g} in {epochs}, {before:.4g} in {than} ({100 * change:+.1f} %)"


def _best(curves: Curves, metric: str) -> str:
    name = _accuracy(curves, metric)
    if not name:
        return ""
    values = _values(curves, name)
    length = max(1, len(values) // _SMOOTHED)
    smoothed = [_mean(values[end - length : end]) for end in range(length, len(values) + 1)]
    peak = max(range(len(smoothed)), key=lambda index: (smoothed[index], -index))
    epoch, points = peak + length, smoothed[peak] - smoothed[-1]
    if epoch <= _FAR_BEFORE * len(values) and points > _WORSE_POINTS:
        about = f"epoch {epoch}" if length == 1 else f"epochs {epoch - length + 1} to {epoch}"
        return f"over-fitted: {name} is best in {about} of {len(values)}, {points:.2f} points above the end"
    best = max(range(len(values)), key=lambda index: (values[index], -index))
    return f"no over-fitting seen: best {name} {values[best]:.2f} in epoch {best + 1} of {len(values)}"


def _gap(curves: Curves, metric: str) -> str:
    name = _accuracy(curves, metric)
    trained = f"train_{name.removeprefix('test_')}"
    if not name or trained not in curves:
        return ""
    length = max(1, len(curves[name]) // _END)
    points = _mean(_values(curves, trained)[-length:]) - _mean(_values(curves, name)[-length:])
    return f"{trained} {abs(points):.2f} points {'above' if points >= 0 else 'below'} {name} at the end"


def _accuracy(curves: Curves, metric: str) -> str:
    """Name of the accuracy to read; empty if the run has none."""
    own = metric.removesuffix("_error") + "_accuracy" if metric.endswith("_error") else metric
    return next((name for name in (own, *_ACCURACIES) if name.endswith("_accuracy") and curves.get(name)), "")


def _values(curves: Curves, name: str) -> list[float]:
    return [value for value in curves.get(name, ()) if value is not None]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
