"""Everything before Keras is loaded: the data found, checked, decoded; the network's structure settled."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from kseg.config import Config
from kseg.data import (
    Arrays,
    Augment,
    Dataset,
    DatasetReport,
    Sample,
    Streamed,
    check_dataset,
    find_dataset,
    load_arrays,
)
from kseg.errors import ConfigError, DataError
from kseg.losses import parse_loss
from kseg.models import NetworkSpec
from kseg.training.reporter import Reporter

__all__ = ["Prepared", "network_spec", "prepare"]

MEMORY_SHARE = 0.4
"""Of the free memory, how much decoded images may take before they are decoded at each use instead."""

_log = logging.getLogger("kseg")
Source = Arrays | Streamed


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
    """

    dataset: Dataset
    report: DatasetReport
    spec: NetworkSpec
    train: Source
    val: Source
    steps: int
    val_steps: int
    augment: Augment


def network_spec(config: Config, channels: int) -> NetworkSpec:
    """The structure that the configuration asks for. Raises ConfigError or UsageError."""
    model = config.model
    return NetworkSpec(
        size=config.train.imgsz,
        channels=channels,
        arch=model.arch,
        encoder=model.encoder,
        widths=tuple(model.widths) if model.widths else None,
        depth=model.depth,
        decoder_widths=tuple(model.decoder_widths) if model.decoder_widths else None,
        norm=model.norm,
        dropout=model.dropout,
        upsampling=model.upsampling,
        normalization=model.normalization,
    )


def prepare(config: Config, reporter: Reporter) -> Prepared:
    """Find, check and decode the data.

    Raises:
        ConfigError, UsageError: A setting is wrong or does not fit the data.
        DataError: The images or masks cannot be used.
    """
    parse_loss(config.train.loss)
    network_spec(config, channels=1)  # a wrong name or size is told before the data are read
    dataset = find_dataset(**config.data.model_dump())
    train, val = dataset.samples("train"), dataset.samples("val")
    _check_batch(config.train.batch, len(train))
    report = check_dataset(dataset, on_progress=reporter.reading)
    labels = dataset.labels
    spec = network_spec(config, channels=1 if labels.is_binary else labels.num_classes)
    in_memory = _fits_memory(config, len(train) + len(val))
    return Prepared(
        dataset=dataset,
        report=report,
        spec=spec,
        train=_source(train, dataset, spec, in_memory, reporter),
        val=_source(val, dataset, spec, in_memory, reporter),
        steps=math.ceil(len(train) / config.train.batch),
        val_steps=math.ceil(len(val) / config.train.batch),
        augment=_augment(config),
    )


def _augment(config: Config) -> Augment:
    settings = config.augment
    if settings.rot90 and config.train.imgsz[0] != config.train.imgsz[1]:
        raise ConfigError(
            "a quarter turn changes the shape of a picture that is not square", where="augment.rot90",
            expected="0 with this train.imgsz", found=str(settings.rot90),
        )  # fmt: skip
    return Augment(**settings.model_dump())


def _check_batch(batch: int, images: int) -> None:
    if batch > images:
        raise ConfigError(
            "the batch is larger than the training data", where="train.batch",
            expected=f"at most {images}, the number of training images", found=str(batch),
            remedy=f"use --batch {images} or less",
        )  # fmt: skip


def _fits_memory(config: Config, images: int) -> bool:
    if config.train.cache != "auto":
        return config.train.cache == "ram"
    height, width = config.train.imgsz
    needed, free = images * height * width * 4, _available_memory()
    if free is None or needed <= MEMORY_SHARE * free:
        return True
    _log.info(
        "decoded images would take %.1f GB of %.1f GB free memory: decoding them at each use instead",
        needed / 1e9,
        free / 1e9,
    )
    return False


def _available_memory() -> int | None:
    """Bytes of memory that are free to use, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(kilobytes) * 1024 if kilobytes else None


def _source(
    samples: tuple[Sample, ...], dataset: Dataset, spec: NetworkSpec, in_memory: bool, reporter: Reporter
) -> Source:
    if not samples:
        raise DataError("the split is empty", where=str(dataset.root))
    if in_memory:
        return load_arrays(samples, dataset.labels, spec.size, on_progress=reporter.reading)
    return Streamed(samples, dataset.labels, spec.size)
