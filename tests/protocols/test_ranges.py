"""Values out of their ranges, and those that do not go together, are one clear line."""

import pytest

from convrepro.protocols.compose import compose


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recipe.epochs=0", r"`recipe.epochs` must lie in \[1, 1e\+06\], got 0"),
        ("recipe.batch_size=-1", "`recipe.batch_size` must lie in"),
        ("recipe.decay_factor=nan", r"`recipe.decay_factor` must lie in \[0, 1\], got nan"),
        ("recipe.milestones=[5,3]", r"`recipe.milestones` must be rising epochs"),
        ("protocol.scale=0", "`protocol.scale` must lie in"),
        ("protocol.scale=1.5", "`protocol.scale` must lie in"),
        (
            "protocol.task=dance",
            "`protocol.task` must be one of classification, segmentation, filters, step_timing, inference_timing, "
            "count, got 'dance'",
        ),
        (
            "recipe.augmentation.crop_mode=wrap",
            "`recipe.augmentation.crop_mode` must be one of zero, reflect",
        ),
        (
            "recipe.augmentation.erase_area=[0.5]",
            "`recipe.augmentation.erase_area` must be two rising positive",
        ),
        ("recipe.sigma_clip=[2,0.1]", r"`recipe.sigma_clip` must be two rising positive numbers, got \[2.0, 0.1\]"),
        ("recipe.sigma_clip=[0,1]", "`recipe.sigma_clip` must be two rising positive"),
        ("recipe.sigma_clip=[0.1]", "`recipe.sigma_clip` must be two rising positive"),
        ("recipe.clip_gradient_norm=0", "`recipe.clip_gradient_norm` must be above 0 and finite, got 0.0"),
        ("recipe.clip_gradient_value=inf", "`recipe.clip_gradient_value` must be above 0 and finite, got inf"),
        (
            "recipe.plateau={metric:loss,decay_factor:0.9,patience:3}",
            "`recipe.plateau.metric` must be one of train_loss",
        ),
        (
            "recipe.plateau={metric:train_loss,decay_factor:2,patience:3}",
            r"`recipe.plateau.decay_factor` must lie in \(0, 1\], got 2",
        ),
        ("machine.seeds_per_device=0", "`machine.seeds_per_device` must lie in"),
        ("machine.backend=threads", "`machine.backend` must be one of auto, loop, streams, got 'threads'"),
        ("machine.cache_dir=''", "`machine.cache_dir` must name a folder"),
        ("machine.precision=float16", "`machine.precision` must be one of float32, tf32, bfloat16"),
        ("model.memory_format=diagonal", "`model.memory_format` must be one of channels_last, contiguous"),
        ("machine.accelerator=abacus", "`machine.accelerator` must be one of auto, cpu, gpu"),
        ("protocol.images=0.001", "`protocol.images` must leave a validation image of 200, got 0.001"),
        ("protocol.random_test=false", "`protocol.random_test` must be true or null, got false; leave it null"),
        ("protocol.official_validation=false", "`protocol.official_validation` must be true or null, got false"),
        ("seed=-1", "`seed` must lie in"),
        ("dataset.image_size=[8]", "`dataset.image_size` must be"),
        ("conv._target_=null", "`conv._target_` must name a class"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_key(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        compose([override])
    assert "\n" not in str(error.value)


def test_the_epoch_of_a_second_training_needs_images_to_be_chosen_on() -> None:
    with pytest.raises(ValueError, match=r"`protocol\.retrain` must have `protocol\.validation_images`"):
        compose(["protocol.retrain=true", "protocol.validation_images=0"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["protocol.validation_images=0"], "validation_loss needs `protocol.validation_images`, got 0"),
        (["protocol.retrain=true"], "validation_loss is missing in a phase of `protocol.retrain`"),
    ],
)
def test_a_plateau_needs_its_metric_in_every_phase(overrides: list[str], message: str) -> None:
    plateau = "recipe.plateau={metric:validation_loss,decay_factor:0.9,patience:3}"
    assert compose([plateau]).recipe.plateau is not None
    with pytest.raises(ValueError, match=message):
        compose([plateau, *overrides])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "+dataset.stored_size=[4,8]",
            r"`dataset.stored_size` must be \[height, width\] from `image_size` \[8, 8\] on",
        ),
        ("+dataset.stored_size=[9]", r"`dataset.stored_size` must be \[height, width\] .* got \[9\]"),
        ("+dataset.num_validation_images=0", r"`dataset.num_validation_images` must lie in \[1, 1e\+09\], got 0"),
        ("recipe.augmentation.resized_crop_area=[0.1,1]", "`resized_crop_area` and `resized_crop_aspect`, or neither"),
        ("recipe.augmentation.shift=0", r"`recipe.augmentation.shift` must lie in \(0, 1\], got 0"),
        ("recipe.augmentation.zoom=1", r"`recipe.augmentation.zoom` must lie in \(0, 0.99\], got 1"),
        ("recipe.augmentation.brightness_of_flipped=2", r"`recipe.augmentation.brightness_of_flipped` must lie in"),
    ],
)
def test_stored_images_and_movements_out_of_range(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        compose(["dataset=digits", override])


@pytest.mark.parametrize("area", ["[0.5,0.1]", "[0,1]", "[0.1,1.5]", "[0.1]"])
def test_area_of_a_resized_crop_out_of_range(area: str) -> None:
    with pytest.raises(ValueError, match=r"`recipe.augmentation.resized_crop_area` must be two rising positive"):
        compose(
            [f"recipe.augmentation.resized_crop_area={area}", "recipe.augmentation.resized_crop_aspect=[0.75,1.33]"]
        )
