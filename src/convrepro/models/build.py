"""From config nodes to a network."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn
from torch.overrides import TorchFunctionMode

from convrepro import config_files, targets
from convrepro.conv import ConvFactory, arguments, factory, operator_conv, plain_conv
from convrepro.models.cost import num_operator_layers

NOT_ARGUMENTS = (
    "about",
    "name",
    "memory_format",
    "placements",
    "_target_",
)  # keys of a model config that are not the network's

_MAX_TENSORS = 10_000  # efficientnet_v2_l, which has the most here, is made of 1,332
_MAX_VALUES = 2**28  # 1 GiB; vgg16, which has the most here, has 2**27
_MAKING = {
    *(torch.empty, torch.full, torch.ones, torch.zeros),
    *(torch.Tensor.new_empty, torch.Tensor.new_full, torch.Tensor.new_ones, torch.Tensor.new_zeros),
}


def build(
    *,
    model: str | Mapping[str, Any],
    conv: str | Mapping[str, Any],
    dataset: str | Mapping[str, Any],
    plugins: Sequence[str] = (),
) -> nn.Module:
    """The network ``model`` for ``dataset``, with ``conv`` in the roles that its placement stands for.

    A role is a parameter of the network that takes a ``ConvFactory``. Those that the placement leaves out get
    ordinary convolutions.

    Args:
        model, conv, dataset: names in the config folder, or the content of such files; they may refer to one
            another, as ``${dataset.num_classes}`` does.
        plugins: names of packages outside this one from which a ``_target_`` may come.

    Raises:
        ValueError: if a name, a key, the placement or one of its roles is not known, if a value has the wrong
            type or is refused by the network or the operator, or if the operator landed in no layer.
    """
    nodes = {
        group: config_files.load(group, node) if isinstance(node, str) else dict(node)
        for group, node in (("model", model), ("conv", conv), ("dataset", dataset))
    }
    model, conv = _resolved(nodes, "model"), _resolved(nodes, "conv")
    owner = f"model {model.get('name', model.get('_target_'))!r}"
    for key in ("_target_", "placements"):
        if key not in model:
            raise ValueError(f"{owner} lacks the key {key!r}.")
    placements = model["placements"]
    if not isinstance(placements, dict) or not all(isinstance(roles, list) for roles in placements.values()):
        raise ValueError(f"`placements` of {owner} must be a list of roles for each name, got {placements!r:.80}.")
    network = targets.resolve(model["_target_"], plugins, targets.NETWORK)
    roles = [name for name, found in arguments.parameters(network).items() if found.annotation is ConvFactory]
    own = {key: value for key, value in model.items() if key not in NOT_ARGUMENTS}
    arguments.check(own, network, given_by_code=roles, owner=owner)

    operator = operator_conv(conv, plugins)
    is_plain = conv["_target_"] == "torch.nn.Conv2d" and not conv.keys() - set(factory.NOT_ARGUMENTS)
    if conv.get("placement") == "none" and not is_plain:
        raise ValueError(
            f"conv {conv.get('name')!r} must have another `placement` than none: its operator would land in no layer; "
            f"{owner} knows {', '.join(sorted(set(model['placements']) - {'none'}))}."
        )
    taken = _roles_taken(model["placements"], conv.get("placement"), roles, owner)
    convs = {role: operator if role in taken else plain_conv() for role in roles}
    try:
        with _Budget(), warnings.catch_warnings():
            warnings.filterwarnings("error", message="Initializing zero-element tensors")
            built: nn.Module = network(**convs, **own)
    except (
        ArithmeticError,
        IndexError,
        RuntimeError,
        TypeError,
        UserWarning,
    ) as error:  # of sizes that no tensor can have
        raise ValueError(f"{owner} cannot be built: {str(error).splitlines()[0]}") from error
    if conv["placement"] != "none" and num_operator_layers(built) == 0:
        raise ValueError(f"{conv['_target_']} was placed in 0 layers of {type(built).__name__}.")
    return built


class _Budget(TorchFunctionMode):
    """Counts the tensors that a network is made of, and stops before more are asked for than any network here has."""

    def __init__(self) -> None:
        super().__init__()
        self.num_tensors = self.num_values = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _MAKING and str(kwargs.get("device")) != "meta":
            numbers = [arg for arg in (*args, kwargs.get("size", ())) if not isinstance(arg, torch.Tensor)]
            size = numbers[0] if isinstance(numbers[0], list | tuple) else [n for n in numbers if isinstance(n, int)]
            if 0 in size:
                raise RuntimeError(f"it would have a tensor of size {list(size)}, which is empty.")
            self.num_tensors += 1
            self.num_values += math.prod(size)
            if self.num_tensors > _MAX_TENSORS or self.num_values > _MAX_VALUES:
                raise RuntimeError(f"it would have more than {_MAX_TENSORS:,} tensors or {_MAX_VALUES:,} values.")
        return func(*args, **kwargs)


def _resolved(nodes: Mapping[str, Any], group: str) -> dict[str, Any]:
    try:
        content = OmegaConf.to_container(OmegaConf.create(dict(nodes))[group], resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ValueError(f"{group} config cannot be resolved: {str(error).splitlines()[0]}.") from error
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _roles_taken(
    placements: Mapping[str, Sequence[str]], placement: str | None, roles: Sequence[str], owner: str
) -> Sequence[str]:
    if not isinstance(placement, str) or placement not in placements:
        raise ValueError(f"{owner} knows the placements {', '.join(sorted(placements))}, got {placement!r}.")
    for role in placements[placement]:
        config_files.check_name(str(role), roles, kind=f"role in placement {placement!r} of {owner}:")
    return placements[placement]
