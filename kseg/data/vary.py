"""Vary a training sample: image and mask alike, by OpenCV.

What happens to a sample depends on the seed and on the sample's number in the training alone, whatever the batch size,
the number of threads, or where a training was resumed. TensorFlow's operations for the same (reverse, where,
ImageProjectiveTransformV3) were measured 6 to 16 times slower at 128×128.
"""

from __future__ import annotations

from math import cos, radians, sin
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.data.augment import Augment
from kseg.labels import IGNORE_INDEX

__all__ = ["permutation", "vary"]

Image = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint8]
Matrix = npt.NDArray[np.float64]

_DRAWS: Final = 12
_LUMA: Final = np.array([0.299, 0.587, 0.114])

# One generator, told apart by purpose, so that orders and variations share no random numbers.
_ORDER: Final = 0
_VARY: Final = 1


def permutation(total: int, *, seed: int, epoch: int) -> npt.NDArray[np.intp]:
    """The order of an epoch: each of 0 … total - 1 once."""
    # Sorted random numbers, since NumPy keeps a generator's stream over its versions, but not its shuffle's.
    return np.argsort(_generator(seed, epoch, _ORDER).random(total), kind="stable")


def vary(image: Image, mask: Ids, augment: Augment, *, seed: int, number: int) -> tuple[Image, Ids]:
    """Vary a sample.

    Args:
        image: RGB uint8 ``[H, W, 3]``.
        mask: Class ids uint8 ``[H, W]``.
        augment: What may be done.
        seed: The training's seed.
        number: Which sample of the training this is, counted from its beginning.

    Returns:
        An image and a mask of the same shapes; where nothing of the image is, the image is black and the mask 255.
    """
    # Always all numbers, so that switching one option on leaves the others' chance as it was.
    draws = _generator(seed, number, _VARY).random(_DRAWS)
    hflip, vflip, rot90, turns, brightness, contrast, saturation, scale, rotate, at_y, at_x, _ = map(float, draws)
    if rot90 < augment.rot90:
        code = (cv2.ROTATE_180, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)[int(3 * turns)]
        if image.shape[0] != image.shape[1]:
            code = cv2.ROTATE_180
        image, mask = cv2.rotate(image, code), cv2.rotate(mask, code)
    if hflip < augment.hflip:
        image, mask = cv2.flip(image, 1), cv2.flip(mask, 1)
    if vflip < augment.vflip:
        image, mask = cv2.flip(image, 0), cv2.flip(mask, 0)
    if augment.recolors:
        image = _recolor(
            image,
            255 * augment.brightness * (2 * brightness - 1),
            1 + augment.contrast * (2 * contrast - 1),
            1 + augment.saturation * (2 * saturation - 1),
        )
    if augment.warps:
        low, high = augment.scale
        factor = low * (high / low) ** scale  # as often half as large as twice as large
        angle = radians(augment.rotate) * (2 * rotate - 1)
        image, mask = _warp(image, mask, _source(mask.shape, factor, angle, (at_y, at_x)))
    return image, mask


def _generator(seed: int, number: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[seed % 2**64, purpose], counter=[0, 0, 0, number]))


def _recolor(image: Image, brightness: float, contrast: float, saturation: float) -> Image:
    """Saturation about each pixel's grey, contrast about the image's mean grey, and brightness, as one matrix."""
    matrix = contrast * (saturation * np.eye(3) + (1 - saturation) * np.tile(_LUMA, (3, 1)))
    gray = float(_LUMA @ np.array(cv2.mean(image)[:3]))
    offset = np.full((3, 1), gray * (1 - contrast) + brightness)
    recolored: Image = cv2.transform(image, np.hstack([matrix, offset]))  # saturates at 0 and 255
    return recolored


def _source(size: tuple[int, ...], scale: float, angle: float, at: tuple[float, float]) -> Matrix:
    """Where in the sample each pixel of the result comes from: ``(x, y, 1)`` → ``(x, y)``, ``[2, 3]``.

    Args:
        size: Height and width.
        scale: Enlargement, about the point ``at``, shares of height and width; thus any part may fill the result.
        angle: Turn about the centre in radians.
        at: The point that scaling leaves in place.
    """
    height, width = size[0] - 1, size[1] - 1
    # c + R (f + (p - f) / s - c)
    x, y = width * (at[1] * (1 - 1 / scale) - 0.5), height * (at[0] * (1 - 1 / scale) - 0.5)
    turned, across = cos(angle), sin(angle)
    return np.array(
        [
            [turned / scale, -across / scale, width / 2 + turned * x - across * y],
            [across / scale, turned / scale, height / 2 + across * x + turned * y],
        ]
    )


def _warp(image: Image, mask: Ids, source: Matrix) -> tuple[Image, Ids]:
    size = (mask.shape[1], mask.shape[0])
    nearest, linear = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return (
        cv2.warpAffine(image, source, size, flags=linear, borderMode=cv2.BORDER_CONSTANT, borderValue=0),
        cv2.warpAffine(mask, source, size, flags=nearest, borderMode=cv2.BORDER_CONSTANT, borderValue=IGNORE_INDEX),
    )
