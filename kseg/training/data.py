"""Find, check and decode the data of a training. Keras is not needed for it, so mistakes are reported at once."""

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
from kseg.data.inspection.survey import Survey
from kseg.data.pipeline.arrays import Streamed, load_arrays
from kseg.data.pipeline.cache import SampleStore, fill_cache
from kseg.data.pipeline.transforms.albumentations import load_pipeline
from kseg.data.sample import SplitName
from kseg.data.spec import DataSpec
from kseg.errors import ConfigError
from kseg.parallel import Progress
from kseg.sizes import Size
from kseg.training.balance import draw_weights, loss_weights
from kseg.training.checks import check_batch

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["TrainingData", "prepare_data"]

_MEMORY_SHARE = 0.4
"""The share of the free memory that decoded images may take; beyond it they are decoded at each use."""

_log = logging.getLogger("kseg")
Cache = Literal["ram", "disk", "none"]


@dataclass(frozen=True)
class TrainingData:
    """The decoded data of a training, with its batches.

    Args:
        dataset: The files and labels.
        report: The pixels of each class, counted while the data were checked.
        train: Training images and masks, resized to the network's size.
        val: Validation images and masks, likewise.
        batch: Samples in one step.
        seed: Seed of the order of the samples and of the augmentation.
        augment: The augmentation of training images.
        sample_weights: How often each training image is drawn, relative to the others: float64 ``[N]``. None draws
            each once an epoch.
        class_weights: The weight of each class in the loss, in the order of the classes; None weighs all the same.
    """

    dataset: Dataset
    report: DatasetReport
    train: SampleStore
    val: SampleStore
    batch: int
    seed: int
    augment: Augment
    sample_weights: npt.NDArray[np.float64] | None = None
    class_weights: tuple[float, ...] | None = None

    @property
    def channels(self) -> int:
        """The number of score channels: 1 for a background and one class, else the number of classes."""
        labels = self.dataset.labels
        return 1 if labels.is_binary else labels.num_classes

    @property
    def steps(self) -> int:
        """The number of training steps in an epoch, rounded up, so that every image is seen."""
        return math.ceil(len(self.train) / self.batch)

    @property
    def val_steps(self) -> int:
        """The number of batches in a pass over the validation images."""
        return math.ceil(len(self.val) / self.batch)

    def train_batches(self, start: int = 0) -> tf.data.Dataset:
        """Endless training batches, from step ``start`` on; see `kseg.data.pipeline.batches`."""
        from kseg.data.pipeline.batches import train_batches

        return train_batches(
            self.train, batch=self.batch, seed=self.seed, augment=self.augment, start=start,
            weights=self.sample_weights, background=self.dataset.labels.background,
        )  # fmt: skip

    def val_batches(self) -> tf.data.Dataset:
        """The batches of the validation images, in order, endlessly repeated."""
        from kseg.data.pipeline.batches import eval_batches

        return eval_batches(self.val, batch=self.batch)

    def files_of(self, step: int) -> list[str]:
        """The images in training batch ``step``, counted from 0 over all epochs, relative to the data set's folder."""
        from kseg.data.pipeline.order import batch_samples

        samples = self.dataset.splits["train"]
        indices = batch_samples(len(samples), batch=self.batch, seed=self.seed, step=step, weights=self.sample_weights)
        return [str(samples[i].image.relative_to(self.dataset.root)) for i in indices]


def prepare_data(
    spec: DataSpec, train: TrainConfig, augment: Augment, *, survey: Survey | None = None,
    on_progress: Progress | None = None,
) -> TrainingData:  # fmt: skip
    """Find, check and decode the data.

    Args:
        spec: The data set.
        train: The settings of the training.
        augment: The augmentation of training images.
        survey: The facts about the samples, if they have been read already.
        on_progress: Called with the number of files checked or decoded, and their total.

    Raises:
        ConfigError, UsageError: A setting is wrong or does not fit the data.
        DataError: The images or masks cannot be used.
    """
    dataset = find_dataset(spec)
    check_batch(train.batch, len(dataset.samples("train")))
    dataset.samples("val")
    report = check_dataset(dataset, spec, earlier=survey, on_progress=on_progress)
    class_weights = loss_weights(train.class_weights, dataset.labels, report)
    _check_augment(augment, train.imgsz)
    cache = _choose_cache(train.cache, train.imgsz, len(dataset.samples("train")) + len(dataset.samples("val")))

    def decode(split: SplitName) -> SampleStore:
        samples = dataset.samples(split)
        if cache == "none":
            return Streamed(samples, dataset.labels, train.imgsz)
        store = load_arrays if cache == "ram" else fill_cache
        return store(samples, dataset.labels, train.imgsz, on_progress=on_progress)

    return TrainingData(
        dataset=dataset,
        report=report,
        train=decode("train"),
        val=decode("val"),
        batch=train.batch,
        seed=train.seed,
        augment=augment,
        sample_weights=draw_weights(train.sampler, report),
        class_weights=class_weights,
    )


def _check_augment(augment: Augment, size: Size) -> None:
    height, width = size
    for i, transform in enumerate(augment.transforms):
        if isinstance(transform, Rot90) and transform.p > 0 and height != width:
            raise ConfigError(
                "a quarter turn changes the shape of an image that is not square", where=f"augment.{i}.rot90",
                expected="a square train.imgsz, or no rot90", found=f"{height} × {width}",
                remedy="use vflip and hflip instead",
            )  # fmt: skip
    if augment.albumentations is not None:
        load_pipeline(augment.albumentations)  # only so that a mistake in the file is reported before training


def _choose_cache(cache: Literal["auto", "ram", "disk", "none"], size: Size, images: int) -> Cache:
    """Where decoded samples are stored; ``auto`` is ``ram`` if they fit into `_MEMORY_SHARE` of it, else ``none``."""
    if cache != "auto":
        return cache
    needed, free = images * size[0] * size[1] * 4, _available_memory()
    if free is None or needed <= _MEMORY_SHARE * free:
        return "ram"
    _log.info(
        "decoded images would take %.1f GB of %.1f GB free memory, so they are decoded at each use; "
        "--cache disk stores them in files",
        needed / 1e9,
        free / 1e9,
    )
    return "none"


def _available_memory() -> int | None:
    """The available memory in bytes, or None where the system does not tell (anything but Linux)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    return int(kilobytes) * 1024 if kilobytes else None
