"""What ``train.compress`` changes in a training: the network, what is saved of it, and which settings fit.

``kseg fit --qat``, ``--prune`` and ``--cluster`` fine-tune a trained network. The rooms below do the work:
`kseg.training.compression`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from kseg.card import read_card
from kseg.config import ModelConfig, TrainConfig, load_config
from kseg.errors import ConfigError, UsageError, missing_extra, shell_command
from kseg.labels import LabelMap
from kseg.models.weights.source import start_file
from kseg.run_folder import RunFolder
from kseg.sizes import format_size

__all__ = [
    "FLAGS", "check_compression", "check_start", "describe_start", "fine_tuning", "needs_own_process",
    "settling_epochs",
]  # fmt: skip

FLAGS: Final = {"qat": ("--qat",), "prune": ("--prune", "0.5"), "cluster": ("--cluster", "16")}
"""Value of ``train.compress`` → the flag of ``kseg fit``, with an example of its value."""
EPOCHS: Final = 5
RATE: Final = 0.1
"""Peak learning rate of the fine-tuning, relative to that of the training before it."""

_TWIN_METHODS: Final = ("prune", "cluster")
_MODULES: Final = ("tensorflow_model_optimization", "tf_keras")
_FIXED: Final[Mapping[str, Any]] = {"deep_supervision": False, "precision": "float32"}
"""Key of ``train`` → the value that every method needs."""
_FIXED_OF_TWINS: Final[Mapping[str, Any]] = {
    "average": 1, "encoder_trainable": True, "encoder_lr": 1.0, "freeze_batch_norm": False,
}  # fmt: skip
"""The same for pruning and clustering: an average of weights is neither sparse nor shared."""


def needs_own_process(train: TrainConfig) -> bool:
    """Whether the training needs Keras 2, which is TensorFlow's only in a process that began with it."""
    return train.compress in _TWIN_METHODS


def fine_tuning(run: Path, method: str) -> dict[str, Any]:
    """The settings of a fine-tuning that differ from those of the run that it starts from, by dotted key.

    Args:
        run: The run folder.
        method: ``qat``, ``prune`` or ``cluster``.

    Raises:
        UsageError: It is no run folder, or has no weights yet.
        ConfigError: Its args.yaml cannot be read.
    """
    folder = RunFolder(run)
    if not folder.is_run or not folder.best.is_file():
        missing = "no weights/best.keras in it" if folder.is_run else "no args.yaml in it"
        raise UsageError(
            "no trained run", where="--from", expected="a folder that kseg fit made, as runs/fit/NAME",
            found=f"{run}: {missing if run.is_dir() else 'no such folder'}",
        )  # fmt: skip
    rate = load_config(folder.args, {"model.weights": None, "model.start": None}).train.lr
    fixed = {**_FIXED, **_FIXED_OF_TWINS, "epochs": EPOCHS, "lr": rate * RATE, "patience": 0, "compress": method}
    return {
        "model.weights": None,
        "model.start": str(run.absolute()),
        "run.name": f"{run.absolute().resolve().name}-{method}",
        "run.save_every": 0,
        **{f"train.{key}": value for key, value in fixed.items()},
    }


def check_compression(model: ModelConfig, train: TrainConfig, *, begins: bool) -> None:
    """Check the settings of ``train.compress``; without it, that nothing else asks for it.

    Args:
        model, train: The sections of the configuration.
        begins: Whether the training begins now, so that it needs a network to start from.

    Raises:
        ConfigError: Settings contradict it, or there is no network to start from.
        UsageError: The extra ``qat`` is missing.
    """
    if train.compress is None:
        return
    if begins and model.start is None:
        command = shell_command("kseg", "fit", *FLAGS[train.compress], "--from", "runs/fit/NAME")
        raise ConfigError(
            "only a trained network can be fine-tuned", where="train.compress", expected="model.start beside it",
            found=train.compress, remedy=f"use {command}",
        )  # fmt: skip
    twin = needs_own_process(train)
    for key, value in {**_FIXED, **(_FIXED_OF_TWINS if twin else {})}.items():
        actual = getattr(train, key)
        if actual != value and (key, actual) != ("precision", "auto"):
            raise ConfigError(
                f"it does not go with train.compress: {train.compress}", where=f"train.{key}",
                expected=str(value).lower(), found=str(actual).lower(), remedy="leave it out",
            )  # fmt: skip
    if twin and any(find_spec(module) is None for module in _MODULES):
        what = "tensorflow-model-optimization and tf_keras are not installed"
        raise missing_extra("qat", what, where="train.compress")


def check_start(model: ModelConfig, train: TrainConfig, labels: LabelMap) -> None:
    """Check that a network to compress has the size and the classes of the training; raises ConfigError."""
    if train.compress is None or model.start is None:
        return
    card = read_card(start_file(model.start))
    for key, expected, actual in (
        ("train.imgsz", format_size((card.height, card.width)), format_size(train.imgsz)),
        ("data.classes", ", ".join(card.labels.names), ", ".join(labels.names)),
    ):
        if expected != actual:
            raise ConfigError(
                f"compressing keeps the network as it is, and {model.start} has another setting", where=key,
                expected=expected, found=actual, remedy="leave it out, or train a network of this kind first",
            )  # fmt: skip


def describe_start(model: ModelConfig, train: TrainConfig, interrupted: RunFolder | None) -> dict[str, Any]:
    """What the card of a compressed network says of its fine-tuning; empty without ``train.compress``."""
    if train.compress is None:
        return {}
    if interrupted is not None or model.start is None:
        earlier = read_card(interrupted.last).provenance.get("compression", {}) if interrupted else {}
        return {key: value for key, value in earlier.items() if key in ("method", "start", "start_sha256", "epochs")}
    path = start_file(model.start)
    return {
        "method": train.compress,
        "start": "/".join(path.resolve().parts[-3:]),
        "start_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "epochs": train.epochs,
    }


def settling_epochs(train: TrainConfig) -> int:
    """Epochs before which the network is not yet what it shall be, so that early stopping waits for them."""
    return math.ceil(train.epochs / 2) if train.compress == "prune" else 0
