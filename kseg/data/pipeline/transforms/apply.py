"""Run a list of transforms over a sample."""

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
from kseg.data.pipeline.transforms.graph import plain
from kseg.data.pipeline.transforms.hook import vary_by_albumentations
from kseg.data.pipeline.transforms.mosaic import join_four
from kseg.data.pipeline.transforms.packed import pack, unpack

__all__ = ["vary", "vary_packed"]

Drawn = tuple[Transform, tf.Tensor]


@plain
def vary(
    image: tf.Tensor, mask: tf.Tensor, augment: Augment, *, seed: int, number: int, background: int | None = 0
) -> tuple[tf.Tensor, tf.Tensor]:
    """Vary one sample, as training does it.

    Args:
        image: RGB uint8 ``[H, W, 3]``.
        mask: Class ids uint8 ``[H, W]``, 255 = ignore.
        augment: What is done. A mosaic is made of this one sample.
        seed: The training's seed.
        number: Which sample of the training this is, counted from its beginning.
        background: The class that crops about objects leave out; None where every class is an object.

    Returns:
        Tensors of the same shapes and types; where nothing of the sample is, the image is black and the mask 255.
    """
    packed = pack(tf.convert_to_tensor(image), tf.convert_to_tensor(mask))
    fetch = Fetch(lambda _: packed)
    varied = vary_packed(fetch, 0, 1, augment, seed=seed, number=number, background=background)
    return unpack(varied)


@plain
def vary_packed(
    fetch: Fetch,
    index: tf.Tensor | int,
    total: int,
    augment: Augment,
    *,
    seed: int,
    number: tf.Tensor | int,
    background: int | None,
) -> tf.Tensor:
    """Fetch and vary one sample of a data set.

    Args:
        fetch: How to get a sample, or a part of it.
        index: Which sample.
        total: How many samples there are.
        augment: What is done.
        seed: The training's seed.
        number: Which sample of the training this is.
        background: The class that is no object.
    """
    if augment.albumentations is not None:
        return vary_by_albumentations(fetch.whole(index), augment.albumentations, seed=seed, number=number)
    used = [one for one in augment.transforms if one.probability > 0]
    draws = Draws(seed, number, max([1, *Counter(one.name for one in used).values()]))
    drawn = [(one, draws.row(one.name, _earlier(used, i))) for i, one in enumerate(used)]
    if used and isinstance(used[0], Mosaic):
        packed = _mosaic(fetch, index, total, drawn.pop(0))
    elif used and isinstance(used[0], RandomResizedCrop) and fetch.part is not None:
        packed = _crop(fetch, index, drawn.pop(0), background)
    else:
        packed = fetch.whole(index)
    for kind, run in groupby(drawn, key=lambda one: _kind(one[0])):
        packed = _step(kind, list(run), packed, draws, background)
    return packed


def _earlier(used: list[Transform], place: int) -> int:
    return sum(one.name == used[place].name for one in used[:place])


def _kind(transform: Transform) -> type | tuple[type, ...]:
    """Transforms of the same kind that follow one another are one step."""
    return next((kind for kind in (GEOMETRIC, LINEAR) if isinstance(transform, kind)), type(transform))


def _step(
    kind: type | tuple[type, ...], run: list[Drawn], packed: tf.Tensor, draws: Draws, background: int | None
) -> tf.Tensor:
    if kind == GEOMETRIC:
        return geometric_step(run, packed, background)
    if kind == LINEAR:
        return linear_step(run, packed)
    for transform, row in run:
        packed = tf.ensure_shape(_single(transform, row, packed, draws), packed.shape)
    return packed


def _single(transform: Transform, row: tf.Tensor, packed: tf.Tensor, draws: Draws) -> tf.Tensor:
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


def _mosaic(fetch: Fetch, index: tf.Tensor | int, total: int, drawn: Drawn) -> tf.Tensor:
    """The sample and three others, drawn with replacement; or the sample alone."""
    transform, row = drawn

    def join() -> tf.Tensor:
        others = tf.minimum(tf.cast(row[3:6] * total, tf.int32), total - 1)
        four = [fetch.whole(index), *(fetch.whole(others[i]) for i in range(3))]
        return join_four(tf.stack(four), row[1:3])

    return tf.cond(row[0] < transform.probability, join, lambda: fetch.whole(index))


def _crop(fetch: Fetch, index: tf.Tensor | int, drawn: Drawn, background: int | None) -> tf.Tensor:
    """A part of the picture as large as it lies in its file; or the whole of it, resized."""
    transform, row = drawn
    assert isinstance(transform, RandomResizedCrop)
    assert fetch.part is not None
    part, crop = fetch.part, transform

    def choose(ids: tf.Tensor) -> tf.Tensor:
        focus = None
        if crop.foreground > 0:
            wanted = row[5] < crop.foreground
            at = tf.cond(wanted, lambda: pick_foreground(ids, row[6:8], background), lambda: tf.constant([0.5, 0.5]))
            focus = (at[0], at[1])
        return crop_window(crop, row, focus)

    return tf.cond(row[0] < crop.probability, lambda: part(index, choose), lambda: fetch.whole(index))
