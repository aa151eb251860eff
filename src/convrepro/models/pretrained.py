"""Weights that others have trained, put into our networks: torchvision's, or those of a run on other classes."""

import hashlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import nn

from convrepro import config_files
from convrepro.conv import OperatorLayer
from convrepro.models.frozen import classifier_of
from convrepro.models.resnet_imagenet import ResNetImageNet
from convrepro.models.torchvision_network import TorchvisionNetwork

_COUNTER = "num_batches_tracked"  # of batch normalisation: some of torchvision's files lack it, and it computes nothing
_MAX_FILE_BYTES = 1 << 32  # the largest file that torchvision publishes has 2.5 GB
# What torch raises on a file that is no weights, or holds anything but tensors.
_BROKEN = (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError, OSError)
_AUXILIARY = ("aux1.", "aux2.")  # GoogLeNet's auxiliary classifiers, which our network has not
_RESNET_NAMES = (  # of torchvision's layers, and ours; blocks count from 0 there and from 1 here
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.bnorm."),
    (r"^layer(\d)\.(\d+)\.conv(\d)\.", "stages.stage{0}.block{1}.residual.conv{2}."),
    (r"^layer(\d)\.(\d+)\.bn(\d)\.", "stages.stage{0}.block{1}.residual.bnorm{2}."),
    (r"^layer(\d)\.(\d+)\.downsample\.0\.", "stages.stage{0}.block{1}.shortcut.conv."),
    (r"^layer(\d)\.(\d+)\.downsample\.1\.", "stages.stage{0}.block{1}.shortcut.bnorm."),
    (r"^fc\.", "head.classifier."),
)


def load_pretrained(network: nn.Module, name: str) -> None:
    """Puts weights that torchvision publishes into a network, in place.

    They are read from the folder where torch keeps downloads, and downloaded once if they are not there. The
    classifier's are left out where the network has another number of classes, and all behind the features where it has
    fastai's head: these stay as they are. A convolution by an operator takes the pretrained kernels as its
    ``weight``, and keeps what else it has; of an analytic one they become the plain kernels at their places, while the
    analytic kernels keep their start (Cui et al. 2024, Fig. 4a).

    Images must be normalised as those that the weights were trained on, by the data set's config: GoogLeNet's and
    EfficientNetV2-L's by means and deviations of 0.5, the others' by those of ImageNet.

    Args:
        network: a ``ResNetImageNet`` or ``TorchvisionNetwork``.
        name: the weights in ``torchvision.models``: ``ResNet34_Weights.IMAGENET1K_V1``.

    Raises:
        ValueError: if there are no such weights, if they cannot be downloaded, if their file is not the published one,
            if they are another network's, or if an operator cannot take kernels.
    """
    if not isinstance(network, ResNetImageNet | TorchvisionNetwork):
        raise ValueError(f"weights of torchvision fit no {type(network).__name__}, but its own networks and ResNets.")
    if isinstance(network, ResNetImageNet) and not network.is_torchvisions:
        raise ValueError(
            f"{name} must go into a network with a max-pool and its strides in 3x3 convolutions, as torchvision's have."
        )
    own = _ordinary_shapes(network)  # refuses operators before anything is downloaded
    published = _read(published_file(name))
    named = {_our_name(network, key): values for key, values in published.items() if not key.startswith(_AUXILIARY)}
    fresh = _left_out(network, own, named)
    weights = {key: values for key, values in named.items() if not key.startswith(fresh) and _COUNTER not in key}
    expected = {key: shape for key, shape in own.items() if not key.startswith(fresh)}
    _check_fit(expected, weights, owner=name)
    _copy(weights, network)


def load_weights(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Puts the weights of a run of the same network into one for other classes, in place.

    Its classifier, the last linear layer, stays as it is, even where both have as many classes.

    Args:
        network: any.
        weights: the run's ``state_dict()``.

    Raises:
        ValueError: if they are another network's, or no weights.
    """
    if not _are_weights(weights):
        raise ValueError("the weights of a run must be tensors by their names, and nothing else.")
    fresh = classifier_of(network) + "."
    kept = {key: values for key, values in weights.items() if not key.startswith(fresh)}
    expected = {key: values.shape for key, values in network.state_dict().items() if not key.startswith(fresh)}
    _check_fit(expected, kept, owner="the run")
    network.load_state_dict(kept, strict=False)


def published_file(name: str) -> Path:
    """The file of weights that torchvision publishes, where torch keeps downloads; downloaded if it is not there.

    Args:
        name: as of ``load_pretrained``.

    Raises:
        ValueError: if there are no such weights, if they cannot be downloaded, or if their file is not the published
            one.
    """
    url = _url(name)
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    sha256 = path.stem.rpartition("-")[2]  # its first digits: torchvision names files by them
    if not path.exists():
        from convrepro.data import downloads  # not needed where the file is

        try:
            downloads.retrieve(url, path, max_bytes=_MAX_FILE_BYTES, check=lambda file: _check(file, sha256))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{name} is not at {path} and cannot be downloaded ({error}); put {url} there yourself."
            ) from error
    try:
        _check(path, sha256)
    except ValueError as error:
        raise ValueError(f"{path} is not the file of {name}: {error}; delete it.") from error
    return path


def _check(path: Path, sha256: str) -> None:
    """Raises ValueError unless the SHA-256 of a file starts with these digits."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()[: len(sha256)]
    if found != sha256:
        raise ValueError(f"its SHA-256 starts with {found}")


def _read(path: Path) -> dict[str, torch.Tensor]:
    """Weights by their names; never unpickled: the digits in a file's name are too few to trust it."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be read as weights ({type(error).__name__}); delete it.") from error
    if not _are_weights(found):
        raise ValueError(f"{path} must hold tensors by their names, and nothing else; delete it.")
    weights: dict[str, torch.Tensor] = found
    return weights


def _are_weights(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(values, torch.Tensor) for name, values in found.items()
    )


def _url(name: str) -> str:
    from torchvision import models  # a second, which runs without pretrained weights need not wait

    found: list[Any] = [
        one for one in vars(models).values() if isinstance(one, type) and issubclass(one, models.WeightsEnum)
    ]
    by_name: dict[str, Any] = {f"{enum.__name__}.{key}": one for enum in found for key, one in enum.__members__.items()}
    config_files.check_name(name, by_name, kind="weights of torchvision")
    url: str = by_name[name].url
    return url


def _our_name(network: ResNetImageNet | TorchvisionNetwork, name: str) -> str:
    """Our name of a tensor of torchvision's; as it is if we have none."""
    if isinstance(network, TorchvisionNetwork):
        # Files of DenseNet are older than the rule that no module's name has a dot: norm.1 is norm1.
        name = re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", name)
        if not network.has_fastai_head:
            return f"body.{name}"
        return re.sub("^classifier", "head", re.sub("^features", "body", name))
    for pattern, ours in _RESNET_NAMES:
        if found := re.match(pattern, name):
            numbers = [int(number) for number in found.groups()]
            numbers[1:2] = [number + 1 for number in numbers[1:2]]
            return ours.format(*numbers) + name[found.end() :]
    return name


def _ordinary_shapes(network: nn.Module) -> dict[str, torch.Size]:
    """Names and shapes of what the network would be made of if all its convolutions were ordinary ones."""
    shapes = {
        name: values.shape
        for name, values in network.state_dict().items()
        if ".operator." not in name and _COUNTER not in name
    }
    for path, layer in network.named_modules():
        if isinstance(layer, OperatorLayer):
            conv: Any = layer.operator
            if not (hasattr(conv, "copy_plain_kernels") or hasattr(conv, "weight")):
                raise ValueError(
                    f"{type(conv).__name__} at {path} cannot start from the kernels of another convolution."
                )
            shapes[f"{path}.weight"] = torch.Size(
                (conv.out_channels, conv.in_channels // conv.groups, *conv.kernel_size)
            )
            if conv.bias is not None:
                shapes[f"{path}.bias"] = conv.bias.shape
    return shapes


def _left_out(
    network: ResNetImageNet | TorchvisionNetwork, own: Mapping[str, torch.Size], given: Mapping[str, torch.Tensor]
) -> tuple[str, ...]:
    """Beginnings of the names of what stays as it is: fastai's head, a classifier of other classes, or nothing."""
    if network.has_fastai_head:
        return ("head.",)
    classifier = classifier_of(network) + "."
    same = all(
        given[name].shape == shape for name, shape in own.items() if name.startswith(classifier) and name in given
    )
    return () if same else (classifier,)


def _check_fit(expected: Mapping[str, torch.Size], given: Mapping[str, torch.Tensor], *, owner: str) -> None:
    for name in sorted(expected.keys() | given.keys()):
        ours = tuple(expected[name]) if name in expected else "nothing"
        theirs = tuple(given[name].shape) if name in given else "nothing"
        if ours != theirs:
            raise ValueError(f"{owner} has weights of another network: at {name} it has {theirs}, ours {ours}.")


@torch.no_grad()
def _copy(weights: Mapping[str, torch.Tensor], network: nn.Module) -> None:
    own = network.state_dict()  # shares its memory with the network
    for name, values in weights.items():
        path, _, kind = name.rpartition(".")
        if name in own:
            own[name].copy_(values)
            continue
        operator: Any = network.get_submodule(f"{path}.operator")
        if kind == "weight" and hasattr(operator, "copy_plain_kernels"):
            operator.copy_plain_kernels(values)
        else:
            getattr(operator, kind).copy_(values)
