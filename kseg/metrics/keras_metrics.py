"""Scores as Keras metrics for ``model.compile``, read off one confusion matrix that is summed over an epoch.

::

    from kseg.metrics import IoU

    model.compile("adam", loss=kseg.losses.Dice(), metrics=[IoU(num_classes=3)])

They are computed at the network's own size. `kseg.evaluation` computes the same scores at the images' original sizes;
those are the ones to report. ``keras.saving.load_model`` loads a model that was compiled with them once this module has
been imported, as by ``from kseg.metrics import IoU``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from kseg.errors import ConfigError, UsageError
from kseg.labels import IGNORE_INDEX
from kseg.truth import is_one_hot

__all__ = ["Dice", "IoU", "PixelAccuracy", "SegmentationMetrics", "batch_confusion"]

Tensor = Any

register = keras.saving.register_keras_serializable(package="kseg.metrics")


def batch_confusion(
    y_true: Tensor,
    y_pred: Tensor,
    num_classes: int,
    *,
    ignore_index: int = IGNORE_INDEX,
    threshold: float = 0.5,
) -> Tensor:
    """The confusion matrix of a batch.

    Args:
        y_true: Class ids ``[B, H, W]`` or ``[B, H, W, 1]``, or one-hot ``[B, H, W, C]`` of 0 and 1, in which a pixel
            with a value above 1 is ignored, and one without any class too, as ``one_hot`` leaves it of the id 255.
        y_pred: Probabilities or logits ``[B, H, W, C]``, C = K, or C = 1 for the foreground of two classes.
        num_classes: K.
        ignore_index: The class id of pixels that count nowhere. Defaults to 255.
        threshold: Where C = 1, the foreground is where ``y_pred`` is above it. Defaults to 0.5.

    Returns:
        Pixel counts, float32 ``[K, K]``, rows = truth.

    Raises:
        UsageError: The shapes do not fit each other or K.

    Example:

    >>> batch_confusion([[[0, 1, 1]]], [[[[0.2], [0.9], [0.4]]]], 2).numpy().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    one_hot = is_one_hot(y_true.shape, y_pred.shape)
    if y_pred.shape[-1] not in ((1, 2) if num_classes == 2 else (num_classes,)):
        raise UsageError(
            "y_pred does not fit num_classes", expected=f"{num_classes} channels{' or 1' if num_classes == 2 else ''}",
            found=f"{y_pred.shape[-1]}",
        )  # fmt: skip
    if one_hot:
        y_true = ops.cast(y_true, "float32")
        highest = ops.max(y_true, axis=-1)
        y_true = ops.where(ops.logical_and(highest > 0, highest <= 1), ops.argmax(y_true, axis=-1), ignore_index)
    truth = ops.reshape(ops.cast(y_true, "int32"), (-1,))
    if y_pred.shape[-1] == 1:
        return _binary_confusion(truth, ops.reshape(y_pred, (-1,)) > threshold, ignore_index)
    predicted = ops.reshape(ops.argmax(y_pred, axis=-1), (-1,))
    # The one-hot row of -1 is all 0, so that ignored pixels add nothing anywhere.
    truth = ops.where(truth == ignore_index, -1, truth)
    rows = ops.one_hot(truth, num_classes, dtype="float32")
    columns = ops.one_hot(predicted, num_classes, dtype="float32")
    return ops.matmul(ops.transpose(rows), columns)


def _binary_confusion(truth: Tensor, predicted: Tensor, ignore_index: int) -> Tensor:
    """Four sums instead of a matrix product."""
    labelled = truth != ignore_index
    positive = ops.logical_and(truth == 1, labelled)
    true_positives = _count(ops.logical_and(positive, predicted))
    false_negatives = _count(positive) - true_positives
    false_positives = _count(ops.logical_and(predicted, labelled)) - true_positives
    true_negatives = _count(labelled) - true_positives - false_negatives - false_positives
    cells = ops.stack([true_negatives, false_positives, false_negatives, true_positives])
    return ops.reshape(ops.cast(cells, "float32"), (2, 2))


def _count(flags: Tensor) -> Tensor:
    # Whole numbers: a float32 sum of ones stops growing at 2^24.
    return ops.sum(ops.cast(flags, "int32"))


class ConfusionMetric(keras.metrics.Metric):
    """Base class of the metrics: sums the confusion matrices of the batches, in float32 whatever the policy.

    Args:
        num_classes: K, at least 2, the background included.
        ignore_index: The class id of pixels that count nowhere. Defaults to 255.
        from_logits: Whether ``y_pred`` are logits. Defaults to False, probabilities.
        threshold: Where ``y_pred`` has one channel, the probability above which a pixel is foreground, between 0 and
            1. Defaults to 0.5.
        name: In the logs. Defaults to that of the metric.

    `update_state` takes ``y_true`` as class ids ``[B, H, W]`` or ``[B, H, W, 1]``, or one-hot ``[B, H, W, C]``, and
    ``y_pred`` ``[B, H, W, C]``; see `batch_confusion`.

    Raises:
        ConfigError: A value is out of its range.
    """

    default_name: ClassVar[str]

    def __init__(
        self,
        num_classes: int,
        *,
        ignore_index: int = IGNORE_INDEX,
        from_logits: bool = False,
        threshold: float = 0.5,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name or self.default_name, dtype="float32")
        if not (isinstance(num_classes, int) and num_classes >= 2):
            raise ConfigError("wrong num_classes", expected="a whole number from 2 on", found=repr(num_classes))
        if not 0 < threshold < 1:
            raise ConfigError("wrong threshold", expected="a number between 0 and 1", found=repr(threshold))
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.from_logits = from_logits
        self.threshold = threshold
        self.matrix = self.add_variable((num_classes, num_classes), initializer="zeros", name="matrix")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add a batch. Raises UsageError where there are sample weights: pixels are left out by ``ignore_index``."""
        if sample_weight is not None:
            raise UsageError(f"{type(self).__name__} takes no sample_weight", remedy="leave pixels out by ignore_index")
        threshold = math.log(self.threshold / (1.0 - self.threshold)) if self.from_logits else self.threshold
        self.matrix.assign_add(
            batch_confusion(y_true, y_pred, self.num_classes, ignore_index=self.ignore_index, threshold=threshold)
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        names = ("num_classes", "ignore_index", "from_logits", "threshold", "name")
        return {name: getattr(self, name) for name in names}


@register
class PixelAccuracy(ConfusionMetric):
    """The share of pixels whose class is right, over the epoch; NaN without any.

    The arguments are those of `ConfusionMetric`; the name defaults to ``"pixel_accuracy"``.

    Example:

    >>> metric = PixelAccuracy(num_classes=2)
    >>> metric.update_state([[[0, 1, 1, 255]]], [[[[0.1], [0.9], [0.4], [0.8]]]])
    >>> round(float(metric.result()), 3)
    0.667
    """

    default_name = "pixel_accuracy"

    def result(self) -> Tensor:
        """The score of everything seen since `reset_state`, a float32 scalar."""
        return _accuracy(self.matrix)


class ClassMeanMetric(ConfusionMetric):
    """Base class of the means over classes.

    Classes that neither the truth nor the prediction holds are left out of the mean; a mean without any class is NaN.

    Args:
        num_classes: As of `ConfusionMetric`.
        classes: The class ids that the mean is over, or ``"all"``. Defaults to the foreground, all but 0.
        options: The other arguments of `ConfusionMetric`, keyword-only.

    Raises:
        ConfigError: A value is out of its range.
    """

    def __init__(
        self,
        num_classes: int,
        classes: Sequence[int] | Literal["all"] | None = None,
        *,
        ignore_index: int = IGNORE_INDEX,
        from_logits: bool = False,
        threshold: float = 0.5,
        name: str | None = None,
    ) -> None:
        super().__init__(
            num_classes, ignore_index=ignore_index, from_logits=from_logits, threshold=threshold, name=name
        )
        self.classes = _check_classes(classes, num_classes)

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        return {**super().get_config(), "classes": list(self.classes)}


@register
class IoU(ClassMeanMetric):
    """Intersection over union, TP / (TP + FP + FN) with the pixels summed over the epoch: the mean over classes.

    ``IoU(num_classes, classes="all")`` is what is often called mean IoU. Classes that neither the truth nor the
    prediction holds are left out of the mean; without any class it is NaN.

    Args:
        num_classes: K, at least 2, the background included.
        classes: The class ids that the mean is over, or ``"all"``. Defaults to the foreground, all but 0.
        ignore_index: The class id of pixels that count nowhere. Defaults to 255.
        from_logits: Whether ``y_pred`` are logits. Defaults to False, probabilities.
        threshold: Where ``y_pred`` has one channel, the probability above which a pixel is foreground, between 0 and
            1. Defaults to 0.5.
        name: In the logs. Defaults to ``"iou"``.

    Raises:
        ConfigError: A value is out of its range.

    Example:

    >>> metric = IoU(num_classes=2)
    >>> metric.update_state([[[0, 1, 1, 255]]], [[[[0.1], [0.9], [0.4], [0.8]]]])
    >>> float(metric.result())
    0.5
    """

    default_name = "iou"

    def result(self) -> Tensor:
        """The score of everything seen since `reset_state`, a float32 scalar."""
        return _mean_iou(self.matrix, self.classes)


@register
class Dice(ClassMeanMetric):
    """Dice or F1, 2 TP / (2 TP + FP + FN) with the pixels summed over the epoch: the mean over classes.

    The arguments and the mean are those of `IoU`; the name defaults to ``"dice"``.

    Example:

    >>> metric = Dice(num_classes=2)
    >>> metric.update_state([[[0, 1, 1, 255]]], [[[[0.1], [0.9], [0.4], [0.8]]]])
    >>> round(float(metric.result()), 3)
    0.667
    """

    default_name = "dice"

    def result(self) -> Tensor:
        """The score of everything seen since `reset_state`, a float32 scalar."""
        return _mean_dice(self.matrix, self.classes)


@register
class SegmentationMetrics(ConfusionMetric):
    """Foreground IoU and Dice, mean IoU and pixel accuracy in one: what kseg's training shows, of logits.

    Args:
        num_classes: K, the background included.
        foreground: The class ids that ``iou`` and ``dice`` average over.
        ignore_index: The class id of pixels that count nowhere. Defaults to 255.
        channels: C, where the logits have more: the first are the network's, the rest those of auxiliary heads, which
            count nowhere. Defaults to all.
        name: Defaults to ``"segmentation"``; it does not appear in the logs.

    `result` returns ``{"iou", "mean_iou", "dice", "accuracy"}``, float32 scalars: `IoU` and `Dice` of the foreground,
    `IoU` of all classes, and `PixelAccuracy`.

    Example:

    >>> metric = SegmentationMetrics(2, foreground=(1,))
    >>> metric.update_state([[[0, 1, 1, 255]]], [[[[-2.0], [3.0], [-1.0], [5.0]]]])
    >>> float(metric.result()["iou"])
    0.5
    """

    default_name = "segmentation"

    def __init__(
        self,
        num_classes: int,
        foreground: Sequence[int],
        ignore_index: int = IGNORE_INDEX,
        *,
        channels: int | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(num_classes, ignore_index=ignore_index, from_logits=True, name=name)
        self.foreground = _check_classes(foreground, num_classes)
        self.channels = channels

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """As `ConfusionMetric.update_state`, of the first channels."""
        super().update_state(y_true, ops.convert_to_tensor(y_pred)[..., : self.channels], sample_weight)

    def result(self) -> dict[str, Tensor]:
        """The scores of everything seen since `reset_state`."""
        return {
            "iou": _mean_iou(self.matrix, self.foreground),
            "mean_iou": _mean_iou(self.matrix, tuple(range(self.num_classes))),
            "dice": _mean_dice(self.matrix, self.foreground),
            "accuracy": _accuracy(self.matrix),
        }

    def get_config(self) -> dict[str, Any]:
        """The arguments, as Keras saves them."""
        names = ("num_classes", "foreground", "ignore_index", "channels", "name")
        return {name: getattr(self, name) for name in names} | {"foreground": list(self.foreground)}


def _check_classes(classes: Sequence[int] | str | None, num_classes: int) -> tuple[int, ...]:
    """The class ids of the argument ``classes``."""
    if classes is None:
        return tuple(range(1, num_classes))
    ids: Sequence[Any] = range(num_classes) if isinstance(classes, str) and classes == "all" else tuple(classes)
    if not ids or not all(index in range(num_classes) for index in ids):
        raise ConfigError("wrong classes", expected=f"ids from 0 to {num_classes - 1}, or 'all'", found=repr(classes))
    return tuple(int(index) for index in ids)


def _mean_iou(matrix: Tensor, classes: Sequence[int]) -> Tensor:
    """The mean IoU of some classes, by the confusion matrix ``[K, K]``."""
    intersection, total = _areas(matrix)
    return _class_mean(intersection / ops.maximum(total - intersection, 1.0), total, classes)


def _mean_dice(matrix: Tensor, classes: Sequence[int]) -> Tensor:
    """The mean Dice of some classes, by the confusion matrix ``[K, K]``."""
    intersection, total = _areas(matrix)
    return _class_mean(2.0 * intersection / ops.maximum(total, 1.0), total, classes)


def _accuracy(matrix: Tensor) -> Tensor:
    """The pixel accuracy, by the confusion matrix ``[K, K]``."""
    matrix = ops.convert_to_tensor(matrix)
    return ops.sum(ops.diagonal(matrix)) / ops.sum(matrix)


def _areas(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Of each class the true positives, and the true plus the predicted pixels, float32 ``[K]``."""
    matrix = ops.convert_to_tensor(matrix)
    return ops.diagonal(matrix), ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1)


def _class_mean(scores: Tensor, total: Tensor, classes: Sequence[int]) -> Tensor:
    """The mean over the classes that have any pixels; 0/0, which is NaN, where none has."""
    present = ops.cast(ops.take(total, classes) > 0, "float32")
    return ops.sum(ops.take(scores, classes) * present) / ops.sum(present)
