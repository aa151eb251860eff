"""Data sets in the place of a table's own."""

from pathlib import Path

import pytest
import yaml
from tests.cli.conftest import TINY_TABLE, Command

from convrepro import config_files
from convrepro.cli.replacements import datasets_of, replacements, stand_ins

OWN = ["cifar10", "mnist"]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], {}),
        (["digits"], {"": "digits"}),
        (["cifar10=cifar10_jpeg"], {"cifar10": "cifar10_jpeg"}),
        (["cifar10=cifar10_jpeg", "mnist=digits"], {"cifar10": "cifar10_jpeg", "mnist": "digits"}),
        (["cifar10=cifar10_jpeg,mnist=digits"], {"cifar10": "cifar10_jpeg", "mnist": "digits"}),
        (["cifar10=cifar10_jpeg mnist=digits"], {"cifar10": "cifar10_jpeg", "mnist": "digits"}),
        (["cifar10=cifar10_jpeg", "cifar10=cifar10_jpeg"], {"cifar10": "cifar10_jpeg"}),
    ],
)
def test_what_takes_the_place_of_what(texts: list[str], found: dict[str, str]) -> None:
    assert replacements(texts, OWN) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cifar10=cifar10_jpg", "unknown dataset 'cifar10_jpg'; did you mean 'cifar10_jpeg'"),
        ("cifar100=cifar10_jpeg", "unknown data set of this table, 'cifar100'; did you mean 'cifar10'"),
        ("cifar10=digits,cifar10=mnist", "names digits and mnist in the place of cifar10; name one"),
        ("digits,mnist", "names digits and mnist in the place of the table's own; name one"),
        ("cifar10=", "unknown dataset ''"),
        ("=digits", "unknown data set of this table, ''"),
    ],
)
def test_wrong_replacements(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replacements([text], OWN)


def test_data_sets_of_a_table_in_its_order() -> None:
    assert datasets_of("dk_table7") == ["cifar10"]


@pytest.fixture
def rare(convrepro: Command) -> Path:
    """A data set ``rare`` that no machine has, with digits as its stand-in, and a table ``pair`` of it and digits."""
    configs = config_files.CONFIG_DIR
    datasets = list((configs / "dataset").resolve().iterdir())
    (configs / "dataset").unlink()
    (configs / "dataset").mkdir()
    for path in datasets:
        (configs / "dataset" / path.name).symlink_to(path)
    content = yaml.safe_load((configs / "dataset" / "digits.yaml").read_text())
    content |= {"name": "rare", "files": {"rare.npz": {"size_bytes": 4, "sha256": "0"}}}
    content["options"] = {"stand_in": "digits"}
    (configs / "dataset" / "rare.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    for name, used in {"single": ["rare"], "pair": ["rare", "mnist"]}.items():
        grid = [{"dataset": used, "model": ["cnn4"], "conv": ["standard"]}]
        table = {**TINY_TABLE, "name": name, "grid": grid}
        (configs / "table" / f"{name}.yaml").write_text(yaml.safe_dump(table, sort_keys=False))
    return configs


def test_a_missing_data_set_has_its_stand_in(rare: Path, tmp_path: Path) -> None:
    assert stand_ins(["rare", "digits", "mnist"], tmp_path) == {"rare": "digits"}


def test_a_data_set_that_is_here_needs_none(rare: Path, tmp_path: Path) -> None:
    (tmp_path / "rare.npz").write_text("here")
    assert stand_ins(["rare"], tmp_path) == {}


@pytest.mark.usefixtures("rare")
def test_a_stand_in_is_said_once_and_marks_the_table(convrepro: Command) -> None:
    code, out, err = convrepro("explain", "single", "conv=standard")
    assert code == 1
    assert out.startswith("single.digits: ")
    assert err == (
        "convrepro: no files of rare in data, digits stands in for it; `--dataset rare=rare` asks for it nevertheless\n"
    )


@pytest.mark.usefixtures("rare")
def test_one_of_two_data_sets_has_a_stand_in(convrepro: Command) -> None:
    _, out, err = convrepro("explain", "pair", "dataset=digits")
    assert out.startswith("pair.rare-digits: ")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("rare")
def test_a_data_folder_named_for_the_machine_is_looked_into(convrepro: Command, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "rare.npz").write_text("here")
    _, out, err = convrepro("explain", "single", "conv=standard", "--machine", f"data_dir={tmp_path / 'elsewhere'}")
    assert out.startswith("single: ")
    assert err == ""


@pytest.mark.usefixtures("rare")
@pytest.mark.parametrize("replaced", ["rare=rare", "rare=fashion_mnist"])
def test_what_is_named_has_no_stand_in(convrepro: Command, replaced: str) -> None:
    _, out, err = convrepro("explain", "single", "conv=standard", "--dataset", replaced)
    assert out.startswith("single: " if replaced == "rare=rare" else "single.fashion_mnist: ")
    assert err == ""


@pytest.mark.usefixtures("rare")
def test_all_tables_are_those_of_their_names(convrepro: Command) -> None:
    """Whether a data set is here must not change what the files of a written table hold."""
    _, out, err = convrepro("status")
    assert "single " in out
    assert err == ""


def test_one_table_has_one_name_however_its_only_data_set_is_replaced(convrepro: Command) -> None:
    for replaced in ("mnist", "fashion_mnist=mnist"):
        _, out, _ = convrepro("explain", "dk_table6", "model=cnn4", "conv=dk", "--dataset", replaced)
        assert out.startswith("dk_table6.mnist: ")
    assert convrepro("explain", "dk_table6.mnist", "model=cnn4", "conv=dk")[1].startswith("dk_table6.mnist: ")
