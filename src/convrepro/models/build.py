"""From config nodes to a network."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

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
    network = targets.resolve(model["_target_"], plugins)
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
    try:
        built: nn.Module = network(**{role: operator if role in taken else plain_conv() for role in roles}, **own)
    except RuntimeError as error:  # torch's word for sizes that no tensor can have
        raise ValueError(f"{owner} cannot be built: {error}") from error
    if conv["placement"] != "none" and num_operator_layers(built) == 0:
        raise ValueError(f"{conv['_target_']} was placed in 0 layers of {type(built).__name__}.")
    return built


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
    if placement is None or placement not in placements:
        raise ValueError(f"{owner} knows the placements {', '.join(sorted(placements))}, got {placement!r}.")
    for role in placements[placement]:
        config_files.check_name(role, roles, kind=f"role in placement {placement!r} of {owner}:")
    return placements[placement]
