"""Augmentation by a pipeline of albumentations, in place of kseg's own transforms."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from kseg.data.pipeline.transforms.albumentations import load_pipeline
from kseg.errors import ConfigError

__all__ = ["augment_by_albumentations"]

_thread_local = threading.local()


def augment_by_albumentations(packed: tf.Tensor, path: Path, *, seed: int, number: tf.Tensor | int) -> tf.Tensor:
    """Apply the pipeline to a packed sample, with a seed made from the training's and the sample's position.

    Raises:
        ConfigError: The pipeline cannot be loaded, or changes the size (inside tf.data: an error of TensorFlow).
    """

    def run(sample: npt.NDArray[np.uint8], position: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        pipeline = _pipeline(path)
        pipeline.set_random_seed(int(np.random.SeedSequence([seed, int(position)]).generate_state(1)[0]))
        result = pipeline(image=np.ascontiguousarray(sample[..., :3]), mask=np.ascontiguousarray(sample[..., 3]))
        image, mask = result["image"], result["mask"]
        if image.shape[:2] != sample.shape[:2] or mask.shape != sample.shape[:2]:
            raise ConfigError(
                "the pipeline changes the size of its samples", where="augment.albumentations",
                expected=f"{sample.shape[0]} × {sample.shape[1]}, train.imgsz", found=f"{image.shape[0]} × "
                f"{image.shape[1]}", remedy="end it with a Resize to that size",
            )  # fmt: skip
        return np.dstack([image, mask]).astype(np.uint8)

    varied = tf.numpy_function(run, [packed, tf.cast(number, tf.int64)], tf.uint8)
    return tf.ensure_shape(varied, packed.shape)


def _pipeline(path: Path) -> Any:
    """The pipeline, loaded once per thread, since it keeps a random state."""
    loaded = getattr(_thread_local, "loaded", None)
    if loaded is None:
        loaded = _thread_local.loaded = {}
    if path not in loaded:
        loaded[path] = load_pipeline(path)
    return loaded[path]
