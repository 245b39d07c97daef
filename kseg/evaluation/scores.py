"""`Scores`: what an evaluation found, each number with its averaging.

::

    over the dataset    the pixels of all images are summed first; large images and large objects weigh more
    per image           a score an image, then their mean; each image weighs the same. Images in which neither the
                        truth nor the prediction holds a foreground class have no score and are left out

Two tools that average differently disagree by several points on the same masks, so none is shown without its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from kseg.labels import LabelMap
from kseg.metrics import class_mean, dice, iou, pixel_accuracy, precision, recall

__all__ = ["ImageScore", "Scores"]

Matrix = npt.NDArray[np.int64]
PerClass = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ImageScore:
    """One image.

    Args:
        key: The sample's key.
        matrix: Its confusion matrix, int64 ``[K, K]``, rows = truth.
        foreground: The class ids that count as foreground.
    """

    key: str
    matrix: Matrix
    foreground: tuple[int, ...]

    @property
    def iou(self) -> float:
        """Mean IoU of the foreground classes in truth or prediction; NaN where there are none."""
        return class_mean(iou(self.matrix), self.foreground)

    @property
    def dice(self) -> float:
        """Likewise Dice."""
        return class_mean(dice(self.matrix), self.foreground)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, with null for NaN."""
        return {
            "key": self.key,
            "iou": _plain(self.iou),
            "dice": _plain(self.dice),
            "pixel_accuracy": _plain(pixel_accuracy(self.matrix)),
            "true_pixels": self.matrix.sum(axis=1).tolist(),
            "predicted_pixels": self.matrix.sum(axis=0).tolist(),
        }


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a set of images. NaN stands for what is undefined, as the IoU of a class that is nowhere.

    Args:
        labels: The classes.
        per_image: One entry an image, in the order given.
        threshold: The score from which on a pixel counted as foreground; None where the best class won.
    """

    labels: LabelMap
    per_image: tuple[ImageScore, ...]
    threshold: float | None

    @property
    def images(self) -> int:
        """How many images were scored."""
        return len(self.per_image)

    @property
    def matrix(self) -> Matrix:
        """The confusion matrix over the dataset: int64 ``[K, K]`` pixels, rows = truth."""
        zero = np.zeros((self.labels.num_classes,) * 2, np.int64)
        return sum((score.matrix for score in self.per_image), zero)

    @property
    def class_iou(self) -> PerClass:
        """IoU of each class over the dataset: float64 ``[K]``."""
        return iou(self.matrix)

    @property
    def class_dice(self) -> PerClass:
        """Dice of each class over the dataset."""
        return dice(self.matrix)

    @property
    def class_precision(self) -> PerClass:
        """Precision of each class over the dataset."""
        return precision(self.matrix)

    @property
    def class_recall(self) -> PerClass:
        """Recall of each class over the dataset."""
        return recall(self.matrix)

    @property
    def iou(self) -> float:
        """IoU over the dataset, mean of the foreground classes."""
        return class_mean(self.class_iou, self.labels.foreground)

    @property
    def dice(self) -> float:
        """Dice over the dataset, mean of the foreground classes."""
        return class_mean(self.class_dice, self.labels.foreground)

    @property
    def mean_iou(self) -> float:
        """IoU over the dataset, mean of all classes, the background included."""
        return class_mean(self.class_iou, range(self.labels.num_classes))

    @property
    def pixel_accuracy(self) -> float:
        """The share of known pixels over the dataset whose class is right."""
        return pixel_accuracy(self.matrix)

    @property
    def image_iou(self) -> float:
        """Foreground IoU per image, mean over the `foreground_images`."""
        return _mean([score.iou for score in self.per_image])

    @property
    def image_dice(self) -> float:
        """Foreground Dice per image, mean over the `foreground_images`."""
        return _mean([score.dice for score in self.per_image])

    @property
    def foreground_images(self) -> int:
        """How many images hold foreground in truth or prediction; the per-image means are over these."""
        return sum(not math.isnan(score.iou) for score in self.per_image)

    @property
    def class_image_iou(self) -> list[tuple[float, int]]:
        """Of each class, its IoU per image, mean over the images that hold it, and how many these are."""
        table = np.array([iou(score.matrix) for score in self.per_image])
        return [(_mean(column.tolist()), int((~np.isnan(column)).sum())) for column in table.T]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the numbers should know first."""
        return _warnings(self)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, with null for NaN."""
        return {
            "images": self.images,
            "threshold": self.threshold,
            "over_the_dataset": {
                "averaging": "pixels summed over all images at their original size",
                "foreground_iou": _plain(self.iou),
                "foreground_dice": _plain(self.dice),
                "mean_iou": _plain(self.mean_iou),
                "pixel_accuracy": _plain(self.pixel_accuracy),
            },
            "per_image": {
                "averaging": "mean over the images whose truth or prediction holds foreground",
                "images": self.foreground_images,
                "foreground_iou": _plain(self.image_iou),
                "foreground_dice": _plain(self.image_dice),
            },
            "classes": [self._class_json(k) for k in range(self.labels.num_classes)],
            "confusion": self.matrix.tolist(),
            "warnings": list(self.warnings),
            "rows": [score.to_json() for score in self.per_image],
        }

    def _class_json(self, k: int) -> dict[str, Any]:
        per_image, images = self.class_image_iou[k]
        return {
            "name": self.labels.names[k],
            "iou": _plain(self.class_iou[k]),
            "dice": _plain(self.class_dice[k]),
            "precision": _plain(self.class_precision[k]),
            "recall": _plain(self.class_recall[k]),
            "iou_per_image": _plain(per_image),
            "images": images,
        }


def _warnings(scores: Scores) -> tuple[str, ...]:
    labels, matrix = scores.labels, scores.matrix
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    foreground = list(labels.foreground)
    found: list[str] = []
    if not matrix.sum():
        found.append(f"all pixels of all {scores.images} masks are to be ignored: there is nothing to score")
    elif labels.background is not None and not predicted[foreground].sum():
        found.append(f"the model predicts background only on all {scores.images} images")
    else:
        found += _named(
            labels, lambda k: true[k] > 0 and predicted[k] == 0, "never predicted, though the masks hold it"
        )
    found += _named(labels, lambda k: true[k] == 0 and matrix.sum() > 0, "in none of the masks: it has no recall")
    return tuple(found)


def _named(labels: LabelMap, applies: Callable[[int], bool], what: str) -> list[str]:
    return [f"class {name!r} is {what}" for k, name in enumerate(labels.names) if applies(k)]


def _mean(values: Sequence[float]) -> float:
    """The mean of those that are not NaN; NaN where all are."""
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
