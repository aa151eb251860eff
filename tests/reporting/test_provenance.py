from typing import Any

from convrepro.records import Record
from convrepro.reporting import provenance


def record(seed: int = 0, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "run_id": "0123456789abcdef",
        "seed": seed,
        "status": "done",
        "config": {
            "conv": {"_target_": "convrepro.conv.DynamicKernelConv2d", "hidden": 4, "init_mode": "fan_in"},
            "model": {"_target_": "convrepro.models.CNN4", "operator_roles": []},
            "recipe": {
                "epochs": 200,
                "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.001, "betas": [0.9, 0.999]},
                "augmentation": {"erase_aspect": [0.3, 10 / 3]},
            },
            "protocol": {"scale": 1},
            "dataset": {
                "files": {"pack.npz": {"size_bytes": 1234, "sha256": "a" * 64, "md5": "b" * 32}},
                "options": {"content_sha256": "c" * 64, "resize": [64, 64]},
            },
        },
        "names": {"conv": "dk", "model": "cnn4", "recipe": "dk_adam", "protocol": "holdout", "dataset": "leaves"},
        "official_data": True,
        "scaled": False,
        "num_parameters": 1,
        "num_macs": 1,
        "num_operator_layers": 1,
        "splits": {"train": {"num_images": 900, "sha256": "d" * 64}},
        "epochs": {},
        "selected": {},
        "measured": {},
        "environment": {
            "git_commit": "e" * 40,
            "git_dirty": False,
            "device": "AMD EPYC",
            "precision": "float32",
            "versions": {"torch": "2.13", "numpy": "2.4"},
        },
    }
    return Record(**{**fields, **changes})


def test_seeds_that_agree_are_one_text() -> None:
    assert provenance.grouped({0: "cpu", 1: "cpu"}) == "cpu"


def test_seeds_that_differ_are_named() -> None:
    assert provenance.grouped({0: "cpu", 1: "H200", 2: "cpu"}) == "cpu (seeds 0, 2); H200 (seed 1)"


def test_computed_names_each_part_and_its_values() -> None:
    assert provenance.computed([record()]) == [
        ("operator", "dk: DynamicKernelConv2d: hidden 4, init_mode fan_in"),
        ("network", "cnn4: CNN4: operator_roles none"),
        ("recipe", "dk_adam: epochs 200, optimizer (Adam: lr 0.001, betas 0.9 0.999)"),
        ("augmentation", "erase_aspect 0.3 3.33333"),
        ("protocol", "holdout: scale 1"),
    ]


def test_data_have_their_checksums_and_splits() -> None:
    assert provenance.data([record()], official=False) == [
        ("data set", "leaves, not the official distribution"),
        ("file", "pack.npz, 1,234 bytes, sha256 aaaaaaaaaaaa"),
        ("content_sha256", "cccccccccccc"),
        ("train images", "900, indices' sha256 dddddddddddd"),
    ]


def test_splits_of_different_seeds_are_told_apart() -> None:
    other = record(1, splits={"train": {"num_images": 900, "sha256": "f" * 64}})
    facts = dict(provenance.data([record(), other], official=True))
    assert facts["train images"] == (
        "900, indices' sha256 dddddddddddd (seed 0); 900, indices' sha256 ffffffffffff (seed 1)"
    )


def test_environment_groups_what_agrees() -> None:
    other = record(
        1,
        environment={
            "git_commit": "e" * 40,
            "git_dirty": True,
            "device": "AMD EPYC",
            "versions": {"torch": "2.14", "numpy": "2.4"},
        },
    )
    assert provenance.environment([record(), other]) == [
        ("git commit", "eeeeeeeeeeee, clean (seed 0); eeeeeeeeeeee, with changes in src or configs (seed 1)"),
        ("device", "AMD EPYC"),
        ("precision", "float32 (seed 0); not recorded (seed 1)"),
        ("versions", "numpy 2.4"),
        ("torch", "2.13 (seed 0); 2.14 (seed 1)"),
    ]


def test_a_run_outside_a_checkout_has_no_commit() -> None:
    facts = dict(provenance.environment([record(environment={"git_commit": "", "git_dirty": False})]))
    assert facts["git commit"] == "none: not run from a checkout"
