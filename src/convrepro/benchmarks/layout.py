"""Which layout of memory suits each network: one training step, channels last over contiguous."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from convrepro import models
from convrepro.benchmarks.row import Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import interleaved
from convrepro.benchmarks.workload import dataset_node

NETWORKS = (  # model, conv, batch size, side of the images in pixels
    ("cnn4", "standard", 128, 32),  # its paper's batch
    ("resnet20", "standard", 64, 32),  # likewise
    ("resnet32", "standard", 64, 32),
    ("densenet40", "standard", 64, 32),
    ("densenet52", "standard", 64, 32),
    ("simple_cnn", "standard", 128, 32),
    ("resnet18", "standard", 16, 96),
    ("cnn4", "dk", 32, 32),
    ("resnet20", "dk", 32, 32),
)
_ROUNDS = 8


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """No goal: the numbers say which layout a network's training should have."""
    found = []
    networks = settings.pick(NETWORKS, (("cnn4", "standard", 2, 8), ("resnet20", "standard", 2, 8)))
    for number, (model, conv, batch_size, side) in enumerate(networks, start=1):
        steps = [
            training_step(model, conv, batch_size, side, layout)
            for layout in (torch.channels_last, torch.contiguous_format)
        ]
        ratio = interleaved(*steps, rounds=settings.num_rounds(_ROUNDS))
        found.append(
            Row(
                what=f"{model}, {conv}: training step, channels last over contiguous",
                unit="x",
                values=ratio.of_rounds,
                detail=f"{1e3 * ratio.our_seconds:.0f} ms against {1e3 * ratio.their_seconds:.0f} ms, "
                f"{batch_size} images of {side} x {side}",
                samples={"channels last": ratio.our_times, "contiguous": ratio.their_times},
            )
        )
        advance(number / len(networks))
    return found


def training_step(model: str, conv: str, batch_size: int, side: int, layout: torch.memory_format) -> Callable[[], None]:
    """Forward, backward and a step of SGD, network and images in one layout."""
    dataset = {**dataset_node(), "image_size": [side, side]}
    torch.manual_seed(0)
    network = models.build(model=model, conv=conv, dataset=dataset).to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    x_BCHW = torch.randn(batch_size, 3, side, side).to(memory_format=layout)
    labels_B = torch.randint(10, (batch_size,))

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x_BCHW), labels_B).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step
