"""Apply a list of transforms to a sample."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import tensorflow as tf

from kseg.augment.settings import (
    GEOMETRIC,
    LINEAR,
    Augment,
    Blur,
    Cutout,
    Gamma,
    Jpeg,
    Mosaic,
    Noise,
    RandomResizedCrop,
    Transform,
)
from kseg.data.pipeline.transforms.color import gamma_step, linear_step
from kseg.data.pipeline.transforms.degrade import blur_step, jpeg_step, noise_step
from kseg.data.pipeline.transforms.draws import Draws
from kseg.data.pipeline.transforms.erase import cutout_step
from kseg.data.pipeline.transforms.fetch import Fetch
from kseg.data.pipeline.transforms.geometry import crop_window, geometric_step, pick_foreground
from kseg.data.pipeline.transforms.graph import without_autograph
from kseg.data.pipeline.transforms.hook import augment_by_albumentations
from kseg.data.pipeline.transforms.mosaic import join_four
from kseg.data.pipeline.transforms.packed import pack, unpack

__all__ = ["augment_packed", "augment_sample"]

Drawn = tuple[Transform, tf.Tensor]
"""A transform and its random numbers, a row of `Draws`."""


@without_autograph
def augment_sample(
    image: tf.Tensor, mask: tf.Tensor, augment: Augment, *, seed: int, number: int, background: int | None = 0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Augment one sample, as in training.

    Args:
        image: RGB uint8 ``[H, W, 3]``.
        mask: Class ids uint8 ``[H, W]``, 255 = ignore.
        augment: The augmentation. A mosaic is made of this sample only.
        seed: The training's seed.
        number: Position of the sample in the training, from 0.
        background: The class that is not an object, for crops around objects; None if every class is one.

    Returns:
        Image and mask, of the same shapes and types; outside the original image they are 0 and 255.
    """
    packed = pack(tf.convert_to_tensor(image), tf.convert_to_tensor(mask))
    fetch = Fetch(lambda _: packed)
    varied = augment_packed(fetch, 0, 1, augment, seed=seed, number=number, background=background)
    return unpack(varied)


@without_autograph
def augment_packed(
    fetch: Fetch,
    index: tf.Tensor | int,
    total: int,
    augment: Augment,
    *,
    seed: int,
    number: tf.Tensor | int,
    background: int | None,
) -> tf.Tensor:
    """Fetch and augment one sample: uint8 ``[H, W, 4]``.

    Args:
        fetch: How to get a sample, or a crop of it.
        index: The index of the sample.
        total: Number of samples, for mosaics.
        augment, seed, number, background: As in `augment_sample`.
    """
    if augment.albumentations is not None:
        return augment_by_albumentations(fetch.full(index), augment.albumentations, seed=seed, number=number)
    active = [transform for transform in augment.transforms if transform.probability > 0]
    draws = Draws(seed, number, max([1, *Counter(transform.name for transform in active).values()]))
    transforms_and_draws = [
        (transform, draws.row(transform.name, _repeat(active, i))) for i, transform in enumerate(active)
    ]
    if active and isinstance(active[0], Mosaic):
        packed = _mosaic(fetch, index, total, transforms_and_draws.pop(0))
    elif active and isinstance(active[0], RandomResizedCrop) and fetch.crop is not None:
        packed = _crop(fetch, index, transforms_and_draws.pop(0), background)
    else:
        packed = fetch.full(index)
    for kind, run in groupby(transforms_and_draws, key=lambda transform: _kind(transform[0])):
        packed = _step(kind, list(run), packed, draws, background)
    return packed


def _repeat(active: list[Transform], position: int) -> int:
    """How many earlier transforms have the same name."""
    return sum(transform.name == active[position].name for transform in active[:position])


def _kind(transform: Transform) -> type | tuple[type, ...]:
    """The kind of a transform; consecutive transforms of the same kind are applied together."""
    return next((kind for kind in (GEOMETRIC, LINEAR) if isinstance(transform, kind)), type(transform))


def _step(
    kind: type | tuple[type, ...], run: list[Drawn], packed: tf.Tensor, draws: Draws, background: int | None
) -> tf.Tensor:
    if kind == GEOMETRIC:
        return geometric_step(run, packed, background)
    if kind == LINEAR:
        return linear_step(run, packed)
    for transform, row in run:
        packed = tf.ensure_shape(_apply_one(transform, row, packed, draws), packed.shape)
    return packed


def _apply_one(transform: Transform, row: tf.Tensor, packed: tf.Tensor, draws: Draws) -> tf.Tensor:
    if isinstance(transform, Gamma):
        return gamma_step(transform, row, packed)
    if isinstance(transform, Blur):
        return blur_step(transform, row, packed)
    if isinstance(transform, Noise):
        return noise_step(transform, row, packed, draws)
    if isinstance(transform, Jpeg):
        return jpeg_step(transform, row, packed)
    if isinstance(transform, Cutout):
        return cutout_step(transform, row, packed, draws)
    raise TypeError(f"no operation for {transform.name}")


def _mosaic(fetch: Fetch, index: tf.Tensor | int, total: int, transform_and_draws: Drawn) -> tf.Tensor:
    """A mosaic of the sample and three others, drawn with replacement; or the sample alone, by probability."""
    transform, row = transform_and_draws

    def join() -> tf.Tensor:
        others = tf.minimum(tf.cast(row[3:6] * total, tf.int32), total - 1)
        samples = [fetch.full(index), *(fetch.full(others[i]) for i in range(3))]
        return join_four(tf.stack(samples), row[1:3])

    return tf.cond(row[0] < transform.probability, join, lambda: fetch.full(index))


def _crop(fetch: Fetch, index: tf.Tensor | int, transform_and_draws: Drawn, background: int | None) -> tf.Tensor:
    """A crop at the full resolution of the image file; or the full image, by probability."""
    transform, row = transform_and_draws
    assert isinstance(transform, RandomResizedCrop)
    assert fetch.crop is not None
    read_crop, crop = fetch.crop, transform

    def choose(ids: tf.Tensor) -> tf.Tensor:
        focus = None
        if crop.foreground > 0:
            about_object = row[5] < crop.foreground
            point = tf.cond(
                about_object, lambda: pick_foreground(ids, row[6:8], background), lambda: tf.constant([0.5, 0.5])
            )
            focus = (point[0], point[1])
        return crop_window(crop, row, focus)

    return tf.cond(row[0] < crop.probability, lambda: read_crop(index, choose), lambda: fetch.full(index))
