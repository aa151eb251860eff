import pytest

from convrepro.reporting.curve_reading import read_curve


def test_a_run_without_epochs_has_nothing_to_read() -> None:
    assert read_curve({}, "test_error") == ""


def test_one_epoch_is_no_curve() -> None:
    assert read_curve({"train_loss": [0.5], "test_accuracy": [80.0]}, "test_error") == "one epoch, no curve to read"


def test_still_falling_at_the_end() -> None:
    """20 epochs: the last tenth is 2 epochs, mean 0.15; the one before has 0.35: (0.15 - 0.35) / 0.35 = -57.1 %."""
    losses = [1.0] * 16 + [0.4, 0.3, 0.2, 0.1]
    assert read_curve({"train_loss": losses}, "train_loss") == (
        "still falling at the end: train_loss 0.15 in the last 2 epochs, 0.35 in the 2 before (-57.1 %)"
    )


@pytest.mark.parametrize(
    ("last", "word"), [(0.99, "level"), (1.01, "level"), (0.97, "still falling"), (1.03, "rising")]
)
def test_two_percent_is_level(last: float, word: str) -> None:
    assert read_curve({"train_loss": [2.0, 1.0, last]}, "train_loss").startswith(f"{word} at the end")


def test_over_fitted() -> None:
    """40 epochs, smoothed over 2: best in epochs 10 and 11 at 90, at the end 85."""
    accuracies = [80.0] * 9 + [90.0, 90.0] + [85.0] * 29
    assert "over-fitted: test_accuracy is best in epochs 10 to 11 of 40, 5.00 points above the end" in read_curve(
        {"test_accuracy": accuracies}, "test_error"
    )


def test_one_lucky_epoch_is_no_over_fitting() -> None:
    """A single epoch 0.8 points above its neighbours, at epoch 10 of 100; over 5 epochs that is 0.16 points."""
    accuracies = [90.0] * 100
    accuracies[9] = 90.8
    assert "no over-fitting seen: best test_accuracy 90.80 in epoch 10 of 100" in read_curve(
        {"test_accuracy": accuracies}, "test_error"
    )


def test_a_best_epoch_near_the_end_is_no_over_fitting() -> None:
    accuracies = [80.0] * 7 + [90.0, 85.0, 85.0]  # epoch 8 of 10
    assert "no over-fitting seen" in read_curve({"test_accuracy": accuracies}, "test_error")


@pytest.mark.parametrize(("train", "words"), [(99.0, "9.00 points above"), (84.0, "6.00 points below")])
def test_gap_between_training_and_test(train: float, words: str) -> None:
    curves = {"train_accuracy": [50.0, train], "test_accuracy": [50.0, 90.0]}
    assert read_curve(curves, "test_error").endswith(f"train_accuracy {words} test_accuracy at the end")


def test_the_accuracy_of_the_metric_is_read() -> None:
    curves = {"test_accuracy": [60.0, 70.0], "test_top5_accuracy": [80.0, 90.0]}
    assert "best test_top5_accuracy 90.00" in read_curve(curves, "test_top5_error")
    assert "best test_accuracy 70.00" in read_curve(curves, "test_error")


def test_pixel_accuracies_are_read_too() -> None:
    curves = {"train_pixel_accuracy": [80.0, 92.0], "test_pixel_accuracy": [80.0, 90.0]}
    assert "train_pixel_accuracy 2.00 points above test_pixel_accuracy" in read_curve(curves, "test_pixel_accuracy")


def test_a_diverged_run_says_from_which_epoch_on() -> None:
    curves = {"train_loss": [1.0, 0.5, None], "test_accuracy": [50.0, None, None]}
    assert read_curve(curves, "test_error") == "test_accuracy is not finite from epoch 2 on"


def test_a_loss_of_zero_is_level() -> None:
    assert read_curve({"train_loss": [0.0, 0.0]}, "train_loss").startswith("level at the end")
