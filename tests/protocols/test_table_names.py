"""Names of tables and their marks."""

import pytest

from convrepro.protocols.table_names import marked, unmarked


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("dk_table7", {}),
        ("dk_table7.scale0.02", {"scale": 0.02}),
        ("dk_table7.images1e-05.seeds2", {"images": 1e-5, "num_seeds": 2}),
        ("dk_table7.cifar10_jpeg", {"datasets": {"": "cifar10_jpeg"}}),
        ("dk_table7.lfw-lfw_pack.mnist-digits", {"datasets": {"lfw": "lfw_pack", "mnist": "digits"}}),
        (
            "dk_table7.scale0.005.images0.1.seeds3.mnist",
            {"scale": 0.005, "images": 0.1, "num_seeds": 3, "datasets": {"": "mnist"}},
        ),
    ],
)
def test_a_name_and_how_it_was_asked_for(name: str, asked: dict[str, object]) -> None:
    assert unmarked(name) == ("dk_table7", asked)
    own = {"scale": 1.0, "images": 1.0, "num_seeds": None, "datasets": {}}
    assert marked("dk_table7", **(own | asked)) == name  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "../x", "dk_table7.seeds2.scale0.1", "A"])
def test_any_other_name_has_no_marks(name: str) -> None:
    assert unmarked(name) == (name, {})
