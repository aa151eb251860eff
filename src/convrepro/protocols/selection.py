"""Which epoch counts: the selection rules, all from the same run."""

from collections.abc import Mapping, Sequence


def select(
    history: Mapping[str, Sequence[float]], *, validation: Sequence[float] | None, accuracy: str = "accuracy"
) -> dict[str, dict[str, float]]:
    """The metrics of the epoch that each selection rule chooses.

    Args:
        history: metrics per epoch of the phase that is reported; has ``test_accuracy``, or what ``accuracy`` says.
        validation: validation accuracy per epoch, of the same phase or of an earlier one with as many epochs;
            None if there was no validation set.
        accuracy: name of the metric that is chosen by, ``pixel_accuracy`` for masks.

    Returns:
        For each of ``last``, ``best_on_validation`` (only with a validation set) and ``best_on_test``: the
        1-based ``epoch`` and the history's metrics there. Of equal epochs the first is taken; the papers do not
        say.
    """
    test = history[f"test_{accuracy}"]
    chosen = {"last": len(test) - 1, "best_on_test": _first_best(test)}
    if validation is not None:
        assert len(validation) == len(test)
        chosen["best_on_validation"] = _first_best(validation)
    return {
        rule: {"epoch": epoch + 1, **{metric: values[epoch] for metric, values in history.items()}}
        for rule, epoch in chosen.items()
    }


def rules_of_latest(
    history: Mapping[str, Sequence[float]],
    *,
    num_epochs: int,
    validation: Sequence[float] | None,
    accuracy: str = "accuracy",
) -> list[str]:
    """The rules, of those whose weights are kept, that choose the latest epoch of a phase.

    Args:
        history: metrics of the epochs so far of the phase that is reported.
        num_epochs: of the whole phase.
        validation: validation accuracy of all epochs of an earlier phase; None where the phase has its own, if any.
        accuracy: as in ``select``.
    """
    latest = len(history[f"test_{accuracy}"]) - 1
    validation = history.get(f"validation_{accuracy}") if validation is None else validation
    rules = ["last"] if latest == num_epochs - 1 else []
    return rules + (["best_on_validation"] if validation and _first_best(validation) == latest else [])


def _first_best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda epoch: (values[epoch], -epoch))
