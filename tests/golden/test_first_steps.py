"""Losses of the first training steps, so that a change of arithmetic does not pass unnoticed.

After a change that is meant, ``python tests/golden/test_first_steps.py`` writes them again.
"""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from convrepro.models import build

GOLDEN = Path(__file__).with_name("first_steps.json")
DATASET = {"num_classes": 3, "in_channels": 3, "image_size": [8, 8]}
RUNS = [f"{model} {conv}" for model in ("cnn4", "resnet20", "densenet40") for conv in ("standard", "dk", "dk_first")]


def _losses(run: str) -> list[float]:
    """Five steps on eight images, in float64: rounding has no time to grow."""
    model, conv = run.split()
    torch.manual_seed(0)
    network = build(model=model, conv=conv, dataset=DATASET).double()
    images_BCHW = torch.randn(8, 3, 8, 8).double()
    labels_B = torch.arange(8) % 3
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-4)
    losses = []
    for _ in range(5):
        loss = F.cross_entropy(network(images_BCHW), labels_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("run", RUNS)
def test_first_losses(run: str) -> None:
    """Processors draw and round the initial values differently, hence 1e-4."""
    assert _losses(run) == pytest.approx(json.loads(GOLDEN.read_text())[run], rel=1e-4)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({run: _losses(run) for run in RUNS}, indent=1) + "\n")
