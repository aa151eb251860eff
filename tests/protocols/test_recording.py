"""What a run found, as its record says it."""

import math
import resource
import sys

import pytest
import torch
from tests.protocols.test_run import TINY

from convrepro.protocols.composer import compose
from convrepro.protocols.identity import run_id, what_is_computed
from convrepro.protocols.network import build_network
from convrepro.protocols.recording import compact, make_record, measured


def test_a_record_names_what_was_computed_and_counts_the_network() -> None:
    config = compose([*TINY, "conv=dk", "seed=3"])
    record = make_record(
        config, build_network(config), status="done", splits={}, epochs={}, selected={}, measured={}, environment={}
    )
    assert (record.run_id, record.seed, record.config) == (run_id(config), 3, what_is_computed(config))
    assert record.names == {
        "conv": "dk", "model": "cnn4", "dataset": "digits", "recipe": "quickstart", "protocol": "holdout_200"
    }  # fmt: skip
    assert record.scaled  # a fifth of the images
    assert record.num_operator_layers == 2  # those that downsize
    assert record.num_parameters == sum(parameter.numel() for parameter in build_network(config).parameters())


def test_speed_is_images_by_seconds() -> None:
    found = measured(torch.device("cpu"), num_images=300, seconds=2.0)
    assert (found["wall_seconds"], found["images_per_second"]) == (2.0, 150.0)
    assert measured(torch.device("cpu"), num_images=0, seconds=0.0)["images_per_second"] == 0.0


@pytest.mark.skipif(sys.platform == "darwin", reason="counts bytes")
def test_memory_of_a_cpu_is_that_of_the_process() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peak = measured(torch.device("cpu"), num_images=1, seconds=1.0)["peak_memory_bytes"]
    assert before <= peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_metrics_have_six_digits_and_their_phase() -> None:
    histories = {"train": {"train_loss": [1 / 3, math.nan, math.inf]}, "select": {"train_loss": [12345678.9]}}
    assert compact(histories) == {"train_loss": [0.333333, None, None], "select_train_loss": [12345700.0]}
