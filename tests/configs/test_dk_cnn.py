"""The settings of the DK-CNN paper (Liu et al. 2021), number by number, as its Section 4 prints them."""

import pytest

from convrepro.protocols import grid
from convrepro.protocols.schema import Config

ERROR_TABLES = {"dk_table5": "fashion_mnist", "dk_table7": "cifar10", "dk_table8": "cifar100", "dk_figure5": "cifar100"}


def _configs(table: str) -> list[Config]:
    return list(grid.plan(table).configs.values())


@pytest.mark.parametrize("table", ERROR_TABLES)
def test_sgd_of_resnet_and_densenet(table: str) -> None:
    """Sec. 4.3: batch 64, 0.1 decaying by 10 at 150 and 225, Nesterov 0.9, weight decay 1e-4; 300 epochs are ours."""
    configs = [config for config in _configs(table) if config.model["name"] != "cnn4"]
    assert configs
    for config in configs:
        assert config.recipe.optimizer == {
            "_target_": "torch.optim.SGD",
            "lr": 0.1,
            "momentum": 0.9,
            "nesterov": True,
            "weight_decay": 1e-4,
        }
        assert (config.recipe.batch_size, config.recipe.epochs) == (64, 300)
        assert (config.recipe.milestones, config.recipe.decay_factor) == ([150, 225], 0.1)


@pytest.mark.parametrize("table", ["dk_table5", "dk_table7", "dk_table8"])
def test_adam_of_cnn4(table: str) -> None:
    """Sec. 4.3: batch 128, 1e-3 decaying by 2 at 100 and 150, no weight decay; 200 epochs are ours."""
    configs = [config for config in _configs(table) if config.model["name"] == "cnn4"]
    assert len(configs) == 3
    for config in configs:
        assert config.recipe.optimizer == {
            "_target_": "torch.optim.Adam",
            "lr": 1e-3,
            "betas": [0.9, 0.999],
            "eps": 1e-8,
            "weight_decay": 0.0,
        }
        assert (config.recipe.batch_size, config.recipe.epochs) == (128, 200)
        assert (config.recipe.milestones, config.recipe.decay_factor) == ([100, 150], 0.5)


@pytest.mark.parametrize(("table", "dataset"), ERROR_TABLES.items())
def test_protocol_and_augmentation(table: str, dataset: str) -> None:
    """Sec. 4.1 and 4.3: 5k validation images; CIFAR is trained again on all 50k, Fashion-MNIST is trained once."""
    for config in _configs(table):
        is_cifar, augmentation = dataset != "fashion_mnist", config.recipe.augmentation
        assert config.dataset.name == dataset
        assert (config.protocol.validation_images, config.protocol.retrain) == (5000, is_cifar)
        assert (config.protocol.scale, config.protocol.images) == (1.0, 1.0)
        assert (augmentation.crop_padding, augmentation.crop_mode) == (4, "reflect" if is_cifar else "zero")
        assert augmentation.flip_probability == 0.5
        assert augmentation.erase_probability == (0.0 if is_cifar else 0.5)
        if not is_cifar:  # Zhong et al. 2020, whose values Sec. 4.1 takes
            assert (augmentation.erase_area, augmentation.erase_tries) == ([0.02, 0.4], 100)
            assert augmentation.erase_aspect == pytest.approx([0.3, 1 / 0.3])
            assert augmentation.erase_value == 0.4914


@pytest.mark.parametrize("table", ERROR_TABLES)
def test_five_runs_at_the_best_validation_epoch(table: str) -> None:
    """Sec. 4: "mean+-std based on 5 runs"; Sec. 4.3: "with the highest accuracy on the validation set"."""
    planned = grid.plan(table).table
    assert (planned.metric, planned.selection, planned.num_seeds) == ("test_error", "best_on_validation", 5)
    assert 0.0 < planned.margin < 1.0


@pytest.mark.parametrize("table", ["dk_table5", "dk_table6", "dk_table7", "dk_table8", "dk_table9", "dk_table10"])
def test_operators(table: str) -> None:
    """Sec. 3.1: four hidden variables; Sec. 3.4: two pieces of three points."""
    for config in _configs(table):
        if config.conv["name"] != "standard":
            assert (config.conv["hidden"], config.conv["pieces"], config.conv["points"]) == (4, 2, 3)


@pytest.mark.parametrize(
    ("dataset", "mean", "std"),
    [
        ("fashion_mnist", [0.2860], [0.3530]),
        ("cifar10", [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
        ("cifar100", [0.5071, 0.4865, 0.4409], [0.2673, 0.2564, 0.2762]),
    ],
)
def test_normalisation_is_that_of_the_training_images(dataset: str, mean: list[float], std: list[float]) -> None:
    """As commonly published; Fashion-MNIST's are measured on its 60,000 images."""
    table = {"fashion_mnist": "dk_table5", "cifar10": "dk_table7", "cifar100": "dk_table8"}[dataset]
    config = _configs(table)[0]
    assert config.dataset.mean == pytest.approx(mean, abs=2e-4)
    assert config.dataset.std == pytest.approx(std, abs=2e-4)
