"""`Scores`: the result of an evaluation, each score with its averaging.

::

    over the dataset    pixel counts are summed over all images; large images and large objects weigh more
    per image           the mean of the images' scores; each image weighs the same. Images in which a score is
                        undefined do not count, as an IoU if neither ground truth nor prediction has foreground

    foreground          the mean over the foreground classes whose score is defined
    all                 the mean over all classes whose score is defined, the background included (macro mean)

Different averaging changes the score of the same masks by several points, so every score is shown with its averaging.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from kseg.evaluation.counts import CLASS_SCORES, Counts, Score
from kseg.html import rich_html
from kseg.labels import LabelMap
from kseg.metrics import class_mean, expected_calibration_error, hidden_share, pixel_accuracy
from kseg.metrics.boundary import HIDDEN

__all__ = ["ClassTable", "Classes", "ImageScore", "Scores"]

Matrix = npt.NDArray[np.int64]
PerClass = npt.NDArray[np.float64]
Classes = Literal["foreground", "all"]
"""The classes of a mean: the foreground classes, or all with the background."""


class CountedScores:
    """The scores that are read off pixel counts: of one image, or of the sum over a data set."""

    if TYPE_CHECKING:  # Each subclass has them, one as fields, for which a property here would pass as the default.

        @property
        def counts(self) -> Counts:
            """The pixel counts."""

        @property
        def foreground(self) -> tuple[int, ...]:
            """The class ids that count as foreground."""

    @property
    def matrix(self) -> Matrix:
        """The confusion matrix: int64 ``[K, K]`` pixels, rows = truth."""
        return self.counts.matrix

    def class_scores(self, name: Score) -> PerClass:
        """A score of each class: float64 ``[K]``; NaN where it is undefined."""
        return CLASS_SCORES[name](self.counts)

    def mean(self, name: Score, classes: Classes = "foreground") -> float:
        """The mean of a score over the classes for which it is defined; NaN if there are none."""
        values = self.class_scores(name)
        return class_mean(values, self.foreground if classes == "foreground" else range(len(values)))

    @property
    def iou(self) -> float:
        """IoU, the mean of the foreground classes in ground truth or prediction; NaN if there are none."""
        return self.mean("iou")

    @property
    def dice(self) -> float:
        """Dice, the mean of the foreground classes in ground truth or prediction; NaN if there are none."""
        return self.mean("dice")

    @property
    def pixel_accuracy(self) -> float:
        """The share of the pixels of known class that are classified correctly; NaN if there are none."""
        return pixel_accuracy(self.matrix)

    @property
    def calibration_error(self) -> float:
        """The expected calibration error."""
        return expected_calibration_error(self.counts.calibration)


@dataclass(frozen=True, eq=False)
class ImageScore(CountedScores):
    """The scores of one image.

    Args:
        key: The sample's key.
        counts: Its pixel counts.
        foreground: The class ids that count as foreground.
    """

    key: str
    counts: Counts
    foreground: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, with null for NaN."""
        return {
            "key": self.key,
            **{name: _json_number(self.mean(name)) for name in CLASS_SCORES},
            "pixel_accuracy": _json_number(self.pixel_accuracy),
            "expected_calibration_error": _json_number(self.calibration_error),
            "true_pixels": self.matrix.sum(axis=1).tolist(),
            "predicted_pixels": self.matrix.sum(axis=0).tolist(),
        }


class ClassTable(dict[str, dict[str, float]]):
    """Class → score → value, NaN where a score is undefined. ``pandas.DataFrame(table).T`` has a row for each class."""

    def _repr_html_(self) -> str:
        from kseg.evaluation.tables import class_table

        return rich_html(class_table(self))


@dataclass(frozen=True, eq=False, repr=False)
class Scores(CountedScores):
    """The scores of a set of images, over the data set and per image.

    NaN means undefined, as the IoU of a class that neither truth nor prediction has.

    Args:
        labels: The classes.
        per_image: The scores of each image, in the order of the samples.
        threshold: Pixels with at least this score counted as foreground; None if the highest score won.
        facts: The model, the data and the options, as plain JSON types: ``model``, ``data``, ``split``, ``flip``,
            ``zoom`` and ``min_area``; empty if `kseg.evaluation.evaluate` was called with a predictor.
    """

    labels: LabelMap
    per_image: tuple[ImageScore, ...]
    threshold: float | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> int:
        """The number of images that were scored."""
        return len(self.per_image)

    @property
    def foreground(self) -> tuple[int, ...]:
        """The class ids that count as foreground."""
        return self.labels.foreground

    @cached_property
    def counts(self) -> Counts:
        """The pixel counts, summed over all images."""
        return sum((score.counts for score in self.per_image), Counts.zero(self.labels.num_classes))

    @property
    def per_class(self) -> ClassTable:
        """All scores of each class over the dataset: ``scores.per_class["cat"]["iou"]``. A table in a notebook."""
        columns = {name: self.class_scores(name) for name in CLASS_SCORES}
        return ClassTable(
            (label, {name: float(column[k]) for name, column in columns.items()})
            for k, label in enumerate(self.labels.names)
        )

    def image_mean(self, name: Score, classes: Classes = "foreground") -> tuple[float, int]:
        """A score per image: the mean over the images for which it is defined, and the number of these."""
        return _mean_and_number(score.mean(name, classes) for score in self.per_image)

    def class_image_mean(self, name: Score) -> list[tuple[float, int]]:
        """For each class: the mean of a score over the images for which it is defined, and the number of these."""
        table = np.array([score.class_scores(name) for score in self.per_image])
        return [_mean_and_number(column.tolist()) for column in table.T]

    @property
    def mean_iou(self) -> float:
        """IoU over the dataset, the mean of all classes, the background included."""
        return self.mean("iou", "all")

    @property
    def image_iou(self) -> float:
        """Foreground IoU per image, the mean over the `foreground_images`."""
        return self.image_mean("iou")[0]

    @property
    def image_dice(self) -> float:
        """Foreground Dice per image, the mean over the `foreground_images`."""
        return self.image_mean("dice")[0]

    @property
    def image_pixel_accuracy(self) -> tuple[float, int]:
        """The mean pixel accuracy of the images with pixels of known class, and the number of these images."""
        return _mean_and_number(score.pixel_accuracy for score in self.per_image)

    @property
    def foreground_images(self) -> int:
        """The number of images with foreground in ground truth or prediction."""
        return self.image_mean("iou")[1]

    @property
    def warnings(self) -> tuple[str, ...]:
        """Reasons to distrust the scores, a line each: classes that are never predicted, or in no mask, …"""
        return _warnings(self)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, with null for NaN."""
        return {
            **self.facts,
            "images": self.images,
            "threshold": self.threshold,
            "over_the_dataset": self._dataset_json(),
            "per_image": self._images_json(),
            "classes": self._classes_json(),
            "calibration": self._calibration_json(),
            "confusion": self.matrix.tolist(),
            "warnings": list(self.warnings),
            "rows": [score.to_json() for score in self.per_image],
        }

    def __repr__(self) -> str:
        numbers = {
            "iou": self.iou, "dice": self.dice, "mean_iou": self.mean_iou, "pixel_accuracy": self.pixel_accuracy,
        }  # fmt: skip
        return f"Scores(images={self.images}, {', '.join(f'{name}={value:.4f}' for name, value in numbers.items())})"

    def _repr_html_(self) -> str:
        from kseg.evaluation.tables import scores_tables

        return rich_html(*scores_tables(self))

    def _dataset_json(self) -> dict[str, Any]:
        return {
            "averaging": "pixels summed over all images at their original size; "
            "foreground_*: then the mean of the foreground classes, mean_*: of all classes",
            **{f"foreground_{name}": _json_number(self.mean(name)) for name in CLASS_SCORES},
            **{f"mean_{name}": _json_number(self.mean(name, "all")) for name in CLASS_SCORES},
            "pixel_accuracy": _json_number(self.pixel_accuracy),
            "expected_calibration_error": _json_number(self.calibration_error),
        }

    def _images_json(self) -> dict[str, Any]:
        means = {f"foreground_{name}": self.image_mean(name) for name in CLASS_SCORES}
        means |= {f"mean_{name}": self.image_mean(name, "all") for name in CLASS_SCORES}
        means["pixel_accuracy"] = self.image_pixel_accuracy
        return {
            "averaging": "the score of each image (foreground_*: the mean of its foreground classes, mean_*: of all "
            "its classes), then the mean over the images for which it is defined",
            "images": self.foreground_images,
            **{name: _json_number(value) for name, (value, _) in means.items()},
            "counted_images": {name: number for name, (_, number) in means.items()},
        }

    def _classes_json(self) -> list[dict[str, Any]]:
        dataset = {name: self.class_scores(name) for name in CLASS_SCORES}
        images = {name: self.class_image_mean(name) for name in CLASS_SCORES}
        return [
            {
                "name": label,
                **{name: _json_number(values[k]) for name, values in dataset.items()},
                **{f"{name}_per_image": _json_number(values[k][0]) for name, values in images.items()},
                "images": images["iou"][k][1],
            }
            for k, label in enumerate(self.labels.names)
        ]

    def _calibration_json(self) -> dict[str, Any]:
        counts = self.counts.calibration
        return {
            "averaging": "pixels summed over all images, in bins of equal width of the likeliest class's probability",
            "pixels": counts.pixels.tolist(),
            "hits": counts.hits.tolist(),
            "confidence_sum": counts.confidence.tolist(),
        }


def _warnings(scores: Scores) -> tuple[str, ...]:
    labels, matrix = scores.labels, scores.matrix
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    foreground = list(labels.foreground)
    warnings: list[str] = []
    if not matrix.sum():
        warnings.append(f"all pixels of all {scores.images} masks are ignored: there is nothing to score")
    elif labels.background is not None and not predicted[foreground].sum():
        warnings.append(f"the model predicts background only on all {scores.images} images")
    else:
        warnings += _class_warnings(
            labels, lambda k: true[k] > 0 and predicted[k] == 0, "never predicted, though the masks hold it"
        )
    warnings += _class_warnings(
        labels, lambda k: true[k] == 0 and matrix.sum() > 0, "in none of the masks: it has no recall"
    )
    hidden = hidden_share(scores.counts.boundary) > HIDDEN
    if hidden.any():
        names = ", ".join(name for name, is_hidden in zip(labels.names, hidden, strict=True) if is_hidden)
        warnings.append(f"no boundary scores of {names}: ignored pixels hide more than {HIDDEN:.0%} of the boundary")
    return tuple(warnings)


def _class_warnings(labels: LabelMap, applies: Callable[[int], bool], message: str) -> list[str]:
    return [f"class {name!r} is {message}" for k, name in enumerate(labels.names) if applies(k)]


def _mean_and_number(values: Iterable[float]) -> tuple[float, int]:
    """The mean of the values that are not NaN, and their number; NaN and 0 if there are none."""
    defined = [value for value in values if not math.isnan(value)]
    return (sum(defined) / len(defined) if defined else math.nan), len(defined)


def _json_number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
