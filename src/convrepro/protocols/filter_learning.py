"""The task ``filters``: one convolution learns nine image filters from one image (Tek, Çam, Karlı 2021, Sec. 4.1)."""

import math
import time

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.conv import OperatorLayer, clip_after_step
from convrepro.data import ImageSplit
from convrepro.protocols.filter_targets import filter_targets
from convrepro.protocols.network import build_network
from convrepro.protocols.outcome import Outcome
from convrepro.protocols.schema import Config
from convrepro.protocols.train import make_optimizer, make_parameter_groups
from convrepro.training import clip_gradients

# Shapes: F filters, H W image.

_UNKNOWN = ("milestones", "plateau", "one_cycle", "pretrained", "trained")  # keys of a recipe that have no meaning here


def learn_from(config: Config, images: ImageSplit) -> Outcome:
    """Trains the config's network to answer the first of ``images`` as the nine filters of ``filter_targets`` do.

    The loss is the mean squared error over all filters and pixels. An iteration is a step of the optimizer on the one
    image; there are as many as the recipe has epochs. The seed draws the weights; nothing else is random. On a CPU.

    Args:
        config: whose network returns nine images.
        images: the first one is taken, scaled to [0, 1], then by the data set's mean and standard deviation.

    Returns:
        After each iteration ``train_loss`` and, where the network has an operator with apertures, ``sigma_0`` to
        ``sigma_8``, those of its filters; as ``last`` those after the final one. If the loss is no longer finite, the
        iterations so far and the reason.

    Raises:
        ValueError: if the recipe has a schedule or starts from a trained network, which this task does not know, if the
            images have several channels, or if the network does not return nine images of the image's size.
    """
    recipe, dataset = config.recipe, config.dataset
    if asked := [key for key in _UNKNOWN if getattr(recipe, key)]:
        raise ValueError(f"`protocol.task` filters knows no `recipe.{asked[0]}`; leave it unset.")
    if dataset.in_channels != 1:
        raise ValueError(f"`protocol.task` filters needs images of 1 channel, got {dataset.in_channels}.")
    started = time.monotonic()
    image_HW = (images.subset([0]).images_BCHW[0, 0].double() / 255.0 - dataset.mean[0]) / dataset.std[0]
    targets_FHW = torch.from_numpy(filter_targets(image_HW.numpy())).float()
    network = build_network(config)
    x_1CHW = image_HW.float()[None, None]
    if (found := tuple(network(x_1CHW).shape[1:])) != targets_FHW.shape:
        raise ValueError(
            f"`protocol.task` filters needs a network that answers with {tuple(targets_FHW.shape)}, "
            f"as model=filter_bank does, got {found}."
        )
    optimizer = make_optimizer(config)(make_parameter_groups(config)(network))
    clip_after_step(optimizer, network, recipe.sigma_clip)
    clip = clip_gradients(recipe.clip_gradient_value, recipe.clip_gradient_norm)
    epochs: dict[str, list[float]] = {}
    for iteration in range(config.num_epochs + 1):
        loss = F.mse_loss(network(x_1CHW)[0], targets_FHW)
        if iteration > 0:
            state = {"train_loss": loss.item(), **_apertures(network)}
            for metric, value in state.items():
                epochs.setdefault(metric, []).append(value)
        if not math.isfinite(loss.item()):
            reason = f"the training loss was {loss.item()} after iteration {iteration}"
            return Outcome(selected={}, epochs=epochs, seconds=time.monotonic() - started, reason=reason)
        if iteration < config.num_epochs:
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            clip(list(network.parameters()))
            optimizer.step()
    last = {metric: float(f"{values[-1]:.6g}") for metric, values in epochs.items()}
    return Outcome(
        selected={"last": {"epoch": config.num_epochs, **last}}, epochs=epochs, seconds=time.monotonic() - started
    )


def _apertures(network: nn.Module) -> dict[str, float]:
    """Those of the operator, by filter; empty if it has none."""
    for layer in network.modules():
        if isinstance(layer, OperatorLayer) and hasattr(layer.operator, "clip_sigma_"):
            sigma: torch.Tensor = layer.operator.sigma  # type: ignore[assignment]
            return {f"sigma_{number}": value for number, value in enumerate(sigma.tolist())}
    return {}
