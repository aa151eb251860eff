import pytest
import torch
from torch.nn.modules.module import register_module_forward_pre_hook

from convrepro import config_files
from convrepro.benchmarks import layout
from convrepro.benchmarks.settings import Settings
from convrepro.models import CNN4


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_network_and_images_have_the_layout(memory_format: torch.memory_format) -> None:
    seen = []

    def note(module: torch.nn.Module, arguments: tuple[torch.Tensor]) -> None:
        if isinstance(module, CNN4):
            weights = [p for p in module.parameters() if p.ndim == 4 and p.shape[1] > 1]
            seen.append([t.is_contiguous(memory_format=memory_format) for t in (*arguments, *weights)])

    hook = register_module_forward_pre_hook(note)
    try:
        layout.training_step("cnn4", "standard", 2, 8, memory_format)()
    finally:
        hook.remove()
    assert len(seen) == 1
    assert len(seen[0]) == 5
    assert all(seen[0])


def test_every_network_that_is_named_is_there() -> None:
    assert {name for name, *_ in layout.NETWORKS} <= set(config_files.names("model"))
    assert {conv for _, conv, *_ in layout.NETWORKS} == {"standard", "dk"}


def test_rows_have_a_ratio_and_no_goal(settings: Settings) -> None:
    rows = layout.rows(settings, lambda fraction: None)
    assert len(rows) == 2
    for row in rows:
        pairs = zip(row.samples["channels last"], row.samples["contiguous"], strict=True)
        assert row.values == pytest.approx([ours / theirs for ours, theirs in pairs])
        assert row.goal is None
