"""Learnable parameters of the papers' networks from their layer tables, and the cost of smoothing; without torch.

Each convolution is a triple (input channels, output channels, kernel side) and has no bias; batch normalisation has two
parameters a channel. Running statistics are no parameters. Sources: DK-CNN, Secs. 3.6 and 4.2, Tables 2 to 4; ACONV,
Sec. 4.2, Table 1; disentangled convolution, Sec. 3.1.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

Operator = Literal["standard", "dk", "dk_first", "aconv"]
Convolution = tuple[int, int, int]


def plain(in_channels: int, out_channels: int, kernel_size: int) -> int:
    return in_channels * out_channels * kernel_size**2


def dynamic_kernel(in_channels: int, out_channels: int, kernel_size: int, *, hidden: int, pieces: int) -> int:
    """h weights per pair of channels, and G, B, D of h k^2 each per piece and output channel.

    Sec. 3.6 prints c^2 h + 3 h k^2, without the factor pieces x output channels; the printed sizes need it.
    """
    return in_channels * out_channels * hidden + 3 * pieces * out_channels * hidden * kernel_size**2


def adaptive(in_channels: int, out_channels: int, kernel_size: int) -> int:
    """One sigma per output channel besides the weights."""
    return plain(in_channels, out_channels, kernel_size) + out_channels


def cnn4(conv: Operator, *, filters: int, image: Sequence[int], num_classes: int, hidden: int, pieces: int) -> int:
    """Four 3x3 convolutions, two halvings, a linear layer; DK in the first and third.

    Args:
        image: channels, height and width.
    """
    channels, height, width = image
    layers = [(channels, filters, 3)] + [(filters, filters, 3)] * 3
    special = {"dk": (0, 2), "dk_first": (0,)}.get(conv, ())
    size = _convolutions(layers, special, hidden=hidden, pieces=pieces) + 4 * 2 * filters
    return size + _linear(filters * (height // 4) * (width // 4), num_classes)


def resnet(
    conv: Operator,
    *,
    depth: int,
    widths: Sequence[int],
    image: Sequence[int],
    num_classes: int,
    hidden: int,
    pieces: int,
) -> int:
    """6n + 2 layers, 1x1 convolution and batch normalisation on the shortcut where the shape changes.

    DK in the first layer and in the second convolution of each block.
    """
    layers: list[Convolution] = [(image[0], widths[0], 3)]
    special, shortcuts, channels = [0], 0, widths[0]
    for stage, width in enumerate(widths):
        for block in range((depth - 2) // 6):
            layers += [(channels, width, 3), (width, width, 3)]
            special.append(len(layers) - 1)
            if stage > 0 and block == 0:
                shortcuts += plain(channels, width, 1) + 2 * width
            channels = width
    size = _convolutions(layers, _placed(conv, special), hidden=hidden, pieces=pieces)
    norms = sum(2 * width for _, width, _ in layers)
    return size + norms + shortcuts + _linear(channels, num_classes)


def densenet(
    conv: Operator,
    *,
    depth: int,
    growth_rate: int,
    initial_channels: int,
    bottleneck_width: int,
    compression: float,
    image: Sequence[int],
    num_classes: int,
    hidden: int,
    pieces: int,
) -> int:
    """DenseNet-BC, three blocks of (depth - 4) / 6 layers; DK in the first layer and in each 3x3 of a dense layer."""
    layers: list[Convolution] = [(image[0], initial_channels, 3)]
    special, norms, channels = [0], 0, initial_channels
    inner = bottleneck_width * growth_rate
    for block in (1, 2, 3):
        for _ in range((depth - 4) // 6):
            layers += [(channels, inner, 1), (inner, growth_rate, 3)]
            special.append(len(layers) - 1)
            norms += 2 * channels + 2 * inner
            channels += growth_rate
        norms += 2 * channels  # before a transition, and before the classifier
        if block < 3:
            layers.append((channels, int(channels * compression), 1))
            channels = int(channels * compression)
    size = _convolutions(layers, _placed(conv, special), hidden=hidden, pieces=pieces)
    return size + norms + _linear(channels, num_classes)


def simple_cnn(
    conv: Operator, *, kernel_size: int, filters: int, hidden_units: int, image: Sequence[int], num_classes: int
) -> int:
    """Two convolutions, a halving, a hidden layer of batch-normalised units, a linear layer."""
    channels, height, width = image
    count = adaptive if conv == "aconv" else plain
    convolutions = count(channels, filters, kernel_size) + count(filters, filters, kernel_size)
    flat = filters * (height // 2) * (width // 2)
    norms = 2 * 2 * filters + 2 * hidden_units
    return convolutions + norms + _linear(flat, hidden_units) + _linear(hidden_units, num_classes)


def doubling_resnet(
    conv: Operator, *, blocks: int, kernel_size: int, widths: Sequence[int], image: Sequence[int], num_classes: int
) -> int:
    """ACONV's ResNet: every convolution k x k, shortcuts that double channels without parameters."""
    count = adaptive if conv == "aconv" else plain
    layers: list[Convolution] = [(image[0], widths[0], kernel_size)]
    channels = widths[0]
    for width in widths:
        for _ in range(blocks):
            layers += [(channels, width, kernel_size), (width, width, kernel_size)]
            channels = width
    convolutions = sum(count(*layer) for layer in layers)
    return convolutions + sum(2 * width for _, width, _ in layers) + _linear(channels, num_classes)


def smoothing_macs(inputs: Sequence[Sequence[int]], *, taps: int) -> int:
    """2 k C H W over the smoothed inputs (channels, height, width), for a separable Gaussian of k taps."""
    return sum(2 * taps * channels * height * width for channels, height, width in inputs)


FAMILIES: Mapping[str, Callable[..., int]] = {
    "cnn4": cnn4,
    "resnet": resnet,
    "densenet": densenet,
    "simple_cnn": simple_cnn,
    "doubling_resnet": doubling_resnet,
}


def _placed(conv: Operator, special: Sequence[int]) -> Sequence[int]:
    return {"dk": special, "dk_first": special[:1]}.get(conv, ())


def _convolutions(layers: Sequence[Convolution], special: Sequence[int], *, hidden: int, pieces: int) -> int:
    return sum(
        dynamic_kernel(*layer, hidden=hidden, pieces=pieces) if number in special else plain(*layer)
        for number, layer in enumerate(layers)
    )


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs
