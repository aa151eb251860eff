"""Selection rules."""

import pytest

from convrepro.protocols.selection import rules_of_latest, select

HISTORY = {"train_loss": [3.0, 2.0, 1.0, 0.5], "test_accuracy": [10.0, 40.0, 30.0, 35.0]}


def test_each_rule_takes_its_epoch() -> None:
    selected = select(HISTORY, validation=[1.0, 2.0, 9.0, 4.0])
    assert {rule: (found["epoch"], found["test_accuracy"]) for rule, found in selected.items()} == {
        "last": (4, 35.0),
        "best_on_validation": (3, 30.0),
        "best_on_test": (2, 40.0),
    }
    assert selected["best_on_validation"]["train_loss"] == 1.0


def test_of_equal_epochs_the_first_is_taken() -> None:
    assert select(HISTORY, validation=[5.0, 9.0, 9.0, 9.0])["best_on_validation"]["epoch"] == 2


def test_without_validation_there_is_no_choice_by_it() -> None:
    assert select(HISTORY, validation=None).keys() == {"last", "best_on_test"}


@pytest.mark.parametrize("validation", [[50.0, 60.0, 70.0, 80.0], [80.0, 70.0, 60.0, 50.0]])
def test_best_on_test_is_never_below_the_others(validation: list[float]) -> None:
    selected = select(HISTORY, validation=validation)
    assert selected["best_on_test"]["test_accuracy"] >= selected["best_on_validation"]["test_accuracy"]


def _kept(validation: list[float], *, earlier: bool) -> dict[str, int]:
    """The epoch whose weights each rule is left with, when they are kept epoch by epoch."""
    kept = {}
    for epoch in range(1, len(validation) + 1):
        history = {"test_accuracy": [0.0] * epoch} | ({} if earlier else {"validation_accuracy": validation[:epoch]})
        for rule in rules_of_latest(history, num_epochs=len(validation), validation=validation if earlier else None):
            kept[rule] = epoch
    return kept


@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("validation", [[1.0, 2.0, 9.0, 4.0], [5.0, 9.0, 9.0, 9.0], [3.0, 2.0, 1.0, 0.0], [7.0]])
def test_weights_that_are_kept_are_those_of_the_selected_epochs(validation: list[float], earlier: bool) -> None:
    selected = select({"test_accuracy": [0.0] * len(validation)}, validation=validation)
    expected = {rule: selected[rule]["epoch"] for rule in ("last", "best_on_validation")}
    assert _kept(validation, earlier=earlier) == expected


def test_without_validation_the_last_weights_are_kept() -> None:
    history = {"test_accuracy": [1.0, 2.0]}
    assert rules_of_latest(history, num_epochs=2, validation=None) == ["last"]
    assert rules_of_latest(history, num_epochs=3, validation=None) == []
