"""One seed of a cell in training: a network and all that is its own."""

import contextlib
import hashlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from convrepro.training import data_parallel
from convrepro.training.precision import Precision
from convrepro.training.schedules import History

# Shapes: B batch, C channels, H W image, K classes.

_OF_AN_EPOCH = ("num_steps", "seconds", "train_sums", "random_states", "generators")
_SPOKEN = {"train": "training"}

Batch = tuple[torch.Tensor, torch.Tensor]
Optimizer = torch.optim.Optimizer


class Learner:
    """Trains one network by cross entropy, of images or of their pixels, and keeps the metrics of every epoch.

    Seeds that are trained together are several learners: each has its own network, optimizer, learning rate,
    random numbers, history, checkpoints and end. Sums are accumulated on the device and read once an epoch. Several
    processes may train one learner (see ``data_parallel``); then all of them make it and call its methods.

    Args:
        network: from images (B, C, H, W) to logits (B, K), or (B, K, H, W) where the targets are masks (B, H, W), on
            its device and in its memory format.
        seed: of the order and augmentation of its images and of the network's own randomness.
        folder: of its checkpoints and logs.
        make_optimizer: from parameters, or groups of them, to an optimizer.
        parameter_groups: from the network to these.
        learning_rate_factor: from the 0-based epoch and the history so far to the factor of the optimizer's learning
            rate.
        rates_at: for schedules that change within an epoch: from the position in the training, in epochs, and a group's
            initial learning rate to what a step sets in that group of the optimizer, such as ``lr``.
        accuracy: what the share of right targets is called: ``accuracy``, or ``pixel_accuracy`` of masks.
        top_k: evaluations also note how often the label is among the first k, as ``top<k>_accuracy``.
        clip_gradients: called with the parameters before each step of the optimizer.
        after_optimizer: called with the optimizer once it is made, to register what must follow each of its steps.
        recipe_epoch: from the 0-based epoch to the epoch of the whole recipe, which layers with a method ``set_epoch``
            are told.
        after_epoch: called with the learner when an epoch is finished and evaluated, before its checkpoint.
        report: called with the finished fraction of the training after each step.
        memory_format: of the images; the network's is the same.
        precision: in which forward passes are computed.
        compiled: whether ``torch.compile`` makes the forward pass.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        seed: int,
        folder: Path,
        make_optimizer: Callable[[Iterable[Any]], Optimizer],
        learning_rate_factor: Callable[[int, History], float],
        parameter_groups: Callable[[nn.Module], Iterable[Any]] = nn.Module.parameters,
        rates_at: Callable[[float, float], Mapping[str, Any]] | None = None,
        accuracy: str = "accuracy",
        top_k: int | None = None,
        clip_gradients: Callable[[Sequence[nn.Parameter]], None] = lambda parameters: None,
        after_optimizer: Callable[[Optimizer], object] = lambda optimizer: None,
        recipe_epoch: Callable[[int], float] = float,
        after_epoch: Callable[["Learner"], None] | None = None,
        report: Callable[[float], None] = lambda fraction: None,
        memory_format: torch.memory_format = torch.channels_last,
        precision: Precision = "float32",
        compiled: bool = False,
    ) -> None:
        self.network, self.seed, self.folder = network, seed, folder
        self.after_epoch, self.report = after_epoch, report
        self.parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self.device, self._dtype = self.parameters[0].device, self.parameters[0].dtype
        self.optimizer = make_optimizer(parameter_groups(network))
        self._initial_rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        for group in self.optimizer.param_groups:
            if self.device.type == "cuda" and group.get("fused"):  # a captured step reads its rate from the device
                group["lr"] = torch.tensor(group["lr"], device=self.device)
        after_optimizer(self.optimizer)
        self.num_epochs = 0  # finished and evaluated
        self.num_steps = 0  # done of the epoch after them
        self.reason = ""  # why it diverged
        self.history: dict[str, list[float]] = {}
        self.epoch_seconds: list[float] = []
        if compiled and data_parallel.world_size() > 1:
            raise ValueError("`machine.compile` is for one device; leave it out, or train on one.")
        self._forward = torch.compile(network) if compiled else data_parallel.forward_of(network)
        self.precision, self._memory_format = precision, memory_format
        self._learning_rate_factor, self._recipe_epoch = learning_rate_factor, recipe_epoch
        self._clip_gradients = clip_gradients
        self.rates_at, self._accuracy, self._top_k = rates_at, accuracy, top_k
        # loss, right, among the first k, all; steps whose sum of losses is finite, and those where it is a number
        self.train_sums = torch.zeros(6, dtype=torch.float64, device=self.device)
        self._bounds = torch.tensor([sys.float_info.max, math.inf], dtype=torch.float64, device=self.device)
        self._row: dict[str, float] = {}
        self._started = self._seconds_before = 0.0  # of the epoch
        self._cut_epoch: dict[str, Any] = {}  # what a loaded state has of an epoch that was begun
        self._random_state: list[torch.Tensor] = []
        self.generator = torch.Generator(self.device)
        drawing = [layer for layer in network.modules() if hasattr(layer, "set_generator")]
        for layer in drawing:
            layer.set_generator(self.generator)  # type: ignore[operator]
        self.draws = bool(drawing)

    def start_epoch(self, epoch: int) -> None:
        """Sets the learning rate, the layers' epoch and torch's random numbers to those of ``epoch``.

        They depend on the seed, the epoch and the history only, so that resuming there needs no further state. An epoch
        that was begun goes on with what it had. Random numbers of numpy and of Python itself are nobody's: layers must
        not use them.
        """
        self._started, self._seconds_before = time.monotonic(), 0.0
        factor = self._learning_rate_factor(epoch, self.history)
        for group, initial_rate in zip(self.optimizer.param_groups, self._initial_rates, strict=True):
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(initial_rate * factor)
            else:
                group["lr"] = initial_rate * factor
        for layer in self.network.modules():
            if hasattr(layer, "set_epoch"):
                layer.set_epoch(self._recipe_epoch(epoch))  # type: ignore[operator]
        number = f":{data_parallel.rank()}" if data_parallel.rank() else ""
        self._seed_random_numbers(f"network:{self.seed}:{epoch}{number}")
        self.train_sums.zero_()
        self._row = {"learning_rate": self._initial_rates[0] * factor}
        if self.rates_at is not None:
            self.go_to(float(epoch))
            self._row["learning_rate"] = float(self.optimizer.param_groups[0]["lr"])
        if self.num_steps:
            self._go_on_with(self._cut_epoch)

    def go_to(self, position: float) -> None:
        """Sets what a schedule that changes within an epoch has at a position in the training, in epochs."""
        if self.rates_at is not None:
            for group, initial_rate in zip(self.optimizer.param_groups, self._initial_rates, strict=True):
                group.update(self.rates_at(position, initial_rate))

    def step(self, x_BCHW: torch.Tensor, targets: torch.Tensor, loss_factor: float = 1.0) -> None:
        """One step of the optimizer. Reads nothing back from the device, so that it can be captured.

        Args:
            x_BCHW: images.
            targets: their labels or masks.
            loss_factor: of what is minimised, where these are a part of the batch.
        """
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.logits(x_BCHW)
        loss = F.cross_entropy(logits, targets)
        (loss if loss_factor == 1.0 else loss * loss_factor).backward()  # type: ignore[no-untyped-call]
        self._clip_gradients(self.parameters)
        self.optimizer.step()
        self.train_sums[:4] += _sums(loss.detach() * targets.numel(), logits.detach(), targets)
        self.train_sums[4:] += self.train_sums[0] <= self._bounds

    def note_divergence(self, train_sums: torch.Tensor, num_steps: int) -> None:
        """Gives the ``reason`` if a training loss of the epoch was not finite; reads from the device.

        Args:
            train_sums: those after ``num_steps`` steps of the epoch.
            num_steps: likewise.
        """
        num_finite, num_numbers = data_parallel.least(train_sums[4:]).tolist()
        if num_finite < num_steps and not self.reason:
            value = math.inf if num_numbers > num_finite else math.nan
            self.reason = f"the training loss was {value} at step {num_finite + 1:.0f} of epoch {self.num_epochs + 1}"

    @contextlib.contextmanager
    def own_random_numbers(self) -> Iterator[None]:
        """Within it, the process's random numbers are this learner's; they go on from where it left them."""
        with self._global_random_numbers_kept():
            _set_random_state(self.device, self._random_state)
            yield
            self._random_state = _random_state(self.device)

    def end_training(self) -> None:
        """Notes the training metrics of the epoch: means over its targets, each before the step that saw it."""
        self._note("train", self.train_sums[:4])

    @torch.inference_mode()
    def evaluate(self, name: str, batches: Iterable[Batch]) -> None:
        """Notes mean loss and accuracy on all targets of ``batches``."""
        sums = torch.zeros_like(self.train_sums[:4])
        self._seed_random_numbers(f"{name}:{self.seed}:{self.num_epochs}")
        with self.own_random_numbers():
            for x_BCHW, targets in batches:
                logits = self.logits(x_BCHW)
                loss = F.cross_entropy(logits, targets, reduction="sum")
                sums += _sums(loss, logits, targets, self._top_k)
        self._note(name, sums, self._top_k)

    def end_epoch(self, share: float) -> None:
        """Puts the epoch's metrics into the history; ``share`` of the time since its start was this learner's."""
        self.epoch_seconds.append(self._seconds(share))
        self.num_epochs, self.num_steps = self.num_epochs + 1, 0
        for key, value in self._row.items():
            self.history.setdefault(key, []).append(value)
            if key.endswith("_loss") and not math.isfinite(value) and not self.reason:
                name = key.removesuffix("_loss")
                self.reason = f"the {_SPOKEN.get(name, name)} loss was {value} in epoch {self.num_epochs}"

    def state(self, share: float = 1.0) -> dict[str, Any]:
        """All that training goes on from, after the last finished epoch and the steps that follow it.

        It is the same in all processes that train the learner.

        Args:
            share: of the time since the start of the epoch that is under way, this learner's.
        """
        state: dict[str, Any] = {
            "num_epochs": self.num_epochs,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict()["state"],
            "history": self.history,
            "epoch_seconds": self.epoch_seconds,
        }
        if self.num_steps:
            state["epoch"] = {
                "device": self.device.type,
                "num_steps": self.num_steps,
                "seconds": self._seconds(share),
                # these by process, so that its sums are rounded as they would have been
                "train_sums": data_parallel.of_all(self.train_sums),
                "random_states": [data_parallel.of_all(state) for state in self._random_state],
                "generators": data_parallel.of_all(self.generator.get_state()),
            }
        return state

    def can_go_on_from(self, state: dict[str, Any]) -> bool:
        """Whether random numbers within an epoch can: of as many processes, with devices of the same kind."""
        if "epoch" not in state:
            return True
        generators, device = (state["epoch"].get(key) for key in ("generators", "device"))
        return bool(device == self.device.type and len(generators) == data_parallel.world_size())

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Goes back to where ``state`` was taken, on whatever device.

        Raises:
            ValueError: if it is no such state, or that of another network.
        """
        try:
            self.network.load_state_dict(state["network"])
            groups = self.optimizer.state_dict()["param_groups"]  # settings are the recipe's and this machine's
            self.optimizer.load_state_dict({"state": state["optimizer"], "param_groups": groups})
            for parameter, its_state in self.optimizer.state.items():
                its_state.update(_laid_out_as(parameter, its_state))
            self.num_epochs = int(state["num_epochs"])
            self._cut_epoch = {key: state["epoch"][key] for key in _OF_AN_EPOCH} if "epoch" in state else {}
            self.num_steps = int(self._cut_epoch.get("num_steps", 0))
            self.history = {key: list(values) for key, values in state["history"].items()}
            self.epoch_seconds = list(state["epoch_seconds"])
        except (KeyError, TypeError, RuntimeError, AttributeError) as error:
            said = str(error).splitlines()[0]
            raise ValueError(
                f"the checkpoint in {self.folder} is of another version or network ({said}); delete it to start again."
            ) from error

    def logits(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """What the network says of images on its device, at least in float32, in the learner's precision and layout."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            x_BCHW = x_BCHW.to(self._dtype).contiguous(memory_format=self._memory_format)
            logits: torch.Tensor = self._forward(x_BCHW)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def _go_on_with(self, epoch: Mapping[str, Any]) -> None:
        self._seconds_before = epoch["seconds"]
        own = data_parallel.rank()
        self.train_sums.copy_(epoch["train_sums"][own])
        self._random_state = [states[own] for states in epoch["random_states"]]
        self.generator.set_state(epoch["generators"][own])

    def _seconds(self, share: float) -> float:
        """Of the epoch that is under way."""
        return self._seconds_before + (time.monotonic() - self._started) * share

    def _note(self, name: str, sums: torch.Tensor, top_k: int | None = None) -> None:
        loss, num_right, num_among, num_targets = data_parallel.total(sums).tolist()
        self._row |= {f"{name}_loss": loss / num_targets, f"{name}_{self._accuracy}": 100.0 * num_right / num_targets}
        if top_k:
            self._row[f"{name}_top{top_k}_accuracy"] = 100.0 * num_among / num_targets

    def _seed_random_numbers(self, key: str) -> None:
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
        self.generator.manual_seed(number)
        with self._global_random_numbers_kept():
            torch.manual_seed(number)
            self._random_state = _random_state(self.device)

    @contextlib.contextmanager
    def _global_random_numbers_kept(self) -> Iterator[None]:
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            yield


def _sums(loss: torch.Tensor, logits: torch.Tensor, targets: torch.Tensor, top_k: int | None = None) -> torch.Tensor:
    """Loss, right targets, targets among the first k, and targets, each in all; logits have their classes second."""
    right = (logits.argmax(dim=1) == targets).sum().double()
    among = (logits.topk(top_k, dim=1).indices == targets.unsqueeze(1)).sum().double() if top_k else right
    return torch.stack([loss.double(), right, among, right.new_full((), targets.numel())])


def _laid_out_as(parameter: torch.Tensor, state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Tensors of an optimizer's state in the memory format of their parameter: fused optimizers do not look."""
    return {
        name: torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        for name, value in state.items()
        if isinstance(value, torch.Tensor) and value.shape == parameter.shape
    }


def _random_state(device: torch.device) -> list[torch.Tensor]:
    on_device = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *on_device]


def _set_random_state(device: torch.device, state: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(state[0])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[1], device)
