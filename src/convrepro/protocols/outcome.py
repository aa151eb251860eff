"""What a task without epochs on a data set found: the part of its record that is its own."""

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One seed's result.

    Args:
        selected: as in ``records.Record``.
        epochs: metric -> value after each iteration.
        seconds: that the task took.
        reason: why it diverged; empty if it did not.
    """

    selected: dict[str, dict[str, float]]
    epochs: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
