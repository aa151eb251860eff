"""What our runs are compared with: training loops as people write them, and the practical limit."""

# Shapes: N images of the set, B of a batch, C channels, H W image.

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from convrepro import models, targets
from convrepro.data import ImageSplit, load
from convrepro.protocols.schema import Config, plain
from convrepro.protocols.train import EVALUATION_BATCH_SIZE
from convrepro.training import keep_freed_memory
from convrepro.training.precision import matrix_precision

Finished = Callable[[], None]  # called after each epoch's evaluation


def plain_loop(finished_epoch: Finished, config: Config, num_workers: int) -> None:
    """A plain PyTorch loop with a per-image PIL DataLoader."""
    torch.set_num_threads(config.machine.threads)
    train_loader, test_loader = pil_loaders(config, num_workers)
    network = network_of(config)
    optimizer = _optimizer(config, network.parameters())
    for _ in range(config.num_epochs):
        network.train()
        for x_BCHW, labels_B in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x_BCHW), labels_B)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        network.eval()
        num_correct = 0
        with torch.no_grad():
            for x_BCHW, labels_B in test_loader:
                num_correct += int((network(x_BCHW).argmax(dim=1) == labels_B).sum())
        finished_epoch()


def lightning_loop(finished_epoch: Finished, config: Config, num_workers: int) -> None:
    """A Lightning module with the same DataLoader and a default Trainer: its logger, its checkpoints, no bar."""
    torch.set_num_threads(config.machine.threads)
    train_loader, test_loader = pil_loaders(config, num_workers)
    trainer = pl.Trainer(
        max_epochs=config.num_epochs,
        accelerator=config.machine.accelerator,
        devices=1,
        default_root_dir=Path(config.machine.results_dir),
        callbacks=[_EpochsEnd(finished_epoch)],
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with matrix_precision(config.machine.precision):  # type: ignore[arg-type]  # as on our side
        trainer.fit(_Module(config), train_loader, test_loader)


def tensor_loop(finished_epoch: Finished, config: Config) -> None:
    """A bare loop, channels last, over images that were augmented and normalised before: the practical limit.

    It keeps freed memory as a run does.
    """
    torch.set_num_threads(config.machine.threads)
    keep_freed_memory()
    (x_NCHW, labels_N), (test_x_NCHW, test_labels_N) = (_tensors(loader) for loader in pil_loaders(config, 0))
    network = network_of(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(config, network.parameters())
    batch_size = config.recipe.batch_size
    for _ in range(config.num_epochs):
        network.train()
        for start in range(0, len(labels_N), batch_size):
            rows = slice(start, start + batch_size)
            optimizer.zero_grad()
            F.cross_entropy(network(x_NCHW[rows]), labels_N[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        network.eval()
        num_correct = torch.tensor(0)
        with torch.inference_mode():
            for start in range(0, len(test_labels_N), EVALUATION_BATCH_SIZE):
                rows = slice(start, start + EVALUATION_BATCH_SIZE)
                num_correct += (network(test_x_NCHW[rows]).argmax(dim=1) == test_labels_N[rows]).sum()
        finished_epoch()


def pil_loaders(config: Config, num_workers: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
    """Training and test images of a config, opened, augmented and normalised one by one with torchvision."""
    train, test = _read(config)
    augmentation = config.recipe.augmentation
    to_tensor = [transforms.ToTensor(), transforms.Normalize(config.dataset.mean, config.dataset.std)]
    augmented = transforms.Compose(
        [
            transforms.RandomCrop(
                config.dataset.image_size, padding=augmentation.crop_padding, padding_mode=augmentation.crop_mode
            ),
            transforms.RandomHorizontalFlip(augmentation.flip_probability),
            *to_tensor,
        ]
    )
    workers: dict[str, Any] = {"num_workers": num_workers, "persistent_workers": num_workers > 0}
    workers["pin_memory"] = config.machine.accelerator == "gpu"
    return (
        DataLoader(PilImages(train, augmented), batch_size=config.recipe.batch_size, shuffle=True, **workers),
        DataLoader(PilImages(test, transforms.Compose(to_tensor)), batch_size=EVALUATION_BATCH_SIZE, **workers),
    )


class PilImages(Dataset[tuple[torch.Tensor, int]]):
    """Images that become PIL images one by one, as torchvision's CIFAR10 makes them."""

    def __init__(self, split: ImageSplit, transform: Callable[[Image.Image], torch.Tensor]) -> None:
        self.images_NHWC = np.ascontiguousarray(split.images_BCHW.permute(0, 2, 3, 1).numpy())
        self.labels = split.labels_B.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.images_NHWC[index])), self.labels[index]


def network_of(config: Config) -> nn.Module:
    """The network of a config, as a run builds it."""
    torch.manual_seed(config.seed)
    return models.build(model=config.model, conv=config.conv, dataset=plain(config.dataset))


def _read(config: Config) -> tuple[ImageSplit, ImageSplit]:
    data = load(plain(config.dataset), Path(config.machine.data_dir), download=False)
    return data.train, data.test


class _Module(pl.LightningModule):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.network = network_of(config)
        self._config = config

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return _optimizer(self._config, self.network.parameters())

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self._step(batch, "train")

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        self._step(batch, "test")

    def _step(self, batch: tuple[torch.Tensor, torch.Tensor], part: str) -> torch.Tensor:
        x_BCHW, labels_B = batch
        logits_BK = self.network(x_BCHW)
        loss = F.cross_entropy(logits_BK, labels_B)
        self.log(f"{part}_loss", loss, on_step=False, on_epoch=True)
        accuracy = (logits_BK.argmax(dim=1) == labels_B).float().mean()
        self.log(f"{part}_accuracy", accuracy, on_step=False, on_epoch=True)
        return loss


class _EpochsEnd(pl.Callback):
    """An epoch has ended when the next one starts: its checkpoint and logs are then written."""

    def __init__(self, finished_epoch: Finished) -> None:
        self._finished_epoch = finished_epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch:
            self._finished_epoch()


def _optimizer(config: Config, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    settings = dict(config.recipe.optimizer)
    made: torch.optim.Optimizer = targets.resolve(settings.pop("_target_"), (), targets.OPTIMIZER)(
        parameters, **settings
    )
    return made


def _tensors(loader: DataLoader[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Everything that a loader yields in one epoch, channels last in memory."""
    x_NCHW, labels_N = (torch.cat(parts) for parts in zip(*loader, strict=True))
    return x_NCHW.contiguous(memory_format=torch.channels_last), labels_N
