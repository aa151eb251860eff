"""One training phase by a Lightning Trainer, resumed where it stopped."""

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import TensorBoardLogger

from convrepro.training import checkpoints
from convrepro.training.callbacks import CheckpointEachEpoch, CsvLog, ReportProgress, ReseedEachEpoch
from convrepro.training.classifier import Classifier

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


def fit(
    classifier: Classifier,
    *,
    train_loader: Iterable[Any],
    evaluation_loaders: Sequence[Iterable[Any]],
    num_epochs: int,
    seed: int,
    folder: Path,
    device: torch.device,
    report: Callable[[float], None],
    callbacks: Sequence[pl.Callback] = (),
) -> None:
    """Trains ``classifier`` for ``num_epochs`` epochs, evaluating after each.

    Goes on from the newest whole checkpoint in ``folder``; a phase that was finished trains nothing. The
    metrics are in ``classifier.history`` afterwards.

    Args:
        classifier: the module; its network lies on ``device``.
        train_loader: batches of an epoch; asked anew each epoch.
        evaluation_loaders: one for each of the classifier's evaluations.
        num_epochs: of the whole phase.
        seed: of the network's own randomness.
        folder: of checkpoints and logs.
        device: CPU or one GPU.
        report: called with the finished fraction of the phase after each batch.
        callbacks: further ones; at the end of an epoch they come before its checkpoint.

    Raises:
        Diverged: if the loss is no longer a number.
        KeyboardInterrupt: if the user interrupts; the epochs finished by then are saved.
    """
    interrupt_handler = signal.getsignal(signal.SIGINT)
    trainer = pl.Trainer(
        max_epochs=num_epochs,
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        deterministic=True,
        logger=TensorBoardLogger(save_dir=folder, name="", version="tensorboard"),
        callbacks=[
            ReseedEachEpoch(seed),
            CsvLog(folder / "metrics.csv"),
            *callbacks,
            CheckpointEachEpoch(folder),
            ReportProgress(report),
        ],
        plugins=[checkpoints.DurableCheckpointIO()],
        log_every_n_steps=1,  # steps log nothing; a larger number only makes Lightning warn about short epochs
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    try:
        with warnings.catch_warnings():
            # Lightning's own, about torch's trees
            warnings.filterwarnings("ignore", message=".*`isinstance.treespec, LeafSpec.` is deprecated.*")
            trainer.fit(
                classifier,
                train_dataloaders=train_loader,
                val_dataloaders=list(evaluation_loaders),
                ckpt_path=checkpoints.newest_whole(folder),
                weights_only=True,
            )
    except SystemExit as error:  # how Lightning ends an interrupted fit
        raise KeyboardInterrupt from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt_handler)  # Lightning leaves it ignored
