"""Every operator against the plain convolution with the same output: training step, and forward pass once folded."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from convrepro import config_files
from convrepro.benchmarks.row import Goal, Row
from convrepro.benchmarks.settings import Advance, Settings
from convrepro.benchmarks.timing import Ratio, interleaved
from convrepro.conv import operator_conv
from convrepro.conv.factory import OperatorLayer
from convrepro.conv.plain import NotFoldable

CHANNELS = (32, 64, 128)
SIDE = 28  # of the images, in pixels: with batches of 128 the step that Tek et al. 2021 time (Sec. 4.5)
LATE_CHANNELS, LATE_SIDE = 128, 7  # of a late layer: many kernels, small images; no goal is set there
KERNEL_SIZES = (3, 5, 7, 9)
AT_MOST = {"aconv": 1.10, "acl": 1.10, "dk": 1.10, "disentangled": 2.5}  # of the training step
SAME = 0.05  # how far above 1 a folded operator's ratio may lie
NOT_TIMED = ("standard", "dk_first")  # what the others are timed against; the operator of dk in another place
_EVERY_SIZE = ("aconv", "acl")
_SHORT_ROUNDS = 10


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One operator at one size against the plain convolution.

    Args:
        conv: name in ``configs/conv``.
        what: ``training step`` (forward, and backward to the input and the parameters) or ``folded forward``.
        kernel_size, channels, side: of the convolution, the input and output channels, the images in pixels.
        goal: the ratio that it must not exceed; None if there is none.
        measure: runs it, with a number of rounds.
    """

    conv: str
    what: str
    kernel_size: int
    channels: int
    side: int
    goal: float | None
    measure: Callable[[int], Ratio]

    def word(self, ratio: Ratio) -> str:
        """``met``, ``MISSED``, or ``undecided`` where a quartile lies below the goal; empty if there is no goal."""
        return "" if self.goal is None else Goal(most=self.goal).word(ratio.spread)


def comparisons(*, batch_size: int) -> Iterator[Comparison]:
    """All comparisons, in the order in which they are shown."""
    names = [name for name in config_files.names("conv") if name not in NOT_TIMED]
    for name in sorted(names, key=lambda name: (name not in AT_MOST, name)):
        everywhere = name in _EVERY_SIZE
        for kernel_size in KERNEL_SIZES if everywhere else (3,):
            for channels in CHANNELS if everywhere else (64,):
                yield _comparison(name, "training step", kernel_size, channels, SIDE, batch_size)
        yield _comparison(name, "training step", 3, LATE_CHANNELS, LATE_SIDE, batch_size)
        if isinstance(_folded(_operator(name, 3, 8)), nn.Conv2d):
            yield _comparison(name, "folded forward", 3, 64, SIDE, batch_size)


def rows(settings: Settings, advance: Advance) -> list[Row]:
    """The comparisons that have a goal, at one size of each; ``benchmark-operators`` has all."""
    chosen = [
        comparison
        for comparison in comparisons(batch_size=settings.pick(128, 1))
        if comparison.goal is not None and (comparison.kernel_size, comparison.channels) == (3, 64)
    ]
    found = []
    for number, comparison in enumerate(settings.pick(chosen, chosen[:2]), start=1):
        ratio = comparison.measure(settings.num_rounds(_SHORT_ROUNDS))
        found.append(
            Row(
                what=f"{comparison.conv}, {comparison.what}: time over the plain convolution's",
                unit="x",
                values=ratio.of_rounds,
                goal=Goal(most=comparison.goal),
                detail=f"{1e3 * ratio.our_seconds:.1f} ms against {1e3 * ratio.their_seconds:.1f} ms",
                samples={"ours": ratio.our_times, "plain": ratio.their_times},
            )
        )
        advance(number / len(chosen))
    return found


def _comparison(name: str, what: str, kernel_size: int, channels: int, side: int, batch_size: int) -> Comparison:
    is_folded = what == "folded forward"
    goal = 1 + SAME if is_folded else AT_MOST.get(name)
    return Comparison(
        conv=name,
        what=what,
        kernel_size=kernel_size,
        channels=channels,
        side=side,
        goal=goal if side == SIDE else None,
        measure=partial(_measure, name, kernel_size, channels, side, batch_size, is_folded),
    )


def _measure(
    name: str, kernel_size: int, channels: int, side: int, batch_size: int, is_folded: bool, rounds: int
) -> Ratio:
    torch.manual_seed(0)
    operator = _operator(name, kernel_size, channels)
    x_BCHW = torch.randn(batch_size, channels, side, side).to(memory_format=torch.channels_last)
    ours = _folded(operator) if is_folded else operator
    assert ours is not None
    theirs = _plain_with_same_output(ours, kernel_size, channels)
    work = _forward if is_folded else _training_step
    layers = [layer.to(memory_format=torch.channels_last) for layer in (ours, theirs)]  # type: ignore[call-overload]
    return interleaved(*(work(layer, x_BCHW) for layer in layers), rounds=rounds)


def _operator(name: str, kernel_size: int, channels: int) -> nn.Module:
    conv = operator_conv(config_files.load("conv", name))
    layer = conv(channels, channels, kernel_size, padding=kernel_size // 2)
    assert isinstance(layer, OperatorLayer)
    return layer.operator


def _folded(operator: nn.Module) -> nn.Module | None:
    """What the operator becomes; None if its weights depend on the image."""
    try:
        folded: nn.Module = operator.eval().to_conv2d()  # type: ignore[operator]
    except NotFoldable:
        return None
    return folded


def _plain_with_same_output(ours: nn.Module, kernel_size: int, channels: int) -> nn.Conv2d:
    if isinstance(ours, nn.Conv2d) and type(ours) is nn.Conv2d:  # folded: one convolution, maybe of a larger side
        size, out_channels = ours.kernel_size, ours.out_channels
        return nn.Conv2d(channels, out_channels, size, padding=ours.padding, bias=ours.bias is not None)  # type: ignore[arg-type]
    num_latent = getattr(ours, "num_latent", 1)
    return nn.Conv2d(channels, channels * num_latent, kernel_size, padding=kernel_size // 2, bias=False)


def _training_step(layer: nn.Module, x_BCHW: torch.Tensor) -> Callable[[], None]:
    x_BCHW = x_BCHW.detach().requires_grad_()
    gradient = torch.randn_like(layer(x_BCHW))

    def step() -> None:
        layer.zero_grad(set_to_none=True)
        x_BCHW.grad = None
        layer(x_BCHW).backward(gradient)

    return step


def _forward(layer: nn.Module, x_BCHW: torch.Tensor) -> Callable[[], object]:
    def forward() -> object:
        with torch.inference_mode():
            return layer(x_BCHW)

    return forward
