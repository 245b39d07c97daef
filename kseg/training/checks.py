"""Checks of settings that are valid alone, but not together or not on this machine. Loads no Keras."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from kseg.card import read_card
from kseg.config import ModelConfig, RunConfig, TrainConfig
from kseg.errors import ConfigError
from kseg.models import ENCODERS, NetworkSpec
from kseg.models.weights.source import check_source, start_file
from kseg.training.compress import check_compression

__all__ = ["check_batch", "check_settings", "warn_of_scaling"]

_log = logging.getLogger("kseg")


def check_settings(model: ModelConfig, train: TrainConfig, run: RunConfig, *, begins: bool) -> None:
    """Check that the settings of model, training and run fit together.

    Args:
        model, train, run: The sections of the configuration.
        begins: Whether the training begins now. A resumed one needs no initial weights, even with a frozen encoder.

    Raises:
        ConfigError: They do not fit together, or an extra of kseg is missing.
        UsageError: The network cannot take images of ``train.imgsz``.
        ArtifactError: ``model.start`` is not a model that kseg wrote.
        UnknownNameError: There is no such encoder or architecture, or there are no such weights.
    """
    spec = model.network_spec(train.imgsz, channels=1)
    if begins:
        _check_weights(model, train)
    if train.deep_supervision:
        _check_supervision(spec)
    _check_tensorboard(run)
    check_compression(model, train, begins=begins)


def _check_weights(model: ModelConfig, train: TrainConfig) -> None:
    check_source(model.encoder, model.weights)
    if model.start is not None:
        read_card(start_file(model.start))
    if model.weights is None and model.start is None and train.encoder_trainable is not True:
        raise ConfigError(
            "the encoder has no pretrained weights, so what is frozen would be random",
            where="train.encoder_trainable", expected="true without model.weights or model.start",
            found=str(train.encoder_trainable).lower(), remedy="set model.weights or model.start, or leave it out",
        )  # fmt: skip


def _check_supervision(spec: NetworkSpec) -> None:
    if spec.deep:
        return
    unsupported = spec.arch == "deeplabv3plus"
    raise ConfigError(
        "the decoder has no coarser levels to supervise", where="train.deep_supervision",
        expected=f"false with {spec.arch}{'' if unsupported else ' of one level'}", found="true",
        remedy=f"set {'model.arch to unet or unetplusplus' if unsupported else 'more model.widths'}, or leave it out",
    )  # fmt: skip


def _check_tensorboard(run: RunConfig) -> None:
    if run.tensorboard and find_spec("tensorboard") is None:
        raise ConfigError(
            "tensorboard is not installed", where="run.tensorboard", expected="false without it", found="true",
            remedy="pip install 'kseg[tensorboard]'",
        )  # fmt: skip


def check_batch(batch: int, images: int) -> None:
    """Check that there are at least ``batch`` training images. Raises ConfigError."""
    if batch > images:
        raise ConfigError(
            "the batch is larger than the training data", where="train.batch",
            expected=f"at most {images}, the number of training images", found=str(batch),
            remedy=f"use --batch {images} or less",
        )  # fmt: skip


def warn_of_scaling(model: ModelConfig, spec: NetworkSpec) -> None:
    """Log a warning if the network normalises pixels otherwise than its pretrained weights were trained with."""
    if model.weights is None and model.start is None:
        return
    pretraining = ENCODERS[spec.encoder].normalization
    if model.start is not None:
        pretraining = read_card(start_file(model.start)).normalization
    if spec.scaling != pretraining:
        # A file of weights does not say how pixels were normalised in its training.
        certain = model.start is not None or not isinstance(model.weights, Path)
        _log.warning(
            "model.normalization: the weights of %s %s trained with the normalisation %s, but this network has %s; "
            "set it to %s to match", spec.encoder, "were" if certain else "are usually", pretraining, spec.scaling,
            pretraining if model.start else "null",
        )  # fmt: skip
