"""The data of a training: found, checked and decoded, before Keras is loaded."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from kseg.augment import Augment
from kseg.augment.settings import Rot90
from kseg.config import TrainConfig
from kseg.data.dataset import Dataset
from kseg.data.find import find_dataset
from kseg.data.inspection.counts import DatasetReport
from kseg.data.inspection.inspect import check_dataset
from kseg.data.pipeline.arrays import Streamed, load_arrays
from kseg.data.pipeline.cache import SampleStore, fill_cache
from kseg.data.pipeline.transforms.albumentations import load_pipeline
from kseg.data.sample import SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError
from kseg.parallel import Progress
from kseg.sizes import Size
from kseg.training.balance import draw_weights
from kseg.training.checks import check_batch

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["TrainingData", "prepare_data"]

_MEMORY_SHARE = 0.4
"""Of the free memory, how much decoded images may take before they are decoded at each use instead."""

_log = logging.getLogger("kseg")
Cache = Literal["ram", "disk", "none"]


@dataclass(frozen=True)
class TrainingData:
    """What a training works on.

    Args:
        dataset: The files and labels.
        report: The pixels of each class, counted by the check.
        train: Training images and masks at the network's size.
        val: Those of the validation.
        batch: Samples in one step.
        seed: Decides the order of the samples and their variations.
        augment: How training images are varied.
        sample_weights: How often each training image is drawn, float64 ``[N]``; None: once an epoch.
    """

    dataset: Dataset
    report: DatasetReport
    train: SampleStore
    val: SampleStore
    batch: int
    seed: int
    augment: Augment
    sample_weights: npt.NDArray[np.float64] | None = None

    @property
    def channels(self) -> int:
        """Score channels: one for background and a class, else one a class."""
        labels = self.dataset.labels
        return 1 if labels.is_binary else labels.num_classes

    @property
    def steps(self) -> int:
        """Training steps an epoch: as many full batches as show every image once."""
        return math.ceil(len(self.train) / self.batch)

    @property
    def val_steps(self) -> int:
        """Batches of one validation."""
        return math.ceil(len(self.val) / self.batch)

    def train_batches(self, start: int = 0) -> tf.data.Dataset:
        """Endless training batches from step ``start`` on, see `kseg.data.pipeline.batches`."""
        from kseg.data.pipeline.batches import train_batches

        return train_batches(
            self.train, batch=self.batch, seed=self.seed, augment=self.augment, start=start,
            weights=self.sample_weights, background=self.dataset.labels.background,
        )  # fmt: skip

    def val_batches(self) -> tf.data.Dataset:
        """The validation samples in order, again and again."""
        from kseg.data.pipeline.batches import eval_batches

        return eval_batches(self.val, batch=self.batch)

    def files_of(self, step: int) -> list[str]:
        """The images in training batch ``step``, counted from 0 over all epochs, relative to the data set's folder."""
        from kseg.data.pipeline.order import batch_samples

        samples = self.dataset.splits["train"]
        indices = batch_samples(len(samples), batch=self.batch, seed=self.seed, step=step, weights=self.sample_weights)
        return [str(samples[i].image.relative_to(self.dataset.root)) for i in indices]


def prepare_data(
    spec: DataSpec, train: TrainConfig, augment: Augment, *, on_progress: Progress | None = None
) -> TrainingData:
    """Find, check and decode the data.

    Args:
        spec: The data set.
        train: The settings of the training.
        augment: How training images are varied.
        on_progress: Told how many files are checked or decoded.

    Raises:
        ConfigError, UsageError: A setting is wrong or does not fit the data.
        DataError: The images or masks cannot be used.
    """
    dataset = find_dataset(spec)
    check_batch(train.batch, len(dataset.samples("train")))
    dataset.samples("val")
    report = check_dataset(dataset, spec, on_progress=on_progress)
    _check_augment(augment, train.imgsz)
    cache = _choose_cache(train.cache, train.imgsz, len(dataset.samples("train")) + len(dataset.samples("val")))

    def decode(split: SplitName) -> SampleStore:
        samples = dataset.samples(split)
        if cache == "none":
            return Streamed(samples, dataset.labels, train.imgsz)
        store = load_arrays if cache == "ram" else fill_cache
        return store(samples, dataset.labels, train.imgsz, on_progress=on_progress)

    weights = draw_weights(train.sampler, report)
    return TrainingData(dataset, report, decode("train"), decode("val"), train.batch, train.seed, augment, weights)


def _check_augment(augment: Augment, size: Size) -> None:
    height, width = size
    for i, transform in enumerate(augment.transforms):
        if isinstance(transform, Rot90) and transform.p > 0 and height != width:
            raise ConfigError(
                "a quarter turn changes the shape of a picture that is not square", where=f"augment.{i}.rot90",
                expected="a square train.imgsz, or no rot90", found=f"{height} × {width}",
                remedy="use vflip and hflip instead",
            )  # fmt: skip
    if augment.albumentations is not None:
        load_pipeline(augment.albumentations)  # what is wrong with it is told before training


def _choose_cache(cache: Literal["auto", "ram", "disk", "none"], size: Size, images: int) -> Cache:
    """Where decoded samples are kept."""
    if cache != "auto":
        return cache
    needed, free = images * size[0] * size[1] * 4, _available_memory()
    if free is None or needed <= _MEMORY_SHARE * free:
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
