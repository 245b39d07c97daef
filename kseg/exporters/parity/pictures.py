"""The worst images of an artifact as one picture: where it differs most from the model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from kseg.data.sample import Sample
from kseg.data.truth import read_picture, read_truth
from kseg.drawing import overlay
from kseg.evaluation import ImageScore
from kseg.exporters.parity.measure import Measurement, Yardstick
from kseg.figures import figure
from kseg.labels import IGNORE_INDEX, LabelMap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["WORST", "draw_worst"]

WORST: Final = 5
"""The number of images in the picture."""

# Inches.
_TILE: Final = 2.2
_TALLEST: Final = 3.3
_MARGIN: Final = 0.08
_HEAD: Final = 0.88
_LABEL: Final = 0.30
_LINE: Final = 0.21
_COLUMNS: Final = ("image", "truth", "model", "artifact", "where they differ")
_CLASSES_A_LINE: Final = 6
_NAMED_CLASSES: Final = 24
"""The legend names no more classes than these."""
_LONGEST_NAME: Final = 18
"""Characters of a class name that the legend shows."""
_LARGEST_SIDE: Final = 512
"""Pixels of the longer side of a drawn picture, which are more than its tile has."""
_DPI: Final = 120
_FADE: Final = 0.65
"""How far the picture behind the differences is blended with white."""

Image = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.uint8]


class _Kind(NamedTuple):
    """A kind of difference between model and artifact."""

    text: str
    color: tuple[int, int, int]


# Colours that the colour-blind tell apart: Okabe & Ito, Color Universal Design, 2008.
_WORSE: Final = _Kind("only the model is right", (213, 94, 0))
_BETTER: Final = _Kind("only the artifact is right", (0, 114, 178))
_OTHER: Final = _Kind("both are wrong, or the truth is unknown", (204, 121, 167))
_KINDS: Final = (_WORSE, _BETTER, _OTHER)


def draw_worst(path: Path, yardstick: Yardstick, measurement: Measurement) -> None:
    """Draw the images whose classes an artifact changes most: image, truth, model, artifact, where they differ.

    Args:
        path: The file, ``.png``.
        yardstick: The images and the model.
        measurement: The artifact.

    Raises:
        OutputError: The file cannot be written.
        ValueError: No pixel of any image differs.
    """
    order = np.argsort(-np.asarray(measurement.changed_pixels), kind="stable")[:WORST]
    worst = [int(index) for index in order if measurement.changed_pixels[index]]
    if not worst:
        raise ValueError("there is nothing to draw: no pixel differs")
    rows = [_Row.of(index, yardstick, measurement) for index in worst]
    _draw(path, rows, yardstick.labels, _title(yardstick, measurement))


def _title(yardstick: Yardstick, measurement: Measurement) -> tuple[str, str]:
    row = measurement.row
    changed = sum(pixels > 0 for pixels in measurement.changed_pixels)
    return (
        f"{row.file} on {row.runtime}: the images that differ most from the model",
        f"of all {len(yardstick.samples)} images: foreground IoU {row.iou:.4f}, drop {row.iou_drop:+.4f}; "
        f"{100 * row.changed:.3f} % of the pixels changed, in {changed} images",
    )


class _Row(NamedTuple):
    """An image of the picture.

    Args:
        image: RGB uint8 ``[H, W, 3]``; the class ids ``truth``, ``model`` and ``artifact`` are uint8 ``[H, W]``.
        label: The image's key and its numbers.
    """

    image: Image
    truth: Ids
    model: Ids
    artifact: Ids
    label: str

    @classmethod
    def of(cls, index: int, yardstick: Yardstick, measurement: Measurement) -> _Row:
        """Read an image and predict it by both."""
        sample: Sample = yardstick.samples[index]
        image, truth = read_picture(sample), read_truth(sample, yardstick.labels)
        model, artifact = (
            record.predictor.predict(image) for record in (yardstick.model, measurement.record)
        )  # fmt: skip
        share = float(np.mean(model != artifact))
        before, after = (
            _iou(record.scores.per_image[index]) for record in (yardstick.model, measurement.record)
        )  # fmt: skip
        label = f"{sample.key}    IoU: model {before}, artifact {after}    pixels that differ: {100 * share:.2f} %"
        step = math.ceil(max(truth.shape) / _LARGEST_SIDE)
        image, truth, model, artifact = (array[::step, ::step] for array in (image, truth, model, artifact))
        return cls(image, truth, model, artifact, label)

    def tiles(self, labels: LabelMap) -> list[Image]:
        """The five pictures of the row."""
        drawn = [overlay(self.image, ids, labels, 0.55) for ids in (self.truth, self.model, self.artifact)]
        return [self.image, *drawn, self._differences()]

    def _differences(self) -> Image:
        """The pale picture with the pixels that differ in colour."""
        grey = self.image.mean(axis=2, keepdims=True) * (1 - _FADE) + 255 * _FADE
        shown = np.repeat(np.rint(grey), 3, axis=2).astype(np.uint8)
        differs, labelled = self.model != self.artifact, self.truth != IGNORE_INDEX
        shown[differs] = _OTHER.color
        shown[differs & labelled & (self.model == self.truth)] = _WORSE.color
        shown[differs & labelled & (self.artifact == self.truth)] = _BETTER.color
        return shown


def _iou(score: ImageScore) -> str:
    return "–" if math.isnan(score.iou) else f"{score.iou:.3f}"


def _draw(path: Path, rows: Sequence[_Row], labels: LabelMap, title: tuple[str, str]) -> None:
    tiles = [_tile_size(row.truth.shape) for row in rows]
    width = len(_COLUMNS) * (_TILE + _MARGIN) + _MARGIN
    height = _HEAD + sum(_LABEL + tile_height for tile_height, _ in tiles) + _foot(labels)
    with figure(path, width, height, layout=None, dpi=_DPI) as sheet, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a key in a script that the font lacks
        _write_head(sheet, width, height, title)
        top = height - _HEAD
        for row, (tile_height, tile_width) in zip(rows, tiles, strict=True):
            top -= _LABEL
            sheet.text(_MARGIN / width, (top + 0.05) / height, _printable(row.label), size=9, va="bottom")
            for column, picture in enumerate(row.tiles(labels)):
                left = _MARGIN + column * (_TILE + _MARGIN)
                box = (left / width, (top - tile_height) / height, tile_width / width, tile_height / height)
                axes = sheet.add_axes(box)
                axes.imshow(picture, interpolation="antialiased", aspect="auto")
                axes.set_axis_off()
            top -= tile_height
        _write_legend(sheet, labels, height)
        sheet.canvas.draw()


def _tile_size(shape: tuple[int, ...]) -> tuple[float, float]:
    """Height and width in inches of an image of this height and width in pixels, as wide as a column or narrower."""
    height = min(_TALLEST, _TILE * shape[0] / shape[1])
    return height, height * shape[1] / shape[0]


def _write_head(sheet: Figure, width: float, height: float, title: tuple[str, str]) -> None:
    sheet.text(_MARGIN / width, 1 - 0.20 / height, title[0], size=12, weight="bold", va="center")
    sheet.text(_MARGIN / width, 1 - 0.45 / height, title[1], size=9, va="center")
    for column, name in enumerate(_COLUMNS):
        left = _MARGIN + column * (_TILE + _MARGIN)
        sheet.text(left / width, 1 - 0.75 / height, name, size=10, weight="bold", va="center")


def _printable(text: str) -> str:
    """As plain text: matplotlib reads what is between dollars as a formula."""
    return text.replace("$", r"\$")


def _write_legend(sheet: Figure, labels: LabelMap, height: float) -> None:
    """The kinds of differences in the lowest line, the classes above."""
    from matplotlib.patches import Patch

    classes = [_Kind(labels.names[k][:_LONGEST_NAME], labels.colors[k]) for k in _named_classes(labels)]
    style: dict[str, Any] = {"loc": "lower left", "frameon": False, "fontsize": 9, "borderaxespad": 0.3}
    for entries, bottom, columns in ((_KINDS, 0.0, len(_KINDS)), (classes, _LINE, _CLASSES_A_LINE)):
        patches = [Patch(color=_share(color), label=_printable(text)) for text, color in entries]
        place = (0.0, bottom / height)
        sheet.legend(handles=patches, bbox_to_anchor=place, ncols=columns, handlelength=1.0, handleheight=1.0, **style)


def _named_classes(labels: LabelMap) -> tuple[int, ...]:
    return labels.foreground[:_NAMED_CLASSES]


def _foot(labels: LabelMap) -> float:
    """Inches of the legend."""
    return 0.2 + _LINE * (1 + math.ceil(len(_named_classes(labels)) / _CLASSES_A_LINE))


def _share(color: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = color
    return red / 255, green / 255, blue / 255
