"""Keys that the schema does not know, that are missing, or are of another type, are one clear line."""

import pytest
from omegaconf import OmegaConf

from convrepro.protocols.compose import compose, composed_by_hydra
from convrepro.protocols.validation import validate


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("+recipe.learning_rat=0.1", "unknown key `recipe.learning_rat`; did you mean 'sigma_learning_rate'\\?"),
        ("+recipe.zzz=0.1", "unknown key `recipe.zzz`; known there: about, name"),
        ("+recipe.augmentation.blur=1", "unknown key `recipe.augmentation.blur`"),
        ("+colour=red", "unknown key `colour`"),
        ("recipe.epochs=many", "^`recipe.epochs` must be a whole number, got 'many'\\.$"),
        ("recipe.epochs=2.5", "`recipe.epochs`"),
        ("recipe.sigma_clip=0.1", "`recipe.sigma_clip`"),
        ("recipe.plateau={metric:train_loss,decay_factor:0.9}", "plateau.patience"),
        ("machine.download=perhaps", "`machine.download`"),
        ("seed=abc", "`seed`"),
    ],
)
def test_a_wrong_key_or_type_is_one_line_that_names_the_key(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        compose([override])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("recipe.epochs", "???", "`recipe.epochs` must be set: a whole number."),
        ("recipe.milestones", [1, "many"], "`recipe.milestones[1]` must be a whole number, got 'many'."),
        ("recipe.milestones", {"a": 1}, "`recipe.milestones` must be a list of whole numbers, got {'a': 1}."),
        ("recipe.optimizer", [1], "`recipe.optimizer` must be keys with values, got [1]."),
        ("machine.download", None, "`machine.download` must be true or false, got null."),
        ("machine.threads", True, "`machine.threads` must be a whole number, got True."),
        ("seed", "x" * 200, f"`seed` must be a whole number, got '{78 * 'x'}…."),
        ("seed", "${nothing}", "`seed` refers to what is not there, or is of another type: "),
        ("conv.a", "${conv}", "`conv.a` refers to what is not there, or is of another type: "),
    ],
)
def test_what_no_override_can_say_is_told_alike(path: str, value: object, message: str) -> None:
    """As a file of the config folder may have it."""
    composed = composed_by_hydra([])
    OmegaConf.set_struct(composed, False)
    OmegaConf.update(composed, path, value, force_add=True, merge=False)
    with pytest.raises(ValueError, match=r"\.$") as error:
        validate(composed)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_missing_key_is_named() -> None:
    composed = composed_by_hydra([])
    OmegaConf.set_struct(composed, False)
    del composed.recipe["batch_size"]
    with pytest.raises(ValueError, match=r"^`recipe\.batch_size` must be set: a whole number\.$"):
        validate(composed)
