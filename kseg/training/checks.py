"""Settings that are sound each, but not together or not here; told before the data are read. Loads no Keras."""

from __future__ import annotations

from importlib.util import find_spec

from kseg.card import read_card
from kseg.config import Config, RunConfig
from kseg.errors import ConfigError
from kseg.models import NetworkSpec
from kseg.models.weights.source import check_source, start_file

__all__ = ["check_batch", "check_settings", "check_weights"]

_BOARD = "tensorboard"


def check_settings(config: Config, spec: NetworkSpec) -> None:
    """See that model, training and run go together.

    Raises:
        ConfigError: They do not, or an extra of kseg is missing.
    """
    if config.train.deep_supervision:
        _check_supervision(spec)
    _check_board(config.run)


def check_weights(config: Config) -> None:
    """See that there are the weights that the network begins with.

    Raises:
        ArtifactError: ``model.start`` is no model of kseg.
        ConfigError: There are none, but the encoder is frozen.
        UnknownNameError: There are no such weights.
    """
    check_source(config.model.encoder, config.model.weights)
    if config.model.start is not None:
        read_card(start_file(config.model.start))  # what is no model of kseg is told before the data are read
    if config.model.weights is None and config.model.start is None and config.train.encoder_trainable is not True:
        raise ConfigError(
            "the encoder has no pretrained weights, so what is frozen would be random",
            where="train.encoder_trainable", expected="true without model.weights or model.start",
            found=str(config.train.encoder_trainable).lower(), remedy="set model.weights or model.start",
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


def _check_board(run: RunConfig) -> None:
    if run.tensorboard and find_spec(_BOARD) is None:
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
