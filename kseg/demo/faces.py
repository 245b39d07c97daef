"""Drawn faces with eyeglasses: a data set for the demo and the tests, without download or licence.

The mask covers the eyeglasses: rims, lenses, bridge and the visible parts of the temples. Pose, light, skin, hair,
background and type of glasses vary. Brows, eye sockets, headbands, rings and shadows resemble parts of glasses. Some
faces wear none.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from kseg.demo.canvas import Canvas, Image, Pose
from kseg.demo.glasses import draw_glasses, pick_glasses
from kseg.demo.head import draw_background, draw_head, draw_locks, pick_head
from kseg.files import make_folder
from kseg.images import write_jpeg, write_png

__all__ = ["BARE_SHARE", "draw_face", "make_faces"]

BARE_SHARE = 0.15
"""Fraction of the faces of `make_faces` without eyeglasses."""

# Drawn at this multiple of the size and averaged down, for smooth edges and hairs thinner than a pixel.
_FINER = 3


def draw_face(
    rng: np.random.Generator, size: tuple[int, int], glasses: bool = True
) -> tuple[Image, npt.NDArray[np.uint8]]:
    """Draw a random face.

    Args:
        rng: The random generator; the same state gives the same face.
        size: Height and width in pixels.
        glasses: Whether the face wears eyeglasses.

    Returns:
        The image uint8 ``[H, W, 3]`` and its mask uint8 ``[H, W]``, 1 where eyeglasses are.
    """
    height, width = size
    canvas = Canvas(height * _FINER, width * _FINER, _pick_pose(rng, height * _FINER, width * _FINER))
    head = pick_head(rng)
    draw_background(canvas, rng)
    draw_head(canvas, rng, head)
    if glasses:
        draw_glasses(canvas, rng, pick_glasses(rng, head.skin))
    draw_locks(canvas, rng, head)
    image = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(canvas.mask, (width, height), interpolation=cv2.INTER_AREA)
    return _photograph(rng, image, canvas.pose), (mask > 127).astype(np.uint8)


def _pick_pose(rng: np.random.Generator, height: int, width: int) -> Pose:
    scale = min(height, width) * rng.uniform(0.28, 0.42)
    center = (width * rng.uniform(0.42, 0.58), height * rng.uniform(0.42, 0.58))
    yaw, pitch, roll = rng.normal(0, (0.25, 0.1, 0.16)).clip(-0.5, 0.5)
    return Pose(center, scale, float(yaw), float(pitch), float(roll))


# --- light and camera -----------------------------------------------------------------------------------------------


def _photograph(rng: np.random.Generator, image: Image, pose: Pose) -> Image:
    """Simulate light and camera: shading, shadow, colour of the light, exposure, blur and noise."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across = (columns * _FINER - pose.center[0]) / pose.scale
    down = (rows * _FINER - pose.center[1]) / (1.4 * pose.scale)
    angle = rng.uniform(0, 2 * np.pi)
    along = across * np.cos(angle) + down * np.sin(angle)
    light = _shading(rng, across, down, along) * _shadow(rng, along)
    hue = light[..., None] * rng.uniform(0.7, 1.25) * (1 + rng.uniform(-0.18, 0.18) * np.array([1, 0, -1]))
    lit = image.astype(np.float32) * hue.astype(np.float32)
    if rng.random() < 0.3:
        lit = np.asarray(cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.3, 0.8)), np.float32)
    noise = rng.standard_normal(image.shape, np.float32) * rng.uniform(1, 6)
    return np.clip(lit + noise, 0, 255).astype(np.uint8)


def _shading(
    rng: np.random.Generator,
    across: npt.NDArray[np.float32],
    down: npt.NDArray[np.float32],
    along: npt.NDArray[np.float32],
) -> npt.NDArray[np.float32]:
    """Light on a round head from one side: factors ``[H, W]`` around 1."""
    bulge = np.sqrt(np.clip(1.15 - across**2 - down**2, 0, 1))
    side = rng.uniform(0.05, 0.4)
    shading: npt.NDArray[np.float32] = 0.75 + 0.25 * bulge + side * np.clip(along, -1.2, 1.2)
    return shading


def _shadow(rng: np.random.Generator, along: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A soft or hard shadow over a part of the image: factors ``[H, W]`` in 0..1; often none."""
    depth = rng.uniform(0.2, 0.6) if rng.random() < 0.3 else 0.0
    sharp = rng.uniform(2, 25)
    edge = rng.uniform(-0.9, 0.9)
    shadow: npt.NDArray[np.float32] = 1 - depth / (1 + np.exp(np.clip(-sharp * (along - edge), -30, 30)))
    return shadow


# --- files ----------------------------------------------------------------------------------------------------------


def make_faces(folder: Path, count: int, *, size: tuple[int, int] = (96, 96), seed: int = 0) -> Path:
    """Write a data set of faces: ``folder/images/*.jpg`` and ``folder/masks/*.png`` with 255 on eyeglasses.

    Args:
        folder: The folder to write to; it is created.
        count: Number of faces.
        size: Height and width of each, in pixels.
        seed: Random seed; face *i* does not depend on the count.

    Returns:
        ``folder``.

    Raises:
        OutputError: The folder or a file cannot be written.
    """
    images, masks = make_folder(folder / "images"), make_folder(folder / "masks")
    for i in range(count):
        rng = np.random.default_rng((seed, i))
        image, mask = draw_face(rng, size, glasses=bool(rng.random() >= BARE_SHARE))
        write_jpeg(images / f"face_{i:04d}.jpg", image)
        write_png(masks / f"face_{i:04d}.png", mask * np.uint8(255))
    return folder
