"""Settings that are sound each, but not together or not here; told before the data are read. Loads no Keras."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from kseg.card import read_card
from kseg.config import ModelConfig, RunConfig, TrainConfig
from kseg.errors import ConfigError
from kseg.models import ENCODERS, NetworkSpec
from kseg.models.weights.source import check_source, start_file

__all__ = ["check_batch", "check_settings", "warn_of_scaling"]

_log = logging.getLogger("kseg")


def check_settings(model: ModelConfig, train: TrainConfig, run: RunConfig, *, begins: bool) -> None:
    """See that model, training and run go together.

    Args:
        model, train, run: The sections of the configuration.
        begins: Whether the training begins here. One that goes on needs no weights to begin with, whatever it freezes.

    Raises:
        ConfigError: They do not, or an extra of kseg is missing.
        UsageError: The size does not fit the network.
        ArtifactError: ``model.start`` is no model of kseg.
        UnknownNameError: There is no such encoder or architecture, or there are no such weights.
    """
    spec = model.network_spec(train.imgsz, channels=1)
    if begins:
        _check_weights(model, train)
    if train.deep_supervision:
        _check_supervision(spec)
    _check_tensorboard(run)


def _check_weights(model: ModelConfig, train: TrainConfig) -> None:
    check_source(model.encoder, model.weights)
    if model.start is not None:
        read_card(start_file(model.start))
    if model.weights is None and model.start is None and train.encoder_trainable is not True:
        raise ConfigError(
            "the encoder has no pretrained weights, so what is frozen would be random",
            where="train.encoder_trainable", expected="true without model.weights or model.start",
            found=str(train.encoder_trainable).lower(), remedy="set model.weights or model.start",
        )  # fmt: skip


def _check_supervision(spec: NetworkSpec) -> None:
    if spec.deep:
        return
    whole = spec.arch == "deeplabv3plus"
    raise ConfigError(
        "the decoder has no coarser levels to supervise", where="train.deep_supervision",
        expected=f"false with {spec.arch}{'' if whole else ' of one level'}", found="true",
        remedy=f"set {'model.arch to unet or unetplusplus' if whole else 'more model.widths'}, or leave it out",
    )  # fmt: skip


def _check_tensorboard(run: RunConfig) -> None:
    if run.tensorboard and find_spec("tensorboard") is None:
        raise ConfigError(
            "tensorboard is not installed", where="run.tensorboard", expected="false without it", found="true",
            remedy="pip install 'kseg[tensorboard]'",
        )  # fmt: skip


def check_batch(batch: int, images: int) -> None:
    """See that there are enough training images for a batch. Raises ConfigError."""
    if batch > images:
        raise ConfigError(
            "the batch is larger than the training data", where="train.batch",
            expected=f"at most {images}, the number of training images", found=str(batch),
            remedy=f"use --batch {images} or less",
        )  # fmt: skip


def warn_of_scaling(model: ModelConfig, spec: NetworkSpec) -> None:
    """Warn where the network scales pixels in another way than its pretrained weights were trained with."""
    if model.weights is None and model.start is None:
        return
    usual = ENCODERS[spec.encoder].normalization
    if model.start is not None:
        usual = read_card(start_file(model.start)).normalization
    if spec.scaling != usual:
        # A file of weights does not say what it was trained with.
        certain = model.start is not None or not isinstance(model.weights, Path)
        _log.warning(
            "model.normalization: the weights of %s %s trained with %s pixels, and get %s ones; %s would give "
            "them what they know", spec.encoder, "were" if certain else "are usually", usual, spec.scaling,
            usual if model.start else "null",
        )  # fmt: skip
