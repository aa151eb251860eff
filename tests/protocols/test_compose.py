"""Composition by Hydra."""

import pytest

from convrepro.protocols.compose import compose


@pytest.mark.parametrize(
    ("overrides", "recipe", "augmentation", "protocol"),
    [
        (["model=resnet20", "conv=dk", "dataset=cifar10"], "dk_sgd", "dk_cifar", "dk_cifar"),
        (["model=cnn4", "conv=dk_first", "dataset=cifar100"], "dk_adam", "dk_cifar", "dk_cifar"),
        (["model=cnn4", "dataset=fashion_mnist"], "dk_adam", "dk_fashion_mnist", "dk_fashion_mnist"),
        (["model=densenet40", "dataset=cifar10_jpeg"], "dk_sgd", "dk_cifar", "dk_cifar"),
        (["model=cnn4", "dataset=cifar10", "recipe=dk_sgd"], "dk_sgd", "dk_cifar", "dk_cifar"),
        (["dataset=cifar10", "recipe/augmentation=none", "protocol=count"], "dk_adam", "none", "count"),
        ([], "dk_adam", "none", "holdout_200"),
    ],
)
def test_model_and_dataset_choose_the_papers_settings_unless_told_otherwise(
    overrides: list[str], recipe: str, augmentation: str, protocol: str
) -> None:
    config = compose(overrides)
    assert (config.recipe.name, config.recipe.augmentation.name) == (recipe, augmentation)
    assert config.protocol.name == protocol


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model=resnet2O", "unknown model 'resnet2O'; did you mean 'resnet20'"),
        ("conv=dkk", "unknown conv 'dkk'; did you mean 'dk'"),
        ("dataset=fashionmnist", "unknown dataset 'fashionmnist'; did you mean 'fashion_mnist'"),
        ("recipe.epocs=3", "unknown key of recipe 'epocs'; did you mean 'epochs'"),
        ("modl=resnet20", "unknown key of the config 'modl'; did you mean 'model'"),
        ("seed=0,1", "`seed=0,1` has several values: a sweep needs -m"),
        ("conv.hiden=5", "unknown key of conv 'hiden'"),
        ("model=[", "mismatched|missing|no viable"),
        ("=3", "override must be a string"),
    ],
)
def test_a_wrong_override_is_one_line(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        compose([override])
    assert "\n" not in str(error.value)


def test_data_dir_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVREPRO_DATA", "/somewhere/else")
    assert compose([]).machine.data_dir == "/somewhere/else"
    monkeypatch.delenv("CONVREPRO_DATA")
    assert compose([]).machine.data_dir == "data"
