"""Everything before Keras is loaded: the data found, checked, decoded; the network's structure settled."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from kseg.augment import Augment, parse
from kseg.augment.settings import Rot90
from kseg.card import read_card
from kseg.config import Config
from kseg.data import (
    Dataset,
    DatasetReport,
    Sample,
    Source,
    Streamed,
    check_dataset,
    fill_cache,
    find_dataset,
    load_arrays,
)
from kseg.data.albumentations import load_pipeline
from kseg.errors import ConfigError, DataError
from kseg.losses import parse_loss
from kseg.models import ENCODERS, NetworkSpec
from kseg.models.tables import PerChannel
from kseg.models.weights.source import start_file
from kseg.training.balance import draw_weights, loss_weights
from kseg.training.checks import check_batch, check_settings, check_weights
from kseg.training.reporter import Reporter

__all__ = ["Prepared", "network_spec", "prepare"]

MEMORY_SHARE = 0.4
"""Of the free memory, how much decoded images may take before they are decoded at each use instead."""

_log = logging.getLogger("kseg")
Cache = Literal["ram", "disk", "none"]


@dataclass(frozen=True)
class Prepared:
    """What a training works on.

    Args:
        dataset: The files and labels.
        report: What the check counted.
        spec: The network's structure.
        train: Training images and masks at the network's size.
        val: The same of the validation.
        steps: Training steps an epoch: as many full batches as see every image once.
        val_steps: Batches of one validation.
        augment: How training images are varied.
        class_weights: How much each class counts in the loss; None: all the same.
        sample_weights: How often each training image is drawn, float64 ``[N]``; None: once an epoch.
    """

    dataset: Dataset
    report: DatasetReport
    spec: NetworkSpec
    train: Source
    val: Source
    steps: int
    val_steps: int
    augment: Augment
    class_weights: tuple[float, ...] | None = None
    sample_weights: npt.NDArray[np.float64] | None = None


def network_spec(config: Config, channels: int, report: DatasetReport | None = None) -> NetworkSpec:
    """The structure that the configuration asks for.

    Args:
        config: Every setting.
        channels: Score channels.
        report: Where the pixels' mean and deviation stand, for ``model.normalization: dataset``; without it the
            structure is only good for being checked.

    Raises:
        ConfigError, UsageError: Settings contradict one another.
    """
    model = config.model
    mean, std = (None, None) if model.normalization != "dataset" else _pixels(report)
    return NetworkSpec(
        size=config.train.imgsz,
        channels=channels,
        arch=model.arch,
        encoder=model.encoder,
        widths=tuple(model.widths) if model.widths else None,
        depth=model.depth,
        decoder_widths=tuple(model.decoder_widths) if model.decoder_widths else None,
        block=model.block,
        norm=model.norm,
        bottleneck=model.bottleneck,
        heads=model.heads,
        attention_gates=model.attention_gates,
        head=model.head,
        dropout=model.dropout,
        upsampling=model.upsampling,
        normalization=model.normalization,
        pixel_mean=mean,
        pixel_std=std,
    )


def _pixels(report: DatasetReport | None) -> tuple[PerChannel, PerChannel]:
    if report is None:
        return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    (r, g, b), (red, green, blue) = report.channel_mean.tolist(), report.channel_std.tolist()
    return (r, g, b), (red, green, blue)


def _warn_of_scaling(config: Config, spec: NetworkSpec) -> None:
    usual = ENCODERS[spec.encoder].normalization
    if config.model.start is not None:
        usual = read_card(start_file(config.model.start)).normalization
    if (config.model.weights or config.model.start) is not None and spec.scaling != usual:
        # What a file was trained with does not stand in it.
        sure = config.model.start is not None or not isinstance(config.model.weights, Path)
        _log.warning(
            "model.normalization: the weights of %s %s trained with %s pixels, and get %s ones; %s would give "
            "them what they know", spec.encoder, "were" if sure else "are usually", usual, spec.scaling,
            usual if config.model.start else "null",
        )  # fmt: skip


def prepare(config: Config, reporter: Reporter, *, begins: bool = True) -> Prepared:
    """Find, check and decode the data.

    Args:
        config: Every setting.
        reporter: Hears how far it is.
        begins: Whether the training begins here. One that goes on needs no weights to begin with, whatever it freezes.

    Raises:
        ConfigError, UsageError: A setting is wrong or does not fit the data.
        DataError: The images or masks cannot be used.
    """
    parse_loss(config.train.loss)
    # A wrong name or size is told before the data are read.
    structure = network_spec(config, channels=1)
    if begins:
        check_weights(config)
    check_settings(config, structure)
    dataset = find_dataset(**config.data.model_dump())
    train, val = dataset.samples("train"), dataset.samples("val")
    check_batch(config.train.batch, len(train))
    report = check_dataset(dataset, on_progress=reporter.reading)
    labels = dataset.labels
    spec = network_spec(config, 1 if labels.is_binary else labels.num_classes, report)
    _warn_of_scaling(config, spec)
    augment = _augment(config)
    cache = _cache(config, len(train) + len(val))
    return Prepared(
        dataset=dataset,
        report=report,
        spec=spec,
        train=_source(train, dataset, spec, cache, reporter),
        val=_source(val, dataset, spec, cache, reporter),
        steps=math.ceil(len(train) / config.train.batch),
        val_steps=math.ceil(len(val) / config.train.batch),
        augment=augment,
        class_weights=loss_weights(config, labels, report),
        sample_weights=draw_weights(config, report),
    )


def _augment(config: Config) -> Augment:
    augment = parse(config.augment)
    height, width = config.train.imgsz
    for i, transform in enumerate(augment.transforms):
        if isinstance(transform, Rot90) and transform.p > 0 and height != width:
            raise ConfigError(
                "a quarter turn changes the shape of a picture that is not square", where=f"augment.{i}.rot90",
                expected="a square train.imgsz, or no rot90", found=f"{height} × {width}",
                remedy="use vflip and hflip instead",
            )  # fmt: skip
    if augment.albumentations is not None:
        load_pipeline(augment.albumentations)  # what is wrong with it is told before training
    return augment


def _cache(config: Config, images: int) -> Cache:
    """Where decoded samples are kept."""
    if config.train.cache != "auto":
        return config.train.cache
    height, width = config.train.imgsz
    needed, free = images * height * width * 4, _available_memory()
    if free is None or needed <= MEMORY_SHARE * free:
        return "ram"
    _log.info(
        "decoded images would take %.1f GB of %.1f GB free memory: decoding them at each use instead; "
        "--cache disk would keep them in files",
        needed / 1e9,
        free / 1e9,
    )
    return "none"


def _available_memory() -> int | None:
    """Bytes of memory that are free to use, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(kilobytes) * 1024 if kilobytes else None


def _source(
    samples: tuple[Sample, ...], dataset: Dataset, spec: NetworkSpec, cache: Cache, reporter: Reporter
) -> Source:
    if not samples:
        raise DataError("the split is empty", where=str(dataset.root))
    if cache == "none":
        return Streamed(samples, dataset.labels, spec.size)
    keep = load_arrays if cache == "ram" else fill_cache
    return keep(samples, dataset.labels, spec.size, on_progress=reporter.reading)
