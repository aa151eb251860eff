"""The settings of the ACONV paper (Tek et al. 2021), as it prints them."""

from convrepro import config_files, papers
from convrepro.protocols import grid


def test_apertures_start_as_in_section_4_2() -> None:
    """Linearly spaced in [0.1, 0.5]; normalised by Eq. (21)."""
    config = config_files.load("conv", "aconv")
    assert (config["sigma_init"], config["normalized"], config["placement"]) == ([0.1, 0.5], True, "all")


def test_simple_network_is_that_of_section_4_2() -> None:
    config = config_files.load("model", "simple_cnn")
    assert (config["filters"], config["hidden"], config["dropout"]) == (32, 256, 0.5)
    assert config["placements"]["all"] == ["conv1", "conv2"]


def test_recipes_leave_apertures_in_the_range_of_section_3_3() -> None:
    for name in config_files.names("recipe"):
        assert config_files.load("recipe", name).get("sigma_clip") is None, name  # [1/n, n] of each layer's side n


def test_figure_3_varies_the_aperture_with_and_without_the_normalisation() -> None:
    planned = grid.plan("aconv_figure3")
    for config in planned.configs.values():
        assert config.protocol.task == "count"
        assert isinstance(config.conv["sigma_init"], float)
        assert isinstance(config.conv["normalized"], bool)
    series: dict[tuple[str, str], list[float]] = {}
    for cell in planned.table.cells:
        key = cell.labels["model.kernel_size"], cell.labels["conv.normalized"]
        series.setdefault(key, []).append(float(cell.labels["conv.sigma_init"]))
    assert set(series) == {(size, normalized) for size in ("3", "9") for normalized in ("True", "False")}
    assert all(apertures == sorted(set(apertures)) for apertures in series.values())


def test_claims_of_figure_3_speak_of_cells_of_the_table() -> None:
    cells = grid.plan("aconv_figure3").table.cells
    claims = [claim for claim in papers.load("adaptive_kernels").claims if claim.table == "aconv_figure3"]
    assert {claim.kind: claim.where["conv.normalized"] for claim in claims} == {"no_effect": "True", "rises": "False"}
    for claim in claims:
        wanted = {**claim.where, "conv": claim.conv}.items()
        assert sum(wanted <= cell.labels.items() for cell in cells) == 10  # two sizes, five apertures
        assert claim.axis == "conv.sigma_init"
