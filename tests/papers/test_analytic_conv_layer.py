"""Tables 1 to 3 of Cui et al. 2024, and the ground for calling three of their numbers misprints."""

import re
from decimal import Decimal

import pytest

from convrepro import papers
from convrepro.conv.arrangement import Arrangement
from convrepro.papers import Paper, PrintedNumber

# Transcribed a second time, for this test alone: table, experiment, arrangement, compact factor.
SECOND_TRANSCRIPTION = """
    1 exp1  P192 0.
    1 exp2  G30Lg15Lt15Tf30Ts6P96 0.4732
    1 exp3  G30Lg15Lt15Tf36P96 0.4726
    1 exp4  G72Lg30Lt15Tf27P48 0.706
    1 exp5  G60Lg24Lt27Tf45Ts36 0.9471
    1 exp6  G120Lg30Lt15Tf27 0.9356
    1 exp7  M192 1.
    2 exp3  G30Lg15Lt15Tf36P96 0.4726
    2 exp7  Lg15G30Lt15Tf36P96 0.4726
    2 exp8  Lg15G30P96Lt15Tf36 0.4726
    3 exp3  G30Lg15Lt15Tf36P96 0.4726
    3 exp9  M30Lg15Lt15Tf36P96 0.4853
    3 exp10 G30M15Lt15Tf36P96 0.4743
    3 exp11 G30Lg15M15Tf36P96 0.4347
    3 exp12 G30Lg15Lt15M36P96 0.4841
    3 exp13 G30Lg15Lt15Tf36M96 0.0274
    3 exp14 M96P96 0.5
    3 exp15 M192 1.
    3 exp16 G192 0.9184
    3 exp17 Lg192 0.9796
    3 exp18 Lt192 0.9796
    3 exp19 Tf192 0.9388"""
LINES = [line.split() for line in SECOND_TRANSCRIPTION.strip().splitlines()]
NUM_PARAMETERS = {"G": 4, "Lg": 1, "Lt": 1, "Tf": 3, "Ts": 2, "M": 0, "P": 49}  # of a 7 x 7 kernel, Sec. 3.4


@pytest.fixture(scope="module")
def paper() -> Paper:
    return papers.load("analytic_conv_layer")


@pytest.fixture(scope="module")
def factors(paper: Paper) -> list[PrintedNumber]:
    return [number for number in paper.numbers if number.table == "acl_compactness"]


def compact_factor(arrangement: str) -> float:
    """Eq. (25), by hand: 64 x 3 kernels of 7 x 7."""
    components = re.findall(r"([A-Z][a-z]?)(\d+)", arrangement)
    assert sum(int(count) for _, count in components) == 192
    return 1 - sum(NUM_PARAMETERS[kind] * int(count) for kind, count in components) / 9408


def test_every_printed_factor_once_per_arrangement(factors: list[PrintedNumber]) -> None:
    """Arrangements that several tables print have one factor in all of them."""
    printed = dict.fromkeys((arrangement, factor) for _, _, arrangement, factor in LINES)
    ours = [(number.labels["conv.arrangement"], number.printed) for number in factors]
    assert ours == list(printed)
    assert len({arrangement for arrangement, _ in ours}) == len(ours) == 19


def test_the_three_tables_print_these_factors(paper: Paper) -> None:
    ours = [
        (number.table, number.labels["conv.arrangement"], number.printed)
        for number in paper.numbers
        if number.metric == "compact_factor" and number.table in ("acl_table1", "acl_table2", "acl_table3")
    ]
    assert ours == [(f"acl_table{table}", arrangement, factor) for table, _, arrangement, factor in LINES]


def test_all_but_the_misprints_follow_from_the_equation(factors: list[PrintedNumber]) -> None:
    odd = {
        number.labels["conv.arrangement"]
        for number in factors
        if abs(number.value - compact_factor(number.labels["conv.arrangement"])) > number.half_unit
    }
    assert odd == {number.labels["conv.arrangement"] for number in factors if number.misprint}
    assert odd == {arrangement for _, name, arrangement, _ in LINES if name in ("exp10", "exp11", "exp13")}


def test_a_factor_is_the_same_misprint_in_its_table(paper: Paper, factors: list[PrintedNumber]) -> None:
    misprints = {number.labels["conv.arrangement"]: number.misprint for number in factors}
    for number in paper.numbers:
        if number.metric == "compact_factor" and number.table != "acl_table4":
            assert number.misprint == misprints[number.labels["conv.arrangement"]]


@pytest.mark.parametrize(("name", "left"), [("exp10", 4_947), ("exp11", 4_947), ("exp13", 258)])
def test_arithmetic_of_the_misprints(factors: list[PrintedNumber], name: str, left: int) -> None:
    """Parameters that are left: 30 x 4 + 15 + 36 x 3 + 96 x 49 = 4,947, and 30 x 4 + 15 + 15 + 36 x 3 = 258."""
    (arrangement,) = (arrangement for _, experiment, arrangement, _ in LINES if experiment == name)
    (cell,) = (number for number in factors if number.labels["conv.arrangement"] == arrangement)
    assert compact_factor(arrangement) == pytest.approx(1 - left / 9408)
    assert cell.misprint.startswith(f"{name}: Eq. (25) gives 1 - {left:,} / 9,408 = ")


def test_exp13_prints_what_is_left_and_exp11_the_digits_of_exp10(paper: Paper) -> None:
    printed = {name: factor for _, name, _, factor in LINES}
    assert f"{258 / 9408:.4f}" == printed["exp13"]
    assert sorted(printed["exp11"]) == sorted(printed["exp10"])


# Kernels and side of the first convolution, from the papers that Table 4 cites.
FIRST_CONVOLUTION = {
    **{"resnet18": (64 * 3, 7), "googlenet": (64 * 3, 7), "efficientnet_b0": (32 * 3, 3), "mobilenet_v2": (32 * 3, 3)},
    **{"regnet_x_400mf": (32 * 3, 3), "vgg16": (64 * 3, 3), "shufflenet_v2_x1_0": (24 * 3, 3)},
    "efficientnet_v2_l": (32 * 3, 3),
}


@pytest.mark.parametrize(("model", "first"), FIRST_CONVOLUTION.items())
def test_the_one_factor_of_table_4_holds_for_two_networks(paper: Paper, model: str, first: tuple[int, int]) -> None:
    number, side = first
    counts = Arrangement.parse("G0.1562 Lg0.0781 Lt0.0781 Tf0.1875 P0.5").counts(number)
    left = sum(dict(NUM_PARAMETERS, P=side**2)[kind] * count for kind, count in counts)
    factor = 1 - left / (number * side**2)
    cell = paper.printed("acl_table4", {"dataset": "cifar10", "model": model, "conv": "acl"}, "compact_factor")
    assert cell is not None
    assert cell.printed == "0.4726"
    if side == 7:
        assert (round(factor, 4), cell.misprint) == (0.4726, "")
    else:
        assert f"{number} kernels of 3 x 3" in cell.misprint
        assert f"1 - {left:,} / {number * 9:,} = {factor:.4f}" in cell.misprint


def test_losses_are_those_against_exp3_but_for_exp13(paper: Paper) -> None:
    """Table 3: 90.68 minus the accuracy; 90.68 - 85.09 is 5.59, printed is 5.09."""
    odd = []
    losses = [number for number in paper.numbers if number.metric == "accuracy_loss"]
    for number in losses:
        accuracy = paper.printed("acl_table3", number.labels, "test_accuracy")
        assert accuracy is not None
        if Decimal("90.68") - Decimal(accuracy.printed) != Decimal(number.printed):
            odd.append(number)
    assert len(losses) == 8
    assert [(number.printed, number.misprint) for number in odd] == [("5.09", "exp13: 90.68 - 85.09 = 5.59")]


def test_bibliography(paper: Paper) -> None:
    assert paper.citation == "Cui et al., arXiv:2407.06087 (2024)"
    assert len(paper.deviations) >= 10
