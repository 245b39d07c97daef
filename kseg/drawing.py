"""Draw masks over images, and arrange images on sheets with titles and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from kseg.labels import IGNORE_INDEX, Color, LabelMap

__all__ = ["captioned", "fit", "grid", "headed", "legend", "overlay", "panel", "spotlight"]

Image = npt.NDArray[np.uint8]

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_INK: Final = (30, 30, 30)
_PAPER: Final = 255
_GRAY: Final = 128
_MARK: Final = (255, 230, 0)
"""Colour of the outline of a spotlight, which stands out from dark grey and from most colours."""
_FOG: Final = (0.35, 40)
"""Factor and offset that turn brightness into the greys around a spotlight, in which black is seen, too."""
_GAP: Final = 4
_TITLE_HEIGHT: Final = 22
_ROW_HEIGHT: Final = 20


def overlay(image: Image, ids: npt.NDArray[np.uint8], labels: LabelMap, alpha: float = 0.5) -> Image:
    """Tint each foreground class in its colour, and draw a contour at its boundary.

    Ignored pixels are hatched in grey; the background stays as it is.

    Args:
        image: RGB uint8 ``[H, W, 3]``.
        ids: Class ids uint8 ``[H, W]``, 255 = ignore.
        labels: The classes and their colours.
        alpha: Opacity of the tint, 0..1. The contour is always opaque.

    Returns:
        RGB uint8 ``[H, W, 3]``.
    """
    colors = np.zeros((256, 3), np.uint8)
    colors[: labels.num_classes] = labels.colors
    colors[IGNORE_INDEX] = _GRAY
    paint = colors[ids]
    shown = np.isin(ids, [*labels.foreground, IGNORE_INDEX])
    ignored = ids == IGNORE_INDEX
    cover = np.where(ignored, _hatch(ids.shape, alpha), np.where(shown, alpha, 0.0)).astype(np.float32)
    edge = _edges(ids) & shown & ~ignored
    cover[edge] = 1.0
    mixed = image + cover[..., np.newaxis] * (paint.astype(np.float32) - image)
    return np.rint(mixed).astype(np.uint8)


def _hatch(shape: tuple[int, ...], alpha: float) -> npt.NDArray[np.float32]:
    """Opacity of diagonal stripes for ignored pixels: float32 ``[H, W]``, between 0.4 and 1.2 of ``alpha``."""
    period = max(6, min(shape) // 32)
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    stripes = (rows + columns) % period < period / 3
    return np.where(stripes, min(1.0, 1.2 * alpha), 0.4 * alpha).astype(np.float32)


def _edges(ids: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Pixels near a boundary between two ids, bool ``[H, W]``; the line is wider in larger images."""
    width = 1 + round(min(ids.shape) / 400)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * width + 1, 2 * width + 1))
    touched: npt.NDArray[np.bool_] = cv2.dilate(ids, kernel) != cv2.erode(ids, kernel)
    return touched


def spotlight(image: Image, region: npt.NDArray[np.bool_]) -> Image:
    """Show where a region is: it keeps its colours and is outlined outside; the rest is dark grey.

    Args:
        image: RGB uint8 ``[H, W, 3]``.
        region: bool ``[H, W]``.

    Returns:
        RGB uint8 ``[H, W, 3]``.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., np.newaxis] * _FOG[0] + _FOG[1]
    shown: Image = np.where(region[..., np.newaxis], image, np.rint(grey)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    grown = cv2.dilate(region.astype(np.uint8), kernel).astype(bool)
    shown[grown & ~region] = _MARK
    return shown


def panel(rows: Sequence[Sequence[Image]], titles: Sequence[str], tile: tuple[int, int]) -> Image:
    """Arrange images in rows under column titles.

    Args:
        rows: The images, RGB uint8 of any sizes; each is scaled to fit its tile, keeping its aspect ratio.
        titles: The title above each column.
        tile: Height and width of a tile.

    Returns:
        RGB uint8 on white.
    """
    height, width = tile
    columns = max([len(titles), *map(len, rows)])
    sheet = np.full((_TITLE_HEIGHT + len(rows) * (height + _GAP), columns * (width + _GAP) + _GAP, 3), _PAPER, np.uint8)
    for column, title in enumerate(titles):
        left = _GAP + column * (width + _GAP)
        _write(sheet, title, (left, _TITLE_HEIGHT - 7), width)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            top, left = _TITLE_HEIGHT + row * (height + _GAP), _GAP + column * (width + _GAP)
            _place(sheet[top : top + height, left : left + width], picture)
    return sheet


def captioned(picture: Image, caption: str, tile: tuple[int, int]) -> Image:
    """An image scaled to fit a tile of (height, width), with a line of text below: RGB uint8 on white."""
    height, width = tile
    sheet = np.full((height + _ROW_HEIGHT, width, 3), _PAPER, np.uint8)
    _place(sheet[:height], picture)
    _write(sheet, caption, (2, height + _ROW_HEIGHT - 6), width - 4)
    return sheet


def headed(picture: Image, caption: str, swatch: Color | None = None) -> Image:
    """An image with a line of text above, cut to its width, after a square of a colour if there is one: RGB uint8."""
    head = np.full((_TITLE_HEIGHT, picture.shape[1], 3), _PAPER, np.uint8)
    if swatch is None:
        _write(head, caption, (2, _TITLE_HEIGHT - 7), head.shape[1] - 4)
    else:
        _entry(head, caption, swatch, (0, 0), head.shape[1])
    return np.vstack([head, picture])


def grid(tiles: Sequence[Image], columns: int) -> Image:
    """Arrange tiles of equal size in rows of ``columns``; the last row may be partial: RGB uint8 on white."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + _GAP), columns * (width + _GAP), 3), _PAPER, np.uint8)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (height + _GAP), i % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def fit(picture: Image, tile: tuple[int, int]) -> Image:
    """An image scaled to fit a tile of (height, width), keeping its aspect ratio."""
    factor = min(tile[0] / picture.shape[0], tile[1] / picture.shape[1])
    height, width = (max(1, round(side * factor)) for side in picture.shape[:2])
    shrinks = height < picture.shape[0]
    fitted = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(fitted, np.uint8)


def _place(tile: Image, picture: Image) -> None:
    """Scale an image to fit a tile and centre it there, in place."""
    fitted = fit(picture, (tile.shape[0], tile.shape[1]))
    height, width = fitted.shape[:2]
    top, left = (tile.shape[0] - height) // 2, (tile.shape[1] - width) // 2
    tile[top : top + height, left : left + width] = fitted


def legend(labels: LabelMap, width: int) -> Image:
    """Names and colours of the classes, wrapped to ``width``: RGB uint8 ``[h, width, 3]`` on white.

    The background is not listed, since an overlay does not tint it.
    """
    entries = [(labels.names[i], labels.colors[i]) for i in labels.foreground]
    column = min(width, max(_text_width(name) for name, _ in entries) + 30)
    per_row = max(1, width // column)
    sheet = np.full((-(-len(entries) // per_row) * _ROW_HEIGHT, width, 3), _PAPER, np.uint8)
    for i, (name, color) in enumerate(entries):
        _entry(sheet, name, color, (i % per_row * column, i // per_row * _ROW_HEIGHT), column)
    return sheet


def _entry(sheet: Image, name: str, color: Color, at: tuple[int, int], width: int) -> None:
    left, top = at
    cv2.rectangle(sheet, (left + 4, top + 4), (left + 16, top + _ROW_HEIGHT - 5), color, cv2.FILLED)
    cv2.rectangle(sheet, (left + 4, top + 4), (left + 16, top + _ROW_HEIGHT - 5), _INK, 1)
    _write(sheet, name, (left + 22, top + _ROW_HEIGHT - 6), width - 24)


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, _FONT, 0.42, 1)[0][0])


def _write(sheet: Image, text: str, at: tuple[int, int], width: int) -> None:
    """Write a line of text, cut to ``width`` pixels."""
    # OpenCV 4 draws characters beyond ASCII as question marks; OpenCV 5 draws them.
    shown = text
    while shown and _text_width(shown) > width:
        shown = shown[:-1]
    cv2.putText(sheet, shown, at, _FONT, 0.42, _INK, 1, cv2.LINE_AA)
