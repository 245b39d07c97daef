"""The scores that training shows at each epoch, computed on the device from the logits.

They are taken at the network's own size and summed over the epoch. `kseg.evaluation` measures the same quantities at
the images' original sizes; those are the ones to report.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseg.labels import IGNORE_INDEX

__all__ = ["SegmentationMetrics", "batch_confusion"]

Tensor = Any


def batch_confusion(truth: Tensor, logits: Tensor, num_classes: int, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """The confusion matrix of a batch: float32 ``[K, K]``, rows = truth.

    Args:
        truth: Class ids ``[B, H, W]``, any integer or float type.
        logits: ``[B, H, W, C]``; C = 1 means two classes, the second where the logit is above 0.
        num_classes: K.
        ignore_index: Pixels of this id count nowhere.
    """
    truth = ops.reshape(ops.cast(truth, "int32"), (-1,))
    if logits.shape[-1] == 1:
        return _binary_confusion(truth, ops.reshape(logits, (-1,)) > 0, ignore_index)
    predicted = ops.reshape(ops.argmax(logits, axis=-1), (-1,))
    # An ignored pixel is no class of its own, so its one-hot row is 0 and adds nothing anywhere.
    truth = ops.where(truth == ignore_index, -1, truth)
    rows = ops.one_hot(truth, num_classes, dtype="float32")
    columns = ops.one_hot(predicted, num_classes, dtype="float32")
    return ops.matmul(ops.transpose(rows), columns)


def _binary_confusion(truth: Tensor, predicted: Tensor, ignore_index: int) -> Tensor:
    """Four sums instead of a matrix product."""
    known = truth != ignore_index
    positive = truth == 1
    chosen = ops.logical_and(predicted, known)
    hit = _count(ops.logical_and(positive, predicted))
    missed = _count(positive) - hit
    wrong = _count(chosen) - hit
    rest = _count(known) - hit - missed - wrong
    cells = ops.stack([rest, wrong, missed, hit])
    return ops.reshape(ops.cast(cells, "float32"), (2, 2))


def _count(flags: Tensor) -> Tensor:
    # Whole numbers: a float32 sum of ones stops growing at 2^24.
    return ops.sum(ops.cast(flags, "int32"))


@keras.saving.register_keras_serializable(package="kseg")
class SegmentationMetrics(keras.metrics.Metric):
    """Foreground IoU and Dice, mean IoU and pixel accuracy over an epoch, from one confusion matrix.

    Per class, IoU = TP / (TP + FP + FN) and Dice = 2 TP / (2 TP + FP + FN), with the pixels summed over the epoch
    first. Classes that neither the truth nor the prediction holds are left out of the means; a mean without any class
    is NaN.

    Args:
        num_classes: K, the background included.
        foreground: The class ids that ``iou`` and ``dice`` average over.
        ignore_index: The class id of pixels that count nowhere. Defaults to 255.
        channels: C, where the logits have more: the first are the network's, the rest those of auxiliary heads, which
            count nowhere. Defaults to all.
        name: Defaults to ``"segmentation"``; it does not appear in the logs.

    `update_state` takes class ids ``[B, H, W]`` and logits ``[B, H, W, C]``, where C = 1 means two classes.
    `result` returns ``{"iou", "mean_iou", "dice", "accuracy"}``, float32 scalars.

    Example:

    >>> metric = SegmentationMetrics(2, foreground=(1,))
    >>> metric.update_state([[[0, 1, 1, 255]]], keras.ops.array([[[[-2.0], [3.0], [-1.0], [5.0]]]]))
    >>> float(metric.result()["iou"])
    0.5
    """

    def __init__(
        self,
        num_classes: int,
        foreground: Sequence[int],
        ignore_index: int = IGNORE_INDEX,
        *,
        channels: int | None = None,
        name: str = "segmentation",
        dtype: Any = None,
    ) -> None:
        # Counts need float32 whatever the policy of the layers; `dtype` is Keras' own key in a saved config.
        del dtype
        super().__init__(name=name, dtype="float32")
        self.num_classes = num_classes
        self.foreground = tuple(foreground)
        self.ignore_index = ignore_index
        self.channels = channels
        self.matrix = self.add_variable((num_classes, num_classes), initializer="zeros", name="matrix")

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None) -> None:
        """Add a batch. Weights are refused: pixels are left out by `ignore_index`."""
        if sample_weight is not None:
            raise ValueError("SegmentationMetrics takes no sample weights; mark pixels as ignored instead")
        y_pred = ops.convert_to_tensor(y_pred)[..., : self.channels]
        self.matrix.assign_add(batch_confusion(y_true, y_pred, self.num_classes, self.ignore_index))

    def result(self) -> dict[str, Tensor]:
        """The scores of everything seen since `reset_state`."""
        matrix = ops.convert_to_tensor(self.matrix)
        hit = ops.diagonal(matrix)
        either = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1)
        iou = _ratio(hit, either - hit)
        every = tuple(range(self.num_classes))
        return {
            "iou": _class_mean(iou, either, self.foreground),
            "mean_iou": _class_mean(iou, either, every),
            "dice": _class_mean(_ratio(2.0 * hit, either), either, self.foreground),
            "accuracy": ops.sum(hit) / ops.sum(matrix),
        }

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "foreground": list(self.foreground),
            "ignore_index": self.ignore_index,
            "channels": self.channels,
        }


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return above / ops.maximum(below, 1.0)


def _class_mean(values: Tensor, pixels: Tensor, classes: Sequence[int]) -> Tensor:
    """The mean over the ``classes`` that hold any pixels; 0/0, which is NaN, where none does."""
    present = ops.cast(ops.take(pixels, classes) > 0, "float32")
    return ops.sum(ops.take(values, classes) * present) / ops.sum(present)
