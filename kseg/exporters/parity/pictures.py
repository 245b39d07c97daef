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
_FOOT: Final = 0.75
_COLUMNS: Final = ("image", "truth", "model", "artifact", "where they differ")
_NAMED_CLASSES: Final = 12
"""More classes than these the legend does not name."""
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
    heights = [_TILE * row.truth.shape[0] / row.truth.shape[1] for row in rows]
    scales = [min(1.0, _TALLEST / height) for height in heights]
    width = len(_COLUMNS) * (_TILE + _MARGIN) + _MARGIN
    height = _HEAD + sum(scale * tile for scale, tile in zip(scales, heights, strict=True)) + len(rows) * _LABEL + _FOOT
    with figure(path, width, height, layout=None, dpi=_DPI) as sheet, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a key in a script that the font lacks
        _write_head(sheet, width, height, title)
        top = height - _HEAD
        for row, scale, tile in zip(rows, scales, heights, strict=True):
            top -= _LABEL
            sheet.text(_MARGIN / width, (top + 0.05) / height, _printable(row.label), size=9, va="bottom")
            for column, picture in enumerate(row.tiles(labels)):
                left = _MARGIN + column * (_TILE + _MARGIN)
                box = (left / width, (top - scale * tile) / height, scale * _TILE / width, scale * tile / height)
                axes = sheet.add_axes(box)
                axes.imshow(picture, interpolation="antialiased", aspect="auto")
                axes.set_axis_off()
            top -= scale * tile
        _write_legend(sheet, labels)
        sheet.canvas.draw()


def _write_head(sheet: Figure, width: float, height: float, title: tuple[str, str]) -> None:
    sheet.text(_MARGIN / width, 1 - 0.20 / height, title[0], size=12, weight="bold", va="center")
    sheet.text(_MARGIN / width, 1 - 0.45 / height, title[1], size=9, va="center")
    for column, name in enumerate(_COLUMNS):
        left = _MARGIN + column * (_TILE + _MARGIN)
        sheet.text(left / width, 1 - 0.75 / height, name, size=10, weight="bold", va="center")


def _printable(text: str) -> str:
    """As plain text: matplotlib reads what is between dollars as a formula."""
    return text.replace("$", r"\$")


def _write_legend(sheet: Figure, labels: LabelMap) -> None:
    from matplotlib.patches import Patch

    classes = [(labels.names[k], labels.colors[k]) for k in labels.foreground[:_NAMED_CLASSES]]
    style: dict[str, Any] = {"frameon": False, "fontsize": 9, "handlelength": 1.0, "handleheight": 1.0}
    corners: tuple[tuple[Any, Any, int], ...] = ((classes, "lower left", 4), (_KINDS, "lower right", 3))
    for entries, corner, columns in corners:
        patches = [Patch(color=_share(color), label=_printable(text)) for text, color in entries]
        sheet.legend(handles=patches, loc=corner, ncols=columns, borderaxespad=0.3, **style)


def _share(color: tuple[int, int, int]) -> tuple[float, float, float]:
    red, green, blue = color
    return red / 255, green / 255, blue / 255
